import ActorKit
import CChorus
import CMiXDevice
import CMiXFile
import Synchronization

/// What a change of a device's state leads to, gathered under the device's lock and done behind it.
struct Effects {
    var signals: [(signal: Int32, group: Int32)] = []  // a negative group: that process alone
    var posts: [WatchList.Posting] = []
    var output = false  // bytes wait for the far side
    var inputRoom = false  // the far side may deliver again
    var flushed = false  // output was dropped with the signals: writers wait until these have arrived
}

/// Carries effects out: posts events and sends signals to process groups.
final class EffectSink: Sendable {
    let nucleus: Nucleus
    private let source = Atomic<Int32>(K_DEFAULTPORT)
    private let processes = Mutex(KnUniqueId(uiHead: 0, uiTail: 0))

    init(nucleus: Nucleus) { self.nucleus = nucleus }

    /// The port that requests to the Process Manager come from.
    func setSource(_ port: KnPortLid) { source.store(port, ordering: .relaxed) }

    func perform(_ effects: Effects) {
        nucleus.post(effects.posts)
        for (signal, group) in effects.signals where group != 0 {
            if effects.flushed { deliver(signal, group) } else { self.signal(signal, group) }
        }
    }

    private func destination() -> KnIpcDest? {
        let known = processes.withLock { $0 }
        if known.uiHead != 0 || known.uiTail != 0 { return KnIpcDest(target: known, coTarget: KnUniqueId()) }
        var name = KnUniqueId()
        guard nucleus.grpName(K_STAMP_PROCESS, &name) >= 0 else { return nil }
        processes.withLock { $0 = name }
        return KnIpcDest(target: name, coTarget: KnUniqueId())
    }

    private static func request(_ signal: Int32, _ group: Int32) -> Annex<MixObjRequest> {
        var annex = Annex<MixObjRequest>(MixObjRequest())
        annex.value.op = PROC_SIGNAL_GROUP
        annex.value.arg.0 = UInt64(signal)
        annex.value.arg.1 = UInt64(UInt32(bitPattern: group))
        return annex
    }

    /// Has sent the signal when it returns, or nobody answered for a second. Calls out: never under a lock.
    private func deliver(_ signal: Int32, _ group: Int32) {
        guard var destination = destination() else { return }
        var reply = Annex<MixObjReply>(MixObjReply())
        var size: UInt32 = 0
        Self.request(signal, group).withBytes { bytes in
            reply.withMutableBytes { replyBytes in
                _ = nucleus.ipcCall(
                    source.load(ordering: .relaxed), &destination, K_FUNCMODE, bytes, nil, 0, replyBytes, nil, &size,
                    0, 1000)
            }
        }
    }

    /// Asynchronous, so it may be called from any handler; with no Process Manager there is nobody to signal.
    private func signal(_ signal: Int32, _ group: Int32) {
        guard var destination = destination() else { return }
        Self.request(signal, group).withBytes { bytes in
            _ = nucleus.ipcSend(source.load(ordering: .relaxed), &destination, K_FUNCMODE, bytes, nil, 0)
        }
    }

    struct GroupState {
        var orphaned: Bool
        var ignores: Bool
        var session: Int32  // 0: not told
    }

    enum GroupAnswer {
        case state(GroupState)
        case refused(Int64)
        case unknown  // nobody to ask
    }

    /// Asks the Process Manager about a group. Calls out: never under a lock.
    func groupState(_ group: Int32, signal: Int32, _ cred: MixCred) -> GroupAnswer {
        guard var destination = destination() else { return .unknown }
        var annex = Annex<MixObjRequest>(MixObjRequest())
        annex.value.op = PROC_GROUP_ORPHANED
        annex.value.cred = cred
        annex.value.arg.0 = UInt64(signal)
        annex.value.arg.1 = UInt64(UInt32(bitPattern: group))
        var reply = Annex<MixObjReply>(MixObjReply())
        var size: UInt32 = 0
        let result = annex.withBytes { bytes in
            reply.withMutableBytes { replyBytes in
                nucleus.ipcCall(
                    source.load(ordering: .relaxed), &destination, K_FUNCMODE, bytes, nil, 0, replyBytes, nil, &size,
                    0, K_NOTIMEOUT)
            }
        }
        guard result >= 0 else { return .unknown }
        guard reply.value.diag >= 0 else { return .refused(reply.value.diag) }
        let value = reply.value.value
        return .state(
            GroupState(orphaned: value.0 != 0, ignores: value.1 != 0, session: Int32(truncatingIfNeeded: value.2)))
    }
}
