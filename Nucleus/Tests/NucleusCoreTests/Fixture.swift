import ActorKit
import CChorus
import Glibc
import MachineLinux
import Synchronization

@testable import NucleusCore

/// A site with nobody on it. `close` it at the end: its nucleus threads hold it.
final class Bench: Sendable {
    let host = LinuxHost()
    let site: Site

    init(number: UInt32 = 7, secret: (UInt64, UInt64)? = (1, 2)) {
        site = Site(host: host, number: number, secret: secret)
    }

    func actor(_ name: String = "actor", _ privilege: Int32 = K_SUPACTOR, system: Bool = false) -> Actor {
        site.createActor(name: name, privilege: privilege, system: system)
    }

    /// Runs `body` on a host thread of its own.
    func start(_ body: @escaping @Sendable () -> Int32) -> Job {
        let job = Job(host)
        let code = host.startThread(name: "test", stackSize: 0) { job.finish(body()) }
        precondition(code >= 0)
        return job
    }

    /// Until a thread of `actor` blocks in `call`.
    func untilBlocked(_ actor: Actor, _ call: String, count: Int = 1) -> Bool {
        eventually { self.site.threads.all.count { $0.actor === actor && $0.blockedOn == call } >= count }
    }

    deinit { site.close() }
}

final class Job: @unchecked Sendable {
    // Sendable: the result is written before the word.
    private let host: LinuxHost
    private let word = UnsafeMutablePointer<Atomic<UInt32>>.allocate(capacity: 1)
    private var value: Int32 = 0

    init(_ host: LinuxHost) {
        self.host = host
        word.initialize(to: Atomic(0))
    }

    func finish(_ result: Int32) {
        value = result
        word.pointee.store(1, ordering: .releasing)
        host.wake(UnsafeMutableRawPointer(word).assumingMemoryBound(to: UInt32.self), Int32.max)
    }

    var isDone: Bool { word.pointee.load(ordering: .acquiring) != 0 }

    func result() -> Int32 {
        let futex = UnsafeMutableRawPointer(word).assumingMemoryBound(to: UInt32.self)
        while !isDone { _ = host.wait(futex, 0, deadline: nil) }
        return value
    }
}

/// Polls with a limit far beyond what a slow machine needs.
func eventually(_ condition: () -> Bool) -> Bool {
    for _ in 0..<20_000 {
        if condition() { return true }
        usleep(500)
    }
    return false
}

extension Actor {
    var nucleus: Nucleus { Nucleus(table) }
}

extension Nucleus {
    func newPort() -> (li: KnPortLid, ui: KnUniqueId) {
        var ui = KnUniqueId()
        let li = portCreate(nil, &ui)
        return (li, ui)
    }

    /// Request and reply are the same bytes' worth: what a test of IPC mostly needs.
    func call(
        _ target: KnUniqueId, _ text: String = "", mode: UInt32 = K_FUNCMODE, flags: UInt32 = 0, delay: Int32 = -1,
        coTarget: KnUniqueId = KnUniqueId(), capacity: UInt32 = 256
    ) -> (code: Int32, reply: String) {
        var dest = KnIpcDest(target: target, coTarget: coTarget)
        let body = Array(text.utf8)
        var reply = [UInt8](repeating: 0, count: Int(capacity) + 1)
        var size = capacity
        let code = ipcCall(0, &dest, mode, nil, body, UInt32(body.count), nil, &reply, &size, flags, delay)
        return (code, code == K_OK ? String(decoding: reply.prefix(Int(size)), as: UTF8.self) : "")
    }

    func send(_ target: KnUniqueId, _ text: String, mode: UInt32 = K_FUNCMODE) -> Int32 {
        var dest = KnIpcDest(target: target, coTarget: KnUniqueId())
        let body = Array(text.utf8)
        return ipcSend(0, &dest, mode, nil, body, UInt32(body.count))
    }

    func receive(_ port: KnPortLid, delay: Int32 = -1) -> (code: Int32, text: String, head: KnMsgHead) {
        var head = KnMsgHead()
        var bytes = [UInt8](repeating: 0, count: 4096)
        var size = UInt32(bytes.count)
        let code = ipcReceive(port, &head, nil, &bytes, &size, delay)
        return (code, code >= 0 ? String(decoding: bytes.prefix(Int(size)), as: UTF8.self) : "", head)
    }

    func reply(_ text: String) -> Int32 {
        let bytes = Array(text.utf8)
        return ipcReply(nil, bytes, UInt32(bytes.count))
    }

    func newEvent(_ cookie: UnsafeMutableRawPointer?, _ handler: @escaping KnEvtHdl) -> KnCap {
        var cap = KnCap()
        _ = eventCreate(handler, cookie, &cap)
        return cap
    }
}

extension Bench {
    /// A thread of `actor` that serves `port` by queue, answering with `prefix` + what it got, until an error.
    func serve(_ actor: Actor, _ port: KnPortLid, _ prefix: String) -> Job {
        start {
            let nucleus = actor.nucleus
            while true {
                let got = nucleus.receive(port)
                if got.code < 0 { return got.code }
                if got.head.transId != 0 { _ = nucleus.reply(prefix + got.text) }
            }
        }
    }
}

/// What a handler saw, and how it should behave.
final class Probe: @unchecked Sendable {
    // Sendable: locked, or set up before the handler is connected.
    struct Seen {
        var texts: [String] = []
        var heads: [KnMsgHead] = []
        var threads: [pthread_t] = []
    }
    let seen = Mutex(Seen())
    let inside = Atomic<Int>(0)
    var action: (@Sendable (Probe) -> Int32)?
    var cookie: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    var texts: [String] { seen.withLock { $0.texts } }

    /// Answers with "<" + body + ">".
    static let handler: KnMsgHdl = { cookie, head, annex, body, size, replyAnnex, replyBody, replySize in
        guard let cookie, let head, let body, let replySize else { return K_EFAULT }
        let probe = Unmanaged<Probe>.fromOpaque(cookie).takeUnretainedValue()
        let text = String(decoding: UnsafeRawBufferPointer(start: body, count: Int(size)), as: UTF8.self)
        probe.seen.withLock {
            $0.texts.append(text)
            $0.heads.append(head.pointee)
            $0.threads.append(pthread_self())
        }
        probe.inside.wrappingAdd(1, ordering: .sequentiallyConsistent)
        defer { probe.inside.wrappingSubtract(1, ordering: .sequentiallyConsistent) }
        if let action = probe.action {
            let code = action(probe)
            if code < 0 { return code }
        }
        let answer = Array("<\(text)>".utf8)
        if let replyBody, answer.count <= Int(replySize.pointee) {
            replyBody.copyMemory(from: answer, byteCount: answer.count)
            replySize.pointee = UInt32(answer.count)
        } else {
            replySize.pointee = 0
        }
        return K_OK
    }
}
