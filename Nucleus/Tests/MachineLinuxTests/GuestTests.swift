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
        let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let zygote = getenv("CHORUS_ZYGOTE").map { String(cString: $0) } ?? "/\(root)/build/lib/chorus-zygote"
        guard let guests = LinuxGuests(site: site, zygotePath: zygote) else { return nil }
        self.guests = guests
        site.unix = guests
        site.log = { level, line in print("log", level, line) }
        let owner = site.createActor(name: "mini", privilege: K_SUPACTOR)
        actor = site.createActor(name: "guest", privilege: K_UNIXACTOR, creator: owner)
        let me = Unmanaged.passUnretained(self)
        _ = guests.trapConnect(
            owner, UInt32(K_TRAP_SYSCALL),
            { cookie, frame in
                guard let cookie, let frame else { return K_EINVAL }
                let me = Unmanaged<MiniKernel>.fromOpaque(cookie).takeUnretainedValue()
                me.calls.wrappingAdd(1, ordering: .relaxed)
                if let answer = me.answer { return answer(me, frame) }
                return me.standard(frame)
            }, me.toOpaque())
        _ = guests.exceptionHandler(
            owner,
            { cookie, frame in
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
            startAddr: 0x400000, size: 4096, options: UInt32(K_READABLE | K_WRITABLE | K_EXECUTABLE), opaque: 0,
            endAddr: 0)
        guard guests.rgnAllocate(actor, &text) == K_OK else { return false }
        var stack = KnRgnDesc(
            startAddr: 0x4ff000, size: 4096, options: UInt32(K_READABLE | K_WRITABLE), opaque: 0, endAddr: 0)
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
        for _ in 0..<40_000 {
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

    @Test func aForkedGuestRunsOnItsOwnCopy() throws {
        let kernel = try #require(MiniKernel())
        let child = Atomic<Int32>(-1)
        kernel.answer = { kernel, frame in
            guard frame.pointee.number == 57 else {
                let code = Int32(truncatingIfNeeded: frame.pointee.args.0)
                if frame.pointee.thread == kernel.li {
                    kernel.exitCode.store(code, ordering: .releasing)
                } else {
                    child.store(code, ordering: .releasing)
                }
                return K_PARKED
            }
            let other = kernel.site.createActor(name: "child", privilege: K_UNIXACTOR, creator: kernel.actor.creator)
            guard kernel.guests.rgnDup(other, kernel.actor, UInt32(K_RGNDUP_COPY)) == K_OK else { return K_OK }
            let source = try? kernel.site.thread(frame.pointee.thread)
            guard case .success(let li) = kernel.guests.threadCreate(other, KnThreadStart(), from: source),
                let thread = try? kernel.site.thread(li)
            else { return K_OK }
            _ = kernel.guests.trapComplete(thread, 0, context: false)
            frame.pointee.result = 77
            return K_OK
        }
        // mov ecx.. : mov byte [0x4ff000],1; mov eax,57; syscall; test eax,eax; jz child; (parent) spin: cmp byte [0x4ff000],1
        // mov edi,eax; mov eax,60; syscall; child: mov byte [0x4ff000],2; movzx edi,byte [0x4ff000]; mov eax,60; syscall
        let code: [UInt8] = [
            0xc6, 0x04, 0x25, 0, 0xf0, 0x4f, 0, 1, 0xb8, 57, 0, 0, 0, 0x0f, 5, 0x85, 0xc0, 0x74, 0x11, 0x0f, 0xb6, 0x3c,
            0x25,
            0, 0xf0, 0x4f, 0, 0x01, 0xc7, 0xb8, 60, 0, 0, 0, 0x0f, 5, 0xc6, 0x04, 0x25, 0, 0xf0, 0x4f, 0, 2, 0x0f, 0xb6,
            0x3c,
            0x25, 0, 0xf0, 0x4f, 0, 0xb8, 60, 0, 0, 0, 0x0f, 5,
        ]
        try #require(kernel.start(code))
        #expect(kernel.wait() == 78)
        for _ in 0..<40_000 where child.load(ordering: .acquiring) == -1 { usleep(500) }
        #expect(child.load(ordering: .acquiring) == 2)
        for actor in kernel.site.allActors where actor.isUnix { kernel.site.deleteActor(actor) }
    }

    @Test func anAbortReachesARunningGuest() throws {
        let kernel = try #require(MiniKernel())
        let me = Unmanaged.passUnretained(kernel).toOpaque()
        _ = kernel.guests.abortHandler(
            kernel.actor,
            { cookie, li, _ in
                guard let cookie else { return K_EINVAL }
                let kernel = Unmanaged<MiniKernel>.fromOpaque(cookie).takeUnretainedValue()
                guard let thread = try? kernel.site.thread(li) else { return K_EINVAL }
                var context = KnThreadCtx()
                guard kernel.guests.threadContext(thread, &context, nil) == K_OK else { return K_EINVAL }
                context.rip += 2  // behind the endless jump
                context.rdi = 5
                guard kernel.guests.threadContext(thread, nil, &context) == K_OK else { return K_EINVAL }
                return K_CONTEXT
            }, me)
        // jmp .; mov eax,60; syscall
        try #require(kernel.start([0xeb, 0xfe, 0xb8, 60, 0, 0, 0, 0x0f, 5]))
        usleep(20_000)
        let thread = try kernel.site.thread(kernel.li)
        #expect(kernel.guests.threadAbort(thread) == K_OK)
        #expect(kernel.wait() == 5)
        kernel.end()
    }

    private func standing(_ kernel: MiniKernel, _ thread: Thread, _ wanted: Int32) -> Bool {
        for _ in 0..<40_000 {
            if kernel.guests.threadStanding(thread) == wanted { return true }
            usleep(500)
        }
        return false
    }

    @Test func aSuspendedGuestIsHeldUntilNobodySuspendsIt() throws {
        let kernel = try #require(MiniKernel())
        // l: mov eax,39; syscall; jmp l
        try #require(kernel.start([0xb8, 39, 0, 0, 0, 0x0f, 5, 0xeb, 0xf7]))
        let thread = try kernel.site.thread(kernel.li)
        func calls() -> Int { kernel.calls.load(ordering: .acquiring) }
        func goesOn() -> Bool {
            let before = calls()
            for _ in 0..<40_000 where calls() == before { usleep(500) }
            return calls() != before
        }
        #expect(kernel.guests.threadResume(thread) == K_EINVAL, "nobody suspends it")
        for _ in 0..<20 {
            #expect(goesOn())
            #expect(kernel.guests.threadSuspend(thread) == K_OK)
            #expect(kernel.guests.threadSuspend(thread) == K_OK)
            try #require(standing(kernel, thread, K_TH_STOPPED))
            let before = calls()
            #expect(kernel.guests.trapComplete(thread, 0, context: false) == K_EINVAL, "it is in no trap")
            #expect(kernel.guests.threadResume(thread) == K_OK)
            usleep(2_000)
            #expect(calls() == before && kernel.guests.threadStanding(thread) == K_TH_STOPPED)
            #expect(kernel.guests.threadResume(thread) == K_OK)
        }
        #expect(goesOn())
        kernel.end()
        #expect(kernel.guests.threadSuspend(thread) == K_EUNKNOWN)
    }

    @Test func anAbortWaitsForTheEndOfASuspension() throws {
        let kernel = try #require(MiniKernel())
        _ = kernel.guests.abortHandler(
            kernel.actor,
            { cookie, _, _ in
                guard let cookie else { return K_EINVAL }
                Unmanaged<MiniKernel>.fromOpaque(cookie).takeUnretainedValue().exitCode.store(9, ordering: .releasing)
                return K_CONTEXT
            }, Unmanaged.passUnretained(kernel).toOpaque())
        try #require(kernel.start([0xeb, 0xfe]))  // jmp .
        let thread = try kernel.site.thread(kernel.li)
        #expect(kernel.guests.threadSuspend(thread) == K_OK)
        try #require(standing(kernel, thread, K_TH_STOPPED))
        #expect(kernel.guests.threadAbort(thread) == K_OK)
        usleep(2_000)
        #expect(kernel.exitCode.load(ordering: .acquiring) == -1)
        #expect(kernel.guests.threadResume(thread) == K_OK)
        #expect(kernel.wait() == 9)
        kernel.end()
    }

    @Test func aHandlerThatBlocksSaysForWhom() throws {
        let kernel = try #require(MiniKernel())
        let n = try #require(kernel.actor.creator).table
        nonisolated(unsafe) let table = n
        kernel.answer = { kernel, frame in
            guard frame.pointee.number == 39 else { return kernel.standard(frame) }
            frame.pointee.result = table.pointee.threadDelayNs(table.pointee.`self`, UInt64.max, 0) == K_EABORT ? 7 : 8
            return K_OK
        }
        try #require(kernel.start(getpidExit))
        func server() -> KnThreadStat2? {
            var count: UInt32 = 64
            var stats = [KnThreadStat2](repeating: KnThreadStat2(), count: 64)
            guard n.pointee.threadStat2(n.pointee.`self`, &count, &stats) >= 0 else { return nil }
            return stats.prefix(Int(count)).first { $0.client == kernel.li && $0.blockedSince != 0 }
        }
        var found = server()
        for _ in 0..<40_000 where found == nil {
            usleep(500)
            found = server()
        }
        let seen = try #require(found)
        #expect(seen.status == K_TH_BLOCKED && seen.hostThread > 0)
        #expect(n.pointee.threadAbort(n.pointee.`self`, seen.li) == K_OK)
        #expect(kernel.wait() == 7)
        kernel.end()
    }

    @Test func actorStopHoldsAllThreads() throws {
        let kernel = try #require(MiniKernel())
        try #require(kernel.start([0xeb, 0xfe]))
        let thread = try kernel.site.thread(kernel.li)
        let owner = try #require(kernel.actor.creator)
        let n = owner.table.pointee
        var cap = kernel.actor.cap
        #expect(n.actorStop(n.`self`, &cap) == K_OK)
        #expect(standing(kernel, thread, K_TH_STOPPED))
        #expect(n.actorStart(n.`self`, &cap) == K_OK)
        #expect(standing(kernel, thread, K_TH_RUNNING))
        kernel.end()
    }

    @Test func anActorMadeOfAnother() throws {
        let kernel = try #require(MiniKernel())
        try #require(kernel.start([0xeb, 0xfe]))
        let n = try #require(kernel.actor.creator).table.pointee
        var (cap, copy, none) = (kernel.actor.cap, KnCap(), KnCap())
        let before = kernel.site.allActors.count
        #expect(n.actorDup(n.`self`, &none, &copy, K_ACTIVE, UInt32(K_RGNDUP_COPY), "copy") == K_EUNKNOWN)
        #expect(n.actorDup(n.`self`, &cap, &copy, 9, UInt32(K_RGNDUP_COPY), "copy") == K_EINVAL)
        #expect(kernel.site.allActors.count == before, "all or nothing")
        #expect(n.actorDup(n.`self`, &cap, &copy, K_ACTIVE, UInt32(K_RGNDUP_COPY), "copy") == K_OK)
        let made = try #require(kernel.site.actor(ui: copy.ui))
        #expect(made.isUnix && made.name == "copy" && made.creator === kernel.actor.creator)
        #expect(n.actorDelete(n.`self`, &copy) == K_OK)
        kernel.end()
    }

    @Test func anEmptiedActorStartsAfresh() throws {
        let kernel = try #require(MiniKernel())
        kernel.answer = { kernel, frame in
            guard frame.pointee.number == 59, let thread = try? kernel.site.thread(frame.pointee.thread) else {
                return kernel.standard(frame)
            }
            guard kernel.guests.actorRenew(kernel.actor, thread) == K_OK else { return K_OK }
            var text = KnRgnDesc(
                startAddr: 0x600000, size: 4096, options: UInt32(K_READABLE | K_WRITABLE | K_EXECUTABLE), opaque: 0,
                endAddr: 0)
            guard kernel.guests.rgnAllocate(kernel.actor, &text) == K_OK else { return K_OK }
            // mov edi,33; mov eax,60; syscall
            let code: [UInt8] = [0xbf, 33, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 5]
            _ = code.withUnsafeBytes { kernel.guests.copyOut(thread, $0, 0x600000, deferred: true) }
            var context = KnThreadCtx()
            context.rip = 0x600000
            context.rsp = 0x601000
            _ = kernel.guests.threadContext(thread, nil, &context)
            return K_CONTEXT
        }
        // mov eax,59; syscall
        try #require(kernel.start([0xb8, 59, 0, 0, 0, 0x0f, 5, 0x0f, 0x0b]))
        #expect(kernel.wait() == 33)
        kernel.end()
    }

    @Test func aHostKillIsNoticed() throws {
        let kernel = try #require(MiniKernel())
        try #require(kernel.start([0xeb, 0xfe]))
        usleep(10_000)
        _ = kill(kernel.actor.hostPid, SIGKILL)
        #expect(kernel.wait() == 1000 + SIGKILL)
        kernel.end()
    }

    @Test func registersSurviveManyTraps() throws {
        let kernel = try #require(MiniKernel())
        // mov ebx,10000; l: mov eax,39; syscall; dec ebx; jnz l; mov edi,ebx; mov eax,60; syscall
        let code: [UInt8] = [
            0xbb, 0x10, 0x27, 0, 0, 0xb8, 39, 0, 0, 0, 0x0f, 5, 0xff, 0xcb, 0x75, 0xf5, 0x89, 0xdf, 0xb8, 60, 0, 0, 0,
            0x0f, 5,
        ]
        let begin = kernel.site.host.now()
        try #require(kernel.start(code))
        #expect(kernel.wait() == 0)
        let each = (kernel.site.host.now() - begin) / 10_000
        print("trap: \(each) ns")
        #expect(kernel.calls.load(ordering: .relaxed) == 10_001)
        kernel.end()
    }
}
