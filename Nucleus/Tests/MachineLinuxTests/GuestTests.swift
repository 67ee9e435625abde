import CChorus
import CMachine
import Glibc
import NucleusCore
import Synchronization
import Testing

@testable import MachineLinux

/// Runs a few instructions as a guest and answers their system calls in the test.
final class MiniKernel: @unchecked Sendable {
    // Sendable: counters are atomic, the rest is set up before the guest runs.
    let site: Site
    let guests: LinuxGuests
    let actor: Actor
    var li: KnThreadLid = 0
    let exitCode = Atomic<Int32>(-1)
    let calls = Atomic<Int>(0)
    let faults = Atomic<Int>(0)
    var answer: (@Sendable (MiniKernel, UnsafeMutablePointer<KnTrapFrame>) -> Int32)?

    init?() {
        let host = LinuxHost()
        site = Site(host: host)
        let zygote = getenv("CHORUS_ZYGOTE").map { String(cString: $0) } ?? "/tmp/chorus-zygote"
        guard let guests = LinuxGuests(site: site, zygotePath: zygote, reap: { pid, done in
            Reaper.shared.register(pid) { _, status in done(status) }
        }) else { return nil }
        self.guests = guests
        site.unix = guests
        site.log = { level, line in print("log", level, line) }
        let owner = site.createActor(name: "mini", privilege: K_SUPACTOR)
        actor = site.createActor(name: "guest", privilege: K_UNIXACTOR, creator: owner)
        let me = Unmanaged.passUnretained(self)
        _ = guests.trapConnect(owner, UInt32(K_TRAP_SYSCALL), { cookie, frame in
            guard let cookie, let frame else { return K_EINVAL }
            let me = Unmanaged<MiniKernel>.fromOpaque(cookie).takeUnretainedValue()
            me.calls.wrappingAdd(1, ordering: .relaxed)
            if let answer = me.answer { return answer(me, frame) }
            return me.standard(frame)
        }, me.toOpaque())
        _ = guests.exceptionHandler(owner, { cookie, frame in
            guard let cookie, let frame else { return K_EINVAL }
            let me = Unmanaged<MiniKernel>.fromOpaque(cookie).takeUnretainedValue()
            me.faults.wrappingAdd(1, ordering: .relaxed)
            me.exitCode.store(1000 + frame.pointee.number, ordering: .releasing)
            return K_PARKED
        }, me.toOpaque())
    }

    func standard(_ frame: UnsafeMutablePointer<KnTrapFrame>) -> Int32 {
        switch frame.pointee.number {
        case 39: frame.pointee.result = 4242
        case 60:
            exitCode.store(Int32(truncatingIfNeeded: frame.pointee.args.0), ordering: .releasing)
            return K_PARKED
        default: frame.pointee.result = Int64(-ENOSYS)
        }
        return K_OK
    }

    /// Starts `code` at 0x400000 with a stack page below 0x500000.
    func start(_ code: [UInt8]) -> Bool {
        var start = KnThreadStart()
        start.flags = UInt32(K_START_BLANK)
        guard case .success(let li) = guests.threadCreate(actor, start, from: nil) else { return false }
        self.li = li
        guard let thread = try? site.thread(li) else { return false }
        var text = KnRgnDesc(
            startAddr: 0x400000, size: 4096, options: UInt32(K_READABLE | K_WRITABLE | K_EXECUTABLE), opaque: 0, endAddr: 0)
        guard guests.rgnAllocate(actor, &text) == K_OK else { return false }
        var stack = KnRgnDesc(startAddr: 0x4ff000, size: 4096, options: UInt32(K_READABLE | K_WRITABLE), opaque: 0, endAddr: 0)
        guard guests.rgnAllocate(actor, &stack) == K_OK else { return false }
        let copied = code.withUnsafeBytes { guests.copyOut(thread, $0, 0x400000, deferred: false) }
        guard copied == K_OK else { return false }
        var context = KnThreadCtx()
        context.rip = 0x400000
        context.rsp = 0x500000
        guard guests.threadContext(thread, nil, &context) == K_OK else { return false }
        return guests.trapComplete(thread, 0, context: true) == K_OK
    }

    func wait() -> Int32 {
        for _ in 0..<4000 {
            let code = exitCode.load(ordering: .acquiring)
            if code != -1 { return code }
            usleep(500)
        }
        return -1
    }

    func end() { guests.actorDeleted(actor) }
}

// mov eax,39; syscall; mov edi,eax; mov eax,60; syscall; ud2
private let getpidExit: [UInt8] = [0xb8, 39, 0, 0, 0, 0x0f, 5, 0x89, 0xc7, 0xb8, 60, 0, 0, 0, 0x0f, 5, 0x0f, 0x0b]

@Suite(.serialized) struct GuestTests {
    @Test func aSystemCallIsAnsweredByTheHandler() throws {
        let kernel = try #require(MiniKernel())
        try #require(kernel.start(getpidExit))
        #expect(kernel.wait() == 4242)
        kernel.end()
    }

    @Test func aFaultReachesTheExceptionHandler() throws {
        let kernel = try #require(MiniKernel())
        // mov eax,[0x10]
        try #require(kernel.start([0x8b, 0x04, 0x25, 0x10, 0, 0, 0]))
        #expect(kernel.wait() == 1000 + SIGSEGV)
        kernel.end()
    }

    @Test func registersSurviveManyTraps() throws {
        let kernel = try #require(MiniKernel())
        // mov ebx,100000; l: mov eax,39; syscall; dec ebx; jnz l; mov edi,ebx; mov eax,60; syscall
        let code: [UInt8] = [
            0xbb, 0xa0, 0x86, 1, 0, 0xb8, 39, 0, 0, 0, 0x0f, 5, 0xff, 0xcb, 0x75, 0xf5, 0x89, 0xdf, 0xb8, 60, 0, 0, 0, 0x0f, 5,
        ]
        let begin = kernel.site.host.now()
        try #require(kernel.start(code))
        #expect(kernel.wait() == 0)
        let each = (kernel.site.host.now() - begin) / 100_000
        print("trap: \(each) ns")
        #expect(kernel.calls.load(ordering: .relaxed) == 100_001)
        kernel.end()
    }
}
