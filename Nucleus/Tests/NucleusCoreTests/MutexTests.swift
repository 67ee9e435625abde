import ActorKit
import CChorus
import Glibc
import Synchronization
import Testing

@testable import NucleusCore

/// A thread of its own that holds a mutex until it is told to let go.
private final class Holder: Sendable {
    let latch = Latch()
    let li = Atomic<Int32>(0)
    let job: Mutex<Job?> = Mutex(nil)

    /// Gets `mutexes` in turn; `done` once it has them. Ends by releasing them, unless it is to die with them.
    init(_ bench: Bench, _ actor: Actor, _ mutexes: [KnMutex], dies: Bool = false) {
        let started = bench.start { [self] in
            li.store(actor.nucleus.threadSelf(), ordering: .releasing)
            for var mutex in mutexes where actor.nucleus.mutexGet(&mutex) != K_OK { return K_EINVAL }
            ready.open()
            latch.wait()
            guard !dies else { return K_OK }
            for var mutex in mutexes.reversed() where actor.nucleus.mutexRel(&mutex) != K_OK { return K_EPRIV }
            return K_OK
        }
        job.withLock { $0 = started }
    }

    let ready = Latch()
    func result() -> Int32 {
        latch.open()
        return job.withLock { $0 }?.result() ?? -1
    }
}

@Suite struct MutexTests {
    private func rank(_ bench: Bench, _ li: Int32) -> Int32 {
        guard let thread = bench.site.threads.find(li) else { return -1 }
        return bench.site.threads.mutexes.lock.withLock { _ in thread.scheduling.effective.rank }
    }

    /// A waiter of priority `priority` for `mutex`; returns when it waits.
    private func waiter(
        _ bench: Bench, _ actor: Actor, _ mutex: KnMutex, priority: Int32, count: Int,
        _ body: @escaping @Sendable (Int32) -> Void = { _ in }
    ) -> Job {
        let job = bench.start {
            var wish = KnThreadSched(policy: K_SCHED_OTHER, priority: priority, hostPolicy: 0, hostPriority: 0)
            guard actor.nucleus.threadScheduler(K_MYSELF, nil, &wish) == K_OK else { return K_EINVAL }
            var mutex = mutex
            let code = actor.nucleus.mutexGet(&mutex)
            body(code)
            guard code >= 0 else { return code }
            return actor.nucleus.mutexRel(&mutex)
        }
        #expect(bench.untilBlocked(actor, "mutexGet", count: count))
        return job
    }

    @Test func oneOwnerAtATime() {
        let bench = Bench()
        let actor = bench.actor()
        var mutex = KnMutex()
        #expect(actor.nucleus.mutexInit(&mutex) == K_OK)
        let shared = mutex
        let counter = UnsafeMutablePointer<Int>.allocate(capacity: 1)
        counter.initialize(to: 0)
        defer { counter.deallocate() }
        nonisolated(unsafe) let plain = counter
        let jobs = (0..<4).map { _ in
            bench.start {
                var mutex = shared
                for _ in 0..<2000 {
                    guard actor.nucleus.mutexGet(&mutex) == K_OK else { return K_EINVAL }
                    plain.pointee += 1
                    guard actor.nucleus.mutexRel(&mutex) == K_OK else { return K_EPRIV }
                }
                return K_OK
            }
        }
        for job in jobs { #expect(job.result() == K_OK) }
        #expect(counter.pointee == 8000)
    }

    @Test func errors() {
        let bench = Bench()
        let (actor, other) = (bench.actor(), bench.actor("other", K_USERACTOR))
        let n = actor.nucleus
        var mutex = KnMutex()
        #expect(n.mutexInit(&mutex, 2) == K_EINVAL)
        #expect(n.mutexInit(nil) == K_EFAULT)
        #expect(n.mutexInit(&mutex) == K_OK)
        #expect(n.mutexRel(&mutex) == K_EPRIV, "nobody has it")
        #expect(n.mutexTry(&mutex) == K_OK)
        #expect(n.mutexGet(&mutex) == K_EBUSY, "the caller has it")
        #expect(n.mutexTry(&mutex) == K_EBUSY)
        let shared = mutex
        let stranger = bench.start {
            var mutex = shared
            if n.mutexRel(&mutex) != K_EPRIV { return 1 }
            if n.mutexTry(&mutex) != K_EBUSY { return 2 }
            if n.mutexGet(&mutex, 0) != K_ETIMEOUT { return 3 }
            if n.mutexGet(&mutex, 2) != K_ETIMEOUT { return 4 }
            return 0
        }
        #expect(stranger.result() == 0)
        #expect(other.nucleus.mutexDelete(&mutex) == K_EPRIV, "made by another, and it is not privileged")
        #expect(n.mutexRel(&mutex) == K_OK)
        var gone = mutex
        #expect(n.mutexDelete(&mutex) == K_OK && mutex.li == 0)
        #expect(n.mutexGet(&gone) == K_EUNKNOWN)
        #expect(n.mutexRel(nil) == K_EFAULT)
    }

    @Test func theOwnerRunsAtTheBestPriorityOfItsWaiters() {
        let bench = Bench()
        let actor = bench.actor()
        var (first, second) = (KnMutex(), KnMutex())
        _ = actor.nucleus.mutexInit(&first)
        _ = actor.nucleus.mutexInit(&second)
        let a = Holder(bench, actor, [first])
        a.ready.wait()
        // b has the second and waits for the first: what waits for the second urges both.
        let (one, two) = (first, second)
        let b = bench.start {
            var (one, two) = (one, two)
            guard actor.nucleus.mutexGet(&two) == K_OK, actor.nucleus.mutexGet(&one) == K_OK else { return -1 }
            return actor.nucleus.mutexRel(&one) | actor.nucleus.mutexRel(&two)
        }
        #expect(bench.untilBlocked(actor, "mutexGet"))
        let usual = Schedule.usual.rank
        let owner = a.li.load(ordering: .acquiring)
        #expect(rank(bench, owner) == usual)
        let c = waiter(bench, actor, second, priority: 7, count: 2)
        #expect(eventually { rank(bench, owner) == usual - 128 + 7 }, "through two links")
        let worse = waiter(bench, actor, second, priority: 200, count: 3)
        #expect(rank(bench, owner) == usual - 128 + 7)
        a.latch.open()
        #expect(a.result() == K_OK)
        #expect(b.result() == K_OK)
        #expect(c.result() == K_OK)
        #expect(worse.result() == K_OK)
    }

    @Test func inheritanceEndsWithTheRelease() {
        let bench = Bench()
        let actor = bench.actor()
        let n = actor.nucleus
        var mutex = KnMutex()
        _ = n.mutexInit(&mutex)
        #expect(n.mutexGet(&mutex) == K_OK)
        let me = n.threadSelf()
        let urgent = waiter(bench, actor, mutex, priority: 3, count: 1)
        #expect(eventually { rank(bench, me) == 256 + 3 })
        #expect(n.mutexRel(&mutex) == K_OK)
        #expect(rank(bench, me) == Schedule.usual.rank)
        #expect(urgent.result() == K_OK)
        // A waiter that gives up does not urge any more.
        #expect(n.mutexGet(&mutex) == K_OK)
        let shared = mutex
        let passing = bench.start {
            var wish = KnThreadSched(policy: K_SCHED_OTHER, priority: 3, hostPolicy: 0, hostPriority: 0)
            _ = n.threadScheduler(K_MYSELF, nil, &wish)
            var mutex = shared
            return n.mutexGet(&mutex)
        }
        #expect(bench.untilBlocked(actor, "mutexGet"))
        #expect(eventually { rank(bench, me) == 256 + 3 })
        let li = bench.site.threads.all.first { $0.blockedOn == "mutexGet" }?.li ?? 0
        #expect(n.threadAbort(li) == K_OK)
        #expect(passing.result() == K_EABORT)
        #expect(rank(bench, me) == Schedule.usual.rank)
        #expect(n.mutexRel(&mutex) == K_OK)
    }

    @Test(arguments: [0, K_MUTEX_RT]) func waitersGetItInTheirOrder(_ flags: UInt32) {
        let bench = Bench()
        let actor = bench.actor()
        var mutex = KnMutex()
        _ = actor.nucleus.mutexInit(&mutex, flags)
        #expect(actor.nucleus.mutexGet(&mutex) == K_OK)
        let order = Mutex<[Int32]>([])
        let priorities: [Int32] = [140, 130, 150, 130]
        var jobs: [Job] = []
        for (index, priority) in priorities.enumerated() {
            jobs.append(
                waiter(bench, actor, mutex, priority: priority, count: index + 1) { _ in
                    order.withLock { $0.append(Int32(index)) }
                })
        }
        #expect(actor.nucleus.mutexRel(&mutex) == K_OK)
        for job in jobs { #expect(job.result() == K_OK) }
        #expect(order.withLock { $0 } == (flags == 0 ? [0, 1, 2, 3] : [1, 3, 0, 2]))
    }

    @Test func circlesAreTold() {
        let bench = Bench()
        let actor = bench.actor()
        var (first, second) = (KnMutex(), KnMutex())
        _ = actor.nucleus.mutexInit(&first)
        _ = actor.nucleus.mutexInit(&second)
        #expect(actor.nucleus.mutexGet(&first) == K_OK)
        let (one, two) = (first, second)
        let other = bench.start {
            var (one, two) = (one, two)
            guard actor.nucleus.mutexGet(&two) == K_OK else { return -1 }
            let code = actor.nucleus.mutexGet(&one)
            return code | actor.nucleus.mutexRel(&one) | actor.nucleus.mutexRel(&two)
        }
        #expect(bench.untilBlocked(actor, "mutexGet"))
        #expect(actor.nucleus.mutexGet(&second) == K_EBUSY)
        #expect(actor.nucleus.mutexRel(&first) == K_OK)
        #expect(other.result() == K_OK)
    }

    @Test func theDeathOfItsOwnerIsTold() {
        let bench = Bench()
        let actor = bench.actor()
        var mutex = KnMutex()
        _ = actor.nucleus.mutexInit(&mutex)
        let dying = Holder(bench, actor, [mutex], dies: true)
        dying.ready.wait()
        let told = Atomic<Int32>(-1)
        withUnsafePointer(to: told) { told in
            nonisolated(unsafe) let told = told
            let heir = waiter(bench, actor, mutex, priority: 128, count: 1) {
                told.pointee.store($0, ordering: .releasing)
            }
            #expect(dying.result() == K_OK)
            #expect(heir.result() == K_OK)
        }
        #expect(told.load(ordering: .acquiring) == K_MUTEX_ORPHAN)
        // With nobody waiting, the next one is told.
        let alone = Holder(bench, actor, [mutex], dies: true)
        alone.ready.wait()
        let li = alone.li.load(ordering: .acquiring)
        #expect(alone.result() == K_OK)
        #expect(eventually { bench.site.threads.find(li) == nil })
        // It is off the list a moment before its mutexes are.
        var code = K_EBUSY
        let taken = eventually {
            code = actor.nucleus.mutexTry(&mutex)
            return code != K_EBUSY
        }
        #expect(taken)
        #expect(code == K_MUTEX_ORPHAN)
        #expect(actor.nucleus.mutexRel(&mutex) == K_OK)
        #expect(actor.nucleus.mutexTry(&mutex) == K_OK, "told once")
        #expect(actor.nucleus.mutexRel(&mutex) == K_OK)
    }

    @Test func deletionWakesWhoWaits() {
        let bench = Bench()
        let (maker, user) = (bench.actor("maker"), bench.actor("user"))
        for deletesActor in [false, true] {
            var mutex = KnMutex()
            #expect(maker.nucleus.mutexInit(&mutex) == K_OK)
            #expect(user.nucleus.mutexGet(&mutex) == K_OK)
            let waiting = waiter(bench, user, mutex, priority: 128, count: 1)
            var gone = mutex
            let code = deletesActor ? bench.site.deleteActor(maker) : maker.nucleus.mutexDelete(&mutex)
            #expect(code == K_OK)
            #expect(waiting.result() == K_EUNKNOWN)
            #expect(user.nucleus.mutexRel(&gone) == K_EUNKNOWN)
        }
        var mutex = KnMutex()
        #expect(maker.nucleus.mutexInit(&mutex) == K_EDEADACTOR)
    }

    @Test func theDeathOfTheWaitersActorEndsItsWait() {
        let bench = Bench()
        let (maker, user) = (bench.actor("maker"), bench.actor("user"))
        var mutex = KnMutex()
        _ = maker.nucleus.mutexInit(&mutex)
        #expect(maker.nucleus.mutexGet(&mutex) == K_OK)
        let waiting = waiter(bench, user, mutex, priority: 128, count: 1)
        bench.site.deleteActor(user)
        #expect(waiting.result() == K_EDEADACTOR)
        #expect(maker.nucleus.mutexRel(&mutex) == K_OK)
    }

    @Test func thereIsALimit() {
        let bench = Bench()
        let actor = bench.actor()
        var made: [KnMutex] = []
        for _ in 0..<K_SYNCMAX {
            var mutex = KnMutex()
            #expect(actor.nucleus.mutexInit(&mutex) == K_OK)
            made.append(mutex)
        }
        var mutex = KnMutex()
        #expect(actor.nucleus.mutexInit(&mutex) == K_ENOMEM)
        #expect(actor.nucleus.mutexDelete(&made[0]) == K_OK)
        #expect(actor.nucleus.mutexInit(&mutex) == K_OK)
    }
}
