import CChorus
import Synchronization

/// A mapper, as all caches of its segments share it. Threads of its own wait for its answers, so that one that is slow
/// holds up nobody else's.
final class Mapper: Sendable {
    let ui: KnUniqueId
    let workers = Workers(name: "kn-mapper", limit: 32)

    init(_ ui: KnUniqueId) { self.ui = ui }
}

/// One request to a mapper. The client waits for the thread that makes the call, and no longer than the site's patience.
final class MapperRequest: WorkItem, @unchecked Sendable {
    // Sendable: the memory belongs to the client before `ask` and once that has succeeded, between to who makes the call.
    private let site: Site
    private let mapper: Mapper
    private let memory: UnsafeMutableRawPointer
    private let bodySize: UInt32
    private let capacity: UInt32
    private var answered: UInt32 = 0
    private let client: Thread
    private let outcome = Mutex<Outcome>(.open)

    private enum Outcome {
        case open, abandoned
        case code(Int32)
    }

    /// `annex`: one of the requests of knMapper.h. At most one of `body` (bytes to send) and `room` is not 0.
    init<Annex: BitwiseCopyable>(_ site: Site, _ mapper: Mapper, _ annex: Annex, body: Int = 0, room: Int = 0) {
        self.site = site
        self.mapper = mapper
        (bodySize, capacity) = (UInt32(body), UInt32(room))
        client = Thread.current(site, in: site.kernel)
        let annexSize = Int(K_CMSGANNEXSIZE)
        memory = .allocate(byteCount: 2 * annexSize + max(body, room), alignment: 16)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: 2 * annexSize)
        memory.storeBytes(of: annex, as: Annex.self)
    }

    deinit { memory.deallocate() }

    private var answer: UnsafeMutableRawPointer { memory + Int(K_CMSGANNEXSIZE) }
    /// The bytes to send, or those that came back and whatever lies behind them.
    var data: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(
            start: memory + 2 * Int(K_CMSGANNEXSIZE), count: Int(max(bodySize, capacity)))
    }
    /// Bytes of data in the answer.
    var returned: Int { Int(answered) }

    /// Asks and waits. The answer has been checked for nothing but its size and its diag.
    func ask<Answer: BitwiseCopyable>(_ type: Answer.Type) throws(KnError) -> Answer {
        client.arm(abortable: false)
        mapper.workers.submit(self, site.kernel)
        let patience = site.mapperPatience.load(ordering: .relaxed)
        let code = client.sleep(
            site.kernel, "mapper", abortable: false,
            deadline: site.host.now() &+ UInt64(patience + Self.grace) * 1_000_000)
        let result = outcome.withLock { outcome -> Int32? in
            if case .code(let code) = outcome { return code }
            outcome = .abandoned
            return nil
        }
        guard let result else {
            if code == K_ETIMEOUT { site.endSilent(mapper) }
            throw KnError(rawValue: code < 0 ? code : K_EABORT)
        }
        guard result >= 0 else { throw KnError(rawValue: result) }
        let (diag, size) = (answer.load(as: Int32.self), answer.load(fromByteOffset: 4, as: UInt32.self))
        // Only codes of the nucleus mean something to who called it.
        if diag < 0 { throw KnError(rawValue: diag <= K_EINVAL && diag >= K_ELINKFAILURE ? diag : K_EHOST) }
        guard diag == 0, size >= UInt32(MemoryLayout<Answer>.size), size <= K_CMSGANNEXSIZE else { throw .garbage }
        return answer.load(as: Answer.self)
    }

    /// What a call may take longer than the patience it was given, in milliseconds: a queue answers in time.
    private static var grace: UInt32 { 500 }

    func run(_ thread: Thread) {
        let request = Request(
            source: K_DEFAULTPORT, dest: KnIpcDest(target: mapper.ui, coTarget: KnUniqueId()), mode: K_FUNCMODE,
            annex: UnsafeRawPointer(memory), body: bodySize > 0 ? UnsafeRawPointer(data.baseAddress) : nil,
            bodySize: bodySize)
        answered = capacity
        let patience = Int32(clamping: site.mapperPatience.load(ordering: .relaxed))
        let code = withUnsafeMutablePointer(to: &answered) { size -> Int32 in
            let place = ReplyPlace(annex: answer, body: capacity > 0 ? data.baseAddress : nil, size: size)
            do throws(KnError) {
                return try site.kernel.ipcCall(request, place, flags: 0, delay: patience)
            } catch { return error.rawValue }
        }
        // Completed under the lock: the client cannot be waiting for something else by then.
        outcome.withLock { outcome in
            guard case .open = outcome else { return }
            outcome = .code(code)
            client.complete(K_OK)
        }
    }
}

extension KnError {
    /// A mapper's answer that makes no sense.
    static var garbage: KnError { .host }
}

extension Site {
    /// A mapper holds a thread of ours in its handler for longer than the site's patience. If it is a server in user
    /// privilege, whose process can be ended without harm to others, that gives the thread back.
    func endSilent(_ mapper: Mapper) {
        let port: Port?
        if mapper.ui.type == .port {
            port = ports.find(mapper.ui.raw) ?? successors.find(mapper.ui.raw)
        } else {
            let members = groups.find(mapper.ui.raw)?.members ?? []
            port = members.count == 1 ? members.first : nil
        }
        guard let port, let actor = port.withRoom({ _, actor in port.connection == .connected ? actor : nil }) ?? nil
        else { return }
        guard actor.guest is any ServerHost, !actor.isDeleted else {
            return report(1, "\(actor.name): a mapper that does not answer")
        }
        report(1, "\(actor.name): a mapper that does not answer, ended")
        // Deleting waits until nobody is inside its handlers.
        _ = host.startThread(name: "kn-bury", stackSize: 0) { [self] in serverDied(actor) }
    }
}
