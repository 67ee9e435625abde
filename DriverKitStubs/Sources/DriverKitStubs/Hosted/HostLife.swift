import ActorKit
import CChorus
import CDriverGuard
import CMiXDriver
import CMiXFile
import Glibc
import SimulatedBus

/// One host process of a driver, from its start to its death: a port that it asks, and the two of its own that it is asked by.
final class HostLife: @unchecked Sendable {
    // Sendable: constants, and state behind the lock.
    let server: DriverServer
    let path: String
    private let lock = Lock()
    private var state = State()
    /// Signalled when it is over.
    private let over: SemaphoreHandle

    private struct State {
        var port: KnPortLid = 0
        var cap = KnCap()
        var hostPid: Int32 = 0
        var requests = KnUniqueId()
        var watch = KnUniqueId()
        var driver: (name: String, matches: [DriverMatch])?
        var instances: [UInt64: HostedInstance] = [:]
        var fault: String?
        var isOver = false
    }

    /// Milliseconds that an answer may take: the host itself cuts its driver off after two seconds.
    static let patience: Int32 = 4000

    init(_ path: String, _ server: DriverServer) {
        self.path = path
        self.server = server
        over = SemaphoreHandle(server.nucleus)
    }

    var driver: (name: String, matches: [DriverMatch])? { lock.with { state.driver } }
    var hostPid: Int32 { lock.with { state.isOver ? 0 : state.hostPid } }
    var isOver: Bool { lock.with { state.isOver } }
    /// What the host said of its end, or that it said nothing.
    var epitaph: String { lock.with { state.fault ?? "its host process \(state.hostPid) died" } }

    // MARK: beginning and end

    /// Starts the process and has it open the driver's object; why it cannot otherwise.
    func begin() -> DriverObject.Problem? {
        let nucleus = server.nucleus
        var name = KnUniqueId()
        let port = nucleus.portCreate(nil, &name)
        guard port > 0 else { return .init(code: ENOMEM, description: "no port for a driver's host") }
        lock.with { state.port = port }
        // Released when the port is gone.
        _ = nucleus.svMsgHandler(port, hostMessage, Unmanaged.passRetained(self).toOpaque())
        guard let own = drv_own_path() else { return .init(code: ENOENT, description: "no file of the home's own") }
        let file = path.split(separator: "/").last.map(String.init) ?? path
        let stem = file.hasSuffix(".so") ? String(file.dropLast(3)) : file
        let made = ActorManagerClient(nucleus: nucleus).load(
            String("driver-\(stem)".prefix(31)), object: String(cString: own),
            options: "home=\(UInt64(name.uiHead) << 32 | UInt64(name.uiTail))\nobject=\(path)\n")
        switch made {
        case .failure(let refusal):
            let said = lock.with { state.fault }
            end()
            return .init(code: ENOEXEC, description: said ?? "\(file): \(refusal.why)")
        case .success(let actor):
            lock.with { (state.cap, state.hostPid) = (actor.cap, actor.hostPid) }
            guard driver != nil else {
                end()
                return .init(code: EIO, description: "\(file): its host has not said what it drives")
            }
            return nil
        }
    }

    /// Returns when the host is gone.
    func waitForEnd() {
        let watch = lock.with { state.watch }
        var request = MixObjRequest()
        request.op = HOSTED_WATCH
        _ = send(request, to: watch, delay: K_NOTIMEOUT)
        lock.with { state.isOver = true }
    }

    /// The process is killed, whatever it does. Idempotent.
    func end() {
        let (port, cap) = lock.with { () -> (KnPortLid, KnCap) in
            state.isOver = true
            defer { (state.port, state.cap) = (0, KnCap()) }
            return (state.port, state.cap)
        }
        if cap.ui.uiHead | cap.ui.uiTail != 0 { ActorManagerClient(nucleus: server.nucleus).unload(cap) }
        guard port > 0 else { return }
        over.signal()
        _ = server.nucleus.svMsgHandler(port, nil, nil)
        server.nucleus.portDelete(nil, port)
        Unmanaged.passUnretained(self).release()
    }

    // MARK: what the host says of itself

    func join(_ request: MixObjRequest, _ driver: MixHostDriver) -> Int64 {
        let name = fieldString(driver.name)
        guard DriverImage.isName(name) else { return Int64(DRV_EINVAL) }
        let matches = withUnsafeBytes(of: driver.match) { bytes in
            bytes.bindMemory(to: MixHostMatch.self).prefix(Int(min(driver.matchCount, MIX_HOST_MATCHES))).map {
                DriverMatch(model: fieldString($0.model), id: $0.id)
            }
        }
        return lock.with {
            guard state.driver == nil else { return Int64(DRV_EBUSY) }
            state.driver = (name, matches)
            (state.requests, state.watch) = (uniqueId(request.arg.0), uniqueId(request.arg.1))
            return 0
        }
    }

    func fault(_ text: String) { lock.with { if state.fault == nil { state.fault = String(text.prefix(200)) } } }
    func waitUntilOver() {
        _ = over.wait(milliseconds: K_NOTIMEOUT)
        over.signal()  // for the next who waits
    }

    func enter(_ instance: HostedInstance) { lock.with { state.instances[instance.id] = instance } }
    func leave(_ instance: HostedInstance) { lock.with { state.instances[instance.id] = nil } }
    func instance(_ id: UInt64) -> HostedInstance? { lock.with { state.instances[id] } }

    // MARK: what it is asked

    struct Outcome {
        var diag: Int64
        var reply = MixObjReply()
        var replied = 0
        /// There is nobody to answer any more.
        var isDead = false

        /// A result of the driver.
        var result: Int32 { Int32(clamping: diag) }
        static let dead = Outcome(diag: Int64(DRV_EIO), isDead: true)
    }

    func ask(
        _ request: MixObjRequest, body: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0),
        room: UnsafeMutableRawBufferPointer = UnsafeMutableRawBufferPointer(start: nil, count: 0),
        delay: Int32 = patience
    ) -> Outcome {
        let (target, isOver) = lock.with { (state.requests, state.isOver) }
        if isOver { return .dead }
        let outcome = send(request, to: target, body: body, room: room, delay: delay)
        if outcome.diag == Int64(DRV_ETIMEOUT), outcome.isDead {
            fail("does not answer: its host process is ended")
        }
        return outcome
    }

    /// The process is killed, and its death is noticed as any other.
    func fail(_ what: String) {
        fault(what)
        ActorManagerClient(nucleus: server.nucleus).unload(lock.with { state.cap })
    }

    private func send(
        _ request: MixObjRequest, to target: KnUniqueId,
        body: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0),
        room: UnsafeMutableRawBufferPointer = UnsafeMutableRawBufferPointer(start: nil, count: 0), delay: Int32
    ) -> Outcome {
        var destination = KnIpcDest(target: target, coTarget: KnUniqueId())
        let annex = Annex(request)
        var reply = Annex(MixObjReply())
        var size = UInt32(room.count)
        let code = annex.withBytes { bytes in
            reply.withMutableBytes { replyBytes in
                server.nucleus.ipcCall(
                    K_DEFAULTPORT, &destination, K_FUNCMODE, bytes, body.baseAddress, UInt32(body.count), replyBytes,
                    room.baseAddress, &size, 0, delay)
            }
        }
        switch code {
        case 0...:
            return Outcome(diag: reply.value.diag, reply: reply.value, replied: min(Int(size), room.count))
        case K_EFULL: return Outcome(diag: Int64(DRV_EAGAIN))
        case K_ETIMEOUT: return Outcome(diag: Int64(DRV_ETIMEOUT), isDead: true)
        case K_ETOOBIG, K_EABORT: return Outcome(diag: Int64(DRV_EIO))
        default: return .dead
        }
    }

    /// Does not wait, and does not learn.
    func tell(_ request: MixObjRequest) {
        let (target, isOver) = lock.with { (state.requests, state.isOver) }
        if isOver { return }
        var destination = KnIpcDest(target: target, coTarget: KnUniqueId())
        Annex(request).withBytes { bytes in
            _ = server.nucleus.ipcSend(K_DEFAULTPORT, &destination, K_FUNCMODE, bytes, nil, 0)
        }
    }
}

func uniqueId(_ word: UInt64) -> KnUniqueId {
    KnUniqueId(uiHead: UInt32(word >> 32), uiTail: UInt32(truncatingIfNeeded: word))
}

/// Text in a fixed C field.
func fieldString<Field>(_ field: Field) -> String {
    withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}
