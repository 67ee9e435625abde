import ActorKit
import CChorus
import CDriverGuard
import CMiXDriver
import CMiXFile
import Glibc
import SimulatedBus

/// The other instance of this object: a host process with one driver's code, and nothing else of the home. It may do nothing
/// to anybody but by asking the home (mix/mixDriverHost.h).
final class HostActor: @unchecked Sendable {
    // Sendable: constants, and instances behind the lock.
    let nucleus: Nucleus
    let image: DriverImage
    let timeouts: Timeouts
    private let sweeper: Sweeper
    private let home: KnUniqueId
    private let lock = Lock()
    private var instances: [UInt64: HostInstance] = [:]
    private var lastName: UInt64 = 0

    /// Threads that receive. More than one, since one may wait for an instance that is at work.
    private static let receivers = 4

    /// Joins the home, and serves it. K_OK, or why not, which the home has been told in words.
    static func main(_ nucleus: Nucleus, home: UInt64, path: String) -> Int32 {
        let home = uniqueId(home)
        do throws(DriverImage.Problem) {
            return HostActor(nucleus, home, try DriverImage(path)).serve()
        } catch {
            var request = MixObjRequest()
            request.op = HOST_FAULT
            _ = ask(nucleus, home, request, body: Array(error.description.utf8) + [0])
            return K_EINVAL
        }
    }

    private init(_ nucleus: Nucleus, _ home: KnUniqueId, _ image: DriverImage) {
        self.nucleus = nucleus
        self.home = home
        self.image = image
        timeouts = Timeouts(nucleus: nucleus)
        sweeper = Sweeper(nucleus: nucleus)
    }

    private func serve() -> Int32 {
        var (requests, watch) = (KnUniqueId(), KnUniqueId())
        let port = nucleus.portCreate(nil, &requests)
        let watched = nucleus.portCreate(nil, &watch)
        guard port > 0, watched > 0 else { return K_ENOMEM }
        sweeper.begin()
        for _ in 0..<Self.receivers {
            guard nucleus.startThread("drv-host", { [self] in receive(port) }) else { return K_ENOMEM }
        }
        // Each is told by a call that is never answered when the other is gone.
        let started =
            nucleus.startThread("drv-life") { [nucleus] in
                var (head, annex, size) = (KnMsgHead(), Annex(MixObjRequest()), UInt32(0))
                _ = annex.withMutableBytes { nucleus.ipcReceive(watched, &head, $0, nil, &size, K_NOTIMEOUT) }
                while true { nucleus.threadDelay(.max) }
            }
            && nucleus.startThread("drv-home") { [self] in
                var request = MixObjRequest()
                request.op = HOST_WATCH
                _ = ask(request, delay: K_NOTIMEOUT)
                _exit(0)
            }
        guard started else { return K_ENOMEM }
        var driver = MixHostDriver()
        copyText(image.name, &driver.name)
        let matches = image.matches.prefix(Int(MIX_HOST_MATCHES))
        driver.matchCount = UInt32(matches.count)
        withUnsafeMutableBytes(of: &driver.match) { bytes in
            for (index, match) in matches.enumerated() {
                var entry = MixHostMatch(model: MixHostMatch().model, id: match.id, pad: 0)
                copyText(match.model, &entry.model)
                bytes.storeBytes(
                    of: entry, toByteOffset: index * MemoryLayout<MixHostMatch>.stride, as: MixHostMatch.self)
            }
        }
        var request = MixObjRequest()
        request.op = HOST_JOIN
        request.arg.0 = UInt64(requests.uiHead) << 32 | UInt64(requests.uiTail)
        request.arg.1 = UInt64(watch.uiHead) << 32 | UInt64(watch.uiTail)
        let joined = withUnsafeBytes(of: driver) { ask(request, body: $0).diag }
        return joined == 0 ? K_OK : K_EINVAL
    }

    // MARK: asking the home

    func ask(_ request: MixObjRequest, body: some Collection<UInt8>, delay: Int32 = 30_000) -> MixObjReply {
        body.withContiguousStorageIfAvailable {
            Self.ask(nucleus, home, request, bytes: UnsafeRawBufferPointer($0), delay: delay)
        } ?? Self.ask(nucleus, home, request, body: Array(body), delay: delay)
    }

    func ask(_ request: MixObjRequest, delay: Int32 = 30_000) -> MixObjReply {
        Self.ask(nucleus, home, request, bytes: UnsafeRawBufferPointer(start: nil, count: 0), delay: delay)
    }

    private static func ask(
        _ nucleus: Nucleus, _ home: KnUniqueId, _ request: MixObjRequest, body: [UInt8], delay: Int32 = 30_000
    ) -> MixObjReply {
        body.withUnsafeBytes { ask(nucleus, home, request, bytes: $0, delay: delay) }
    }

    private static func ask(
        _ nucleus: Nucleus, _ home: KnUniqueId, _ request: MixObjRequest, bytes: UnsafeRawBufferPointer, delay: Int32
    ) -> MixObjReply {
        var destination = KnIpcDest(target: home, coTarget: KnUniqueId())
        let annex = Annex(request)
        var reply = Annex(MixObjReply())
        var size: UInt32 = 0
        let code = annex.withBytes { annexBytes in
            reply.withMutableBytes { replyBytes in
                nucleus.ipcCall(
                    K_DEFAULTPORT, &destination, K_FUNCMODE, annexBytes, bytes.baseAddress, UInt32(bytes.count),
                    replyBytes, nil, &size, 0, delay)
            }
        }
        if code >= 0 { return reply.value }
        var failed = MixObjReply()
        failed.diag = Int64(DRV_EIO)
        return failed
    }

    /// The driver cannot go on: the home is told what happened, and the process ends.
    func end(_ instance: HostInstance, _ what: String) -> Never {
        var request = MixObjRequest()
        request.op = HOST_FAULT
        request.arg.0 = instance.id
        _ = ask(request, body: Array(what.utf8) + [0], delay: 2000)
        _exit(1)
    }

    func newName() -> UInt64 {
        lock.with {
            lastName += 1
            return lastName
        }
    }

    // MARK: being asked

    private func receive(_ port: KnPortLid) {
        let capacity = Int(K_CMSGSIZEMAX)
        // Of pages that are only there when they are used.
        let body = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 4096)
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 4096)
        while true {
            var (head, annex, size) = (KnMsgHead(), Annex(MixObjRequest()), UInt32(capacity))
            let received = annex.withMutableBytes {
                nucleus.ipcReceive(port, &head, $0, body.baseAddress, &size, K_NOTIMEOUT)
            }
            if received == K_EABORT { continue }
            guard received > 0 else { return }
            var reply = MixObjReply()
            var replied = 0
            reply.diag = Int64(
                serve(annex.value, UnsafeRawBufferPointer(rebasing: body[..<Int(size)]), &reply, room, &replied))
            guard head.transId != 0 else { continue }
            Annex(reply).withBytes { _ = nucleus.ipcReply($0, room.baseAddress, UInt32(replied)) }
        }
    }

    private func serve(
        _ request: MixObjRequest, _ body: UnsafeRawBufferPointer, _ reply: inout MixObjReply,
        _ room: UnsafeMutableRawBufferPointer, _ replied: inout Int
    ) -> Int32 {
        let id = request.arg.0
        if request.op == HOSTED_START {
            let instance = HostInstance(self, id, body)
            lock.with { instances[id] = instance }
            let result = instance.start()
            if result < 0 { lock.with { instances[id] = nil } }
            return result
        }
        guard let instance = lock.with({ instances[id] }) else { return DRV_ENODEV }
        switch request.op {
        case HOSTED_STOP:
            let result = instance.stop()
            if result >= 0 { lock.with { instances[id] = nil } }
            return result
        case HOSTED_EVENT: return instance.event(request.flags)
        case HOSTED_INTERRUPT: return instance.interrupt(request.arg.1)
        default: return instance.use(request, body, &reply, room, &replied)
        }
    }
}
