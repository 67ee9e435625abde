import ActorKit
import CChorus
import CMiXFile
import CMiXSocket

/// One instance of the server: its port, its sockets, and the names they go by.
final class SocketManager: Sendable {
    let nucleus: Nucleus
    let sockets = SocketTable()
    let unixNames = UnixNames()
    let ports = PortSpace()
    private let connection = Guarded(Connection())
    /// Tells one start of the server from the next.
    let seed: UInt64

    private struct Connection {
        var port: KnPortLid = 0
        var portName = KnUniqueId()
        var group = KnCap()
    }

    init(nucleus: Nucleus) {
        self.nucleus = nucleus
        var seed: UInt64 = 0
        withUnsafeMutableBytes(of: &seed) { _ = nucleus.sysRandom($0.baseAddress, UInt32($0.count)) }
        self.seed = seed
    }

    /// Port, handler and group; on failure everything made so far is undone.
    func connect(stamp: UInt32) -> Int32 {
        var made = Connection()
        made.port = nucleus.portCreate(nil, &made.portName)
        guard made.port > 0 else { return made.port < 0 ? made.port : K_ENOMEM }
        var result = nucleus.svMsgHandler(made.port, socketMessage, Unmanaged.passUnretained(self).toOpaque())
        if result >= 0 { result = nucleus.grpAllocate(K_STATSYS, &made.group, stamp) }
        if result >= 0 { result = nucleus.grpPortInsert(&made.group, &made.portName) }
        guard result >= 0 else {
            _ = nucleus.svMsgHandler(made.port, nil, nil)
            nucleus.portDelete(nil, made.port)
            return result
        }
        connection.withLock { $0 = made }
        return K_OK
    }

    func disconnect() {
        var made = connection.withLock { connection in
            defer { connection = Connection() }
            return connection
        }
        guard made.port > 0 else { return }
        nucleus.grpPortRemove(&made.group, &made.portName)
        _ = nucleus.svMsgHandler(made.port, nil, nil)
        nucleus.portDelete(nil, made.port)
        sockets.removeAll()
    }

    /// Tells the Process Manager that nobody will receive these descriptors. Called without locks.
    func drop(_ rights: [MixSocketRight]) {
        if rights.isEmpty { return }
        var target = KnUniqueId()
        let port = connection.withLock { $0.port }
        guard port > 0, nucleus.grpName(K_STAMP_PROCESS, &target) >= 0 else { return }
        var destination = KnIpcDest(target: target, coTarget: KnUniqueId())
        var request = MixObjRequest()
        request.op = UInt32(PROC_RIGHTS_DROP)
        let annex = Annex(request)
        rights.map(\.token).withUnsafeBytes { tokens in
            annex.withBytes {
                _ = nucleus.ipcSend(port, &destination, K_FUNCMODE, $0, tokens.baseAddress, UInt32(tokens.count))
            }
        }
    }

    /// Posts events and drops descriptors that a change of state has led to. Called without locks.
    func carryOut(_ effects: Effects) {
        nucleus.post(effects.postings)
        drop(effects.dropped)
    }
}

/// What a change of a socket's state leads to, gathered under its lock and done behind it.
struct Effects {
    var postings: [WatchList.Posting] = []
    var dropped: [MixSocketRight] = []
}

private let socketMessage: KnMsgHdl = { cookie, _, annex, body, bodySize, replyAnnex, replyBody, replySize in
    guard let cookie, let annex, let replyAnnex, let replySize else { return K_EINVAL }
    return Unmanaged<SocketManager>.fromOpaque(cookie)._withUnsafeGuaranteedRef { manager in
        var exchange = Exchange(
            request: annex.loadUnaligned(as: MixObjRequest.self),
            body: UnsafeRawBufferPointer(start: body, count: body == nil ? 0 : Int(bodySize)),
            room: UnsafeMutableRawBufferPointer(start: replyBody, count: replyBody == nil ? 0 : Int(replySize.pointee)))
        do throws(Errno) {
            exchange.reply.diag = try manager.serve(&exchange)
        } catch {
            exchange.reply.diag = error.diag
            exchange.replied = 0
        }
        replyAnnex.storeBytes(of: exchange.reply, as: MixObjReply.self)
        replySize.pointee = UInt32(truncatingIfNeeded: exchange.replied)
        return K_OK
    }
}
