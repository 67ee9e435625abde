import ActorKit
import CChorus
import CMiXDevice
import CMiXFile
import Synchronization

/// One instance of the server: its port, its devices and what they share.
final class DeviceManager: Sendable {
    let nucleus: Nucleus
    let effects: EffectSink
    let timer: ReadTimer
    let console: HostConsole
    let streams: [HostStream?]  // host descriptors 0, 1, 2 where they are no terminal
    let terminals = Mutex(TerminalTable())
    let attached = Mutex(AttachedTable())
    let connection = Mutex(Connection())
    /// The messages of an export under way, and what is to go on if nobody takes over.
    let export = Mutex(Export())
    private let isResting = Atomic<Bool>(false)

    struct Connection {
        var port: KnPortLid = 0
        var portName = KnUniqueId(uiHead: 0, uiTail: 0)
        var group = KnCap()
        var groupName = KnUniqueId(uiHead: 0, uiTail: 0)
    }

    init(nucleus: Nucleus, hostDescriptors: [Int32]) {
        self.nucleus = nucleus
        let effects = EffectSink(nucleus: nucleus)
        self.effects = effects
        let threads = ServerThreads(nucleus: nucleus)
        timer = ReadTimer(nucleus: nucleus, threads: threads)
        console = HostConsole(descriptors: hostDescriptors, effects: effects, threads: threads, timer: timer)
        streams = HostStream.make(descriptors: hostDescriptors, effects: effects, threads: threads)
        let terminal = console.terminal
        terminals.withLock { $0.add(terminal) }
    }

    /// Port, handler and group; on failure everything made so far is undone.
    func connect(stamp: UInt32) -> Int32 {
        var made = Connection()
        made.port = nucleus.portCreate(nil, &made.portName)
        guard made.port > 0 else { return made.port < 0 ? made.port : K_ENOMEM }
        var result = nucleus.svMsgHandler(
            made.port,
            { cookie, head, annex, body, bodySize, replyAnnex, replyBody, replySize in
                guard let cookie, let annex, let replyAnnex, let replySize else { return K_EINVAL }
                return Unmanaged<DeviceManager>.fromOpaque(cookie)._withUnsafeGuaranteedRef {
                    $0.handle(
                        annex.assumingMemoryBound(to: MixObjRequest.self),
                        UnsafeRawBufferPointer(start: body, count: body == nil ? 0 : Int(bodySize)),
                        replyAnnex.assumingMemoryBound(to: MixObjReply.self),
                        UnsafeMutableRawBufferPointer(
                            start: replyBody, count: replyBody == nil ? 0 : Int(replySize.pointee)),
                        replySize)
                }
            }, Unmanaged.passUnretained(self).toOpaque())
        if result >= 0 { result = nucleus.grpAllocate(K_STATSYS, &made.group, stamp) }
        if result >= 0 { result = nucleus.grpPortInsert(&made.group, &made.portName) }
        if result >= 0 { result = nucleus.grpName(stamp, &made.groupName) }
        guard result >= 0 else {
            _ = nucleus.svMsgHandler(made.port, nil, nil)
            nucleus.portDelete(nil, made.port)
            return result
        }
        effects.setSource(made.port)
        connection.withLock { $0 = made }
        return K_OK
    }

    /// Closes the gate, drains, ends the threads. False where a thread did not come back.
    func disconnect() -> Bool {
        var made = connection.withLock { connection in
            let made = connection
            connection = Connection()
            return made
        }
        if made.port > 0 {
            nucleus.grpPortRemove(&made.group, &made.portName)
            _ = nucleus.svMsgHandler(made.port, nil, nil)
            nucleus.portDelete(nil, made.port)
        }
        var ended = timer.shutdown()
        ended = console.shutdown() && ended
        for case let stream? in streams { ended = stream.shutdown() && ended }
        return ended
    }

    func setResting(_ resting: Bool) -> Bool { isResting.exchange(resting, ordering: .acquiringAndReleasing) }

    /// The entry of every request: never blocks, answers -EAGAIN for what must wait.
    @inline(__always)
    private func handle(
        _ request: UnsafePointer<MixObjRequest>, _ body: UnsafeRawBufferPointer,
        _ reply: UnsafeMutablePointer<MixObjReply>, _ room: UnsafeMutableRawBufferPointer,
        _ replySize: UnsafeMutablePointer<UInt32>
    ) -> Int32 {
        if isResting.load(ordering: .relaxed) { goOn() }
        reply.initialize(to: MixObjReply())
        replySize.pointee = 0
        var exchange = Exchange(request: request, body: body, reply: reply, room: room)
        let diag = serve(&exchange)
        reply.pointee.diag = diag
        replySize.pointee = UInt32(truncatingIfNeeded: exchange.replied)
        return K_OK
    }
}
