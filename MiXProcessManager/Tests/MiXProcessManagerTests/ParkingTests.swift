import CChorus
import Testing

@testable import MiXProcessManager

private let word = FakeNucleus.base + 0x100

@Test func aFutexWaiterIsCompletedOnceByAWake() {
    let site = FakeSite()
    let waiter = site.process(10)
    let waker = site.task(11, of: waiter.process)
    #expect(site.trap(waiter, 202, word, 128, 0).code == K_PARKED)
    #expect(waiter.isParked)
    #expect(site.trap(waker, 202, word, 129, 5).result == 1)
    #expect(site.fake.completed == [0])
    #expect(site.trap(waker, 202, word, 129, 5).result == 0)
    #expect(site.fake.completed == [0])
    #expect(!waiter.isParked)
}

@Test func aFutexWordThatDiffersIsNotWaitedFor() {
    let site = FakeSite()
    let task = site.process(10)
    #expect(site.trap(task, 202, word, 128, 1).result == Errno.EAGAIN.result)
    #expect(site.trap(task, 202, word + 1, 128, 0).result == Errno.EINVAL.result)
    #expect(site.trap(task, 202, 16, 128, 0).result == Errno.EFAULT.result)
}

@Test func aWakeBetweenEnlistingAndParkingIsNotLost() {
    let site = FakeSite()
    let task = site.process(10)
    let queue = WaitQueue()
    task.enlist(on: queue)
    #expect(queue.wake() == 1)
    #expect(queue.wake() == 0)
    #expect(!task.commitPark(Wait(on: [queue], for: "test")))
    task.endWait()
    // The old ticket is void now.
    #expect(queue.wake() == 0)
}

@Test func requeuedWaitersAreWokenByTheSecondWordOnly() {
    let site = FakeSite()
    let first = site.process(10)
    let second = site.task(11, of: first.process)
    let waker = site.task(12, of: first.process)
    site.trap(first, 202, word, 128, 0)
    site.trap(second, 202, word, 128, 0)
    // FUTEX_REQUEUE: wake one, move one.
    #expect(site.trap(waker, 202, word, 131, 1, 1, word + 64).result == 2)
    #expect(site.fake.completed.count == 1)
    #expect(site.trap(waker, 202, word, 129, 9).result == 0)
    #expect(site.trap(waker, 202, word + 64, 129, 9).result == 1)
    #expect(site.fake.completed == [0, 0])
}

@Test func bitsetsSelectWaiters() {
    let site = FakeSite()
    let waiter = site.process(10)
    let waker = site.task(11, of: waiter.process)
    site.trap(waiter, 202, word, 137, 0, 0, 0, 2)
    #expect(site.trap(waker, 202, word, 138, 9, 0, 0, 4).result == 0)
    #expect(site.trap(waker, 202, word, 138, 9, 0, 0, 6).result == 1)
}

@Test func sleepsEndByTheTimer() {
    let site = FakeSite()
    let task = site.process(10)
    site.fake.store((Int64(0), Int64(2_000_000)), at: word)
    #expect(site.trap(task, 35, word, 0).code == K_PARKED)
    #expect(site.eventually { site.fake.completed == [0] })
}

@Test func futexTimeoutsAreReported() {
    let site = FakeSite()
    let task = site.process(10)
    site.fake.store((Int64(0), Int64(1_000_000)), at: word + 64)
    #expect(site.trap(task, 202, word, 128, 0, word + 64).code == K_PARKED)
    #expect(site.eventually { site.fake.completed == [Errno.ETIMEDOUT.result] })
    let waker = site.task(11, of: task.process)
    #expect(site.trap(waker, 202, word, 129, 1).result == 0)
}

@Test func waitFindsTheEndOfAChild() {
    let site = FakeSite()
    let parent = site.process(10)
    let child = site.process(11, parent: parent.process)
    #expect(site.trap(parent, 61, UInt64(bitPattern: -1), word, 1).result == 0)  // WNOHANG
    #expect(site.trap(parent, 61, UInt64(bitPattern: -1), word).code == K_PARKED)
    #expect(site.trap(child, 231, 5).code == K_PARKED)
    #expect(site.fake.completed == [11])
    #expect(site.fake.load(Int32.self, at: word) == 5 << 8)
    #expect(site.manager.processes[11] == nil)
    #expect(site.trap(parent, 61, UInt64(bitPattern: -1), word).result == Errno.ECHILD.result)
}

@Test func anIgnoredChildLeavesNoZombie() {
    let site = FakeSite()
    let parent = site.process(10)
    parent.process.actions[17] = SignalAction(handler: SignalAction.ignore)
    let child = site.process(11, parent: parent.process)
    #expect(site.trap(parent, 61, UInt64(bitPattern: -1), 0).code == K_PARKED)
    site.trap(child, 231, 0)
    #expect(site.fake.completed == [Errno.ECHILD.result])
}
