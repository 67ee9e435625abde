import CChorus
import Testing

@testable import MiXProcessManager

@Test func standardSignalsArePendingOnceAndRealTimeOnesQueue() {
    var queue = SignalQueue()
    let posted = [(10, 1), (10, 2), (40, 3), (40, 4)].map { (signal, code) in
        queue.post(SignalInfo(signal: signal, code: code))
    }
    #expect(posted == [true, true, true, true])
    let refused = queue.post(SignalInfo(signal: 41, code: 5), limit: 3)
    #expect(!refused)
    let all = SignalSet(bits: .max)
    let codes = (0..<3).map { _ in queue.take(all)?.code }
    #expect(codes == [1, 3, 4])
    let more = queue.take(all)
    #expect(more == nil)
}

@Test func faultsComeFirst() {
    var queue = SignalQueue()
    _ = queue.post(SignalInfo(signal: Signal.hup, code: 0))
    _ = queue.post(SignalInfo(signal: Signal.segv, code: 0))
    let first = queue.take(SignalSet(Signal.hup, Signal.segv))
    #expect(first?.signal == Signal.segv)
}

@Test func frameLayoutIsLinux() throws {
    var context = KnThreadCtx()
    context.r8 = 8
    context.rip = 0x1234
    context.rsp = 0x5678
    context.eflags = 0x246
    let bytes = [UInt8](unsafeUninitializedCapacity: SignalFrame.size) { buffer, count in
        SignalFrame.encode(
            UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: SignalFrame.size), context: context,
            image: 0x7000, stack: AltStack(), mask: SignalSet(1, 2), restorer: 0x99,
            info: SignalInfo(signal: 11, code: 1, detail: .fault(address: 0xabc)))
        count = SignalFrame.size
    }
    func word(_ offset: Int) -> UInt64 {
        bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
    }
    #expect(SignalFrame.size == 440)
    #expect(word(0) == 0x99)  // pretcode
    #expect(word(8) == 7)  // uc_flags
    #expect(word(8 + 40) == 8)  // gregs[REG_R8]
    #expect(word(8 + 40 + 16 * 8) == 0x1234)  // gregs[REG_RIP]
    #expect(word(8 + 224) == 0x7000)  // fpstate
    #expect(word(8 + 296) == 3)  // uc_sigmask
    #expect(word(312) == 11)  // si_signo
    #expect(word(312 + 16) == 0xabc)  // si_addr

    var back = KnThreadCtx()
    back.eflags = 0x3202
    let (mask, image) = bytes.withUnsafeBytes {
        SignalFrame.decode(UnsafeRawBufferPointer(rebasing: $0[8..<312]), into: &back)
    }
    #expect(mask == SignalSet(1, 2))
    #expect(image == 0x7000)
    #expect(back.rip == 0x1234 && back.rsp == 0x5678 && back.r8 == 8)
    #expect(back.eflags == 0x3246)  // IOPL is not the program's to change
}

@Test(arguments: [0, 512, 576, 832, 2696])
func framesAreAligned(imageSize: Int) throws {
    for top in stride(from: UInt64(0x10_0000), to: 0x10_0080, by: 8) {
        let (frame, image) = try #require(SignalFrame.place(below: top, imageSize: imageSize))
        #expect(frame % 16 == 8)
        #expect(image % 64 == 0)
        #expect(frame + UInt64(SignalFrame.size) <= (image == 0 ? top : image))
        #expect(image + UInt64(imageSize) <= top)
    }
    #expect(SignalFrame.place(below: 500, imageSize: imageSize) == nil)
}

@Test func imageSizesAreChecked() {
    var legacy = [UInt8](repeating: 0, count: 512)
    func size() -> Int { legacy.withUnsafeBytes { SignalFrame.imageSize(legacy: $0) } }
    #expect(size() == 512)
    legacy.replaceSubrange(464..<468, with: [0x53, 0x58, 0x50, 0x46])
    legacy.replaceSubrange(468..<472, with: [0x88, 0x0a, 0, 0])
    #expect(size() == 2696)
    legacy.replaceSubrange(468..<472, with: [0xff, 0xff, 0xff, 0x7f])
    #expect(size() == 512)
}

@Test func aHandlerRunsOnItsFrameAndReturns() {
    let site = FakeSite()
    let task = site.process(10)
    let other = site.task(11, of: task.process)
    task.process.actions[10] = SignalAction(
        handler: 0x5000, flags: SignalAction.restorerGiven | SignalAction.restart, restorer: 0x6000)
    other.mask.insert(10)
    let word = FakeNucleus.base + 0x100
    #expect(site.trap(task, 202, word, 128, 0).code == K_PARKED)
    #expect(site.trap(other, 62, 10, 10).result == 0)
    #expect(site.fake.completions.last?.context == 1)
    let frame = site.fake.context.rsp
    #expect(site.fake.context.rip == 0x5000 && site.fake.context.rdi == 10)
    #expect(task.mask.contains(10))
    // What was interrupted restarts: rip on the system call, its number in rax.
    #expect(site.fake.load(UInt64.self, at: frame + 8 + 40 + 16 * 8) == 0x40_0000)
    #expect(site.fake.load(UInt64.self, at: frame + 8 + 40 + 13 * 8) == 202)
}

@Test func withoutRestartACallEndsWithEintr() {
    let site = FakeSite()
    let task = site.process(10)
    task.process.actions[10] = SignalAction(
        handler: 0x5000, flags: SignalAction.restorerGiven, restorer: 0x6000)
    #expect(site.trap(task, 34).code == K_PARKED)
    site.manager.enter { site.manager.post(.kernel(10), to: task.process) }
    let frame = site.fake.context.rsp
    #expect(site.fake.load(Int64.self, at: frame + 8 + 40 + 13 * 8) == Errno.EINTR.result)
}

/// Whoever lost its parent has process 1 for one: it exists and cannot be hurt.
@Test func processOneTakesNoSignal() {
    let site = FakeSite()
    let task = site.process(10)
    #expect(site.trap(task, 62, 1, 0).result == 0)
    #expect(site.trap(task, 62, 1, 9).result == 0)
    #expect(site.trap(task, 62, 1, 65).result == Errno.EINVAL.result)
    task.process.credentials = Credentials(uid: 5, euid: 5, suid: 5, effective: 0)
    #expect(site.trap(task, 62, 1, 0).result == Errno.EPERM.result)
}

@Test func aDefaultSignalEndsTheProcess() {
    let site = FakeSite()
    let parent = site.process(9)
    let task = site.process(10, parent: parent.process)
    #expect(site.trap(task, 34).code == K_PARKED)
    site.manager.enter { site.manager.post(.kernel(Signal.term), to: task.process) }
    #expect(task.process.isZombie)
    #expect(task.process.exitStatus == Signal.term)
    #expect(site.fake.deletions == 1)
    #expect(site.fake.completed.isEmpty)
}

@Test func stopsHoldAndContinueResumes() {
    let site = FakeSite()
    let parent = site.process(9)
    let task = site.process(10, parent: parent.process)
    #expect(site.trap(task, 34).code == K_PARKED)
    site.manager.enter { site.manager.post(.kernel(Signal.stop), to: task.process) }
    #expect(task.process.state == .stopped)
    let word = FakeNucleus.base + 0x100
    #expect(site.trap(parent, 61, 10, word, 2).result == 10)
    #expect(site.fake.load(Int32.self, at: word) == 0x137f)
    site.manager.enter { site.manager.post(.kernel(Signal.cont), to: task.process) }
    #expect(task.process.state == .running)
    #expect(task.isParked)
    #expect(site.trap(parent, 61, 10, word, 8).result == 10)
    #expect(site.fake.load(Int32.self, at: word) == 0xffff)
    // A stopped process can be killed.
    site.manager.enter { site.manager.post(.kernel(Signal.stop), to: task.process) }
    site.manager.enter { site.manager.post(.kernel(Signal.kill), to: task.process) }
    #expect(task.process.isZombie)
}

@Test func runningTasksAreAborted() {
    let site = FakeSite()
    let task = site.process(10)
    site.manager.enter { site.manager.post(.kernel(Signal.term), to: task.process) }
    #expect(site.fake.aborts == [10])
    #expect(site.manager.aborted(task.cookie) == K_PARKED)
    #expect(task.process.exitStatus == Signal.term)
}

@Test func statusWords() {
    #expect(WaitStatus.exited(3) == 0x300)
    #expect(WaitStatus.stopped(19) == 0x137f)
    #expect(ProcessManager.exitCode(0x300) == 3)
    #expect(ProcessManager.exitCode(WaitStatus.killed(9)) == 137)
}

@Test func signalDescriptorsTellSenderAndStatus() {
    let child = SignalInfo(
        signal: Signal.chld, code: 1, detail: .child(pid: 7, uid: 8, status: 9, user: 10, system: 11))
    let bytes = SignalFile.encoded(child)
    func word(_ offset: Int) -> Int32 {
        bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Int32.self) }
    }
    #expect(bytes.count == 128)
    #expect([word(0), word(8), word(12), word(16), word(40), word(56), word(64)] == [17, 1, 7, 8, 9, 10, 11])
}

@Test func loadFollowsTheTimeThatWasUsed() {
    var load = LoadAverage(since: 0)
    load.update(now: 60_000_000_000, spent: 120_000_000_000)  // two processors for a minute
    #expect(load.text == "1.26 0.36 0.13")
    load.update(now: 60_000_000_001, spent: 1 << 60)  // too soon to be asked again
    #expect(load.text == "1.26 0.36 0.13")
    load.update(now: 120_000_000_000, spent: 120_000_000_000)
    #expect(load.text == "0.47 0.30 0.12")
}
