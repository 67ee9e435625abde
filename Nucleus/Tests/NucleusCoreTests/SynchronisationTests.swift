import ActorKit
import CChorus
import Glibc
import Synchronization
import Testing

@testable import NucleusCore

@Suite struct SynchronisationTests {
    @Test func semaphoresCount() {
        let bench = Bench()
        let nucleus = bench.actor().nucleus
        var sem = KnSem()
        #expect(nucleus.semInit(&sem, 2) == K_OK)
        #expect(nucleus.semP(&sem, 0) == K_OK)
        #expect(nucleus.semP(&sem, -1) == K_OK)
        #expect(nucleus.semP(&sem, 0) == K_ETIMEOUT)
        #expect(nucleus.semP(&sem, 3) == K_ETIMEOUT)
        #expect(nucleus.semV(&sem) == K_OK)
        #expect(nucleus.semP(&sem, 0) == K_OK)
        var gone = sem
        #expect(nucleus.semDelete(&sem) == K_OK)
        #expect(nucleus.semV(&gone) == K_EUNKNOWN)
    }

    @Test func semaphoresWakeFirstInFirstOut() {
        let bench = Bench()
        let actor = bench.actor()
        var sem = KnSem()
        _ = actor.nucleus.semInit(&sem, 0)
        let order = Mutex<[Int]>([])
        let shared = sem
        var jobs: [Job] = []
        for i in 0..<4 {
            jobs.append(
                bench.start {
                    var sem = shared
                    let code = actor.nucleus.semP(&sem, -1)
                    order.withLock { $0.append(i) }
                    return code
                })
            #expect(bench.untilBlocked(actor, "semP", count: i + 1))
        }
        for i in 0..<4 {
            _ = actor.nucleus.semV(&sem)
            #expect(eventually { order.withLock { $0.count } == i + 1 })
        }
        #expect(order.withLock { $0 } == [0, 1, 2, 3])
        for job in jobs { #expect(job.result() == K_OK) }
    }

    @Test func deletingASemaphoreWakesItsWaiters() {
        let bench = Bench()
        let actor = bench.actor()
        var sem = KnSem()
        _ = actor.nucleus.semInit(&sem, 0)
        let shared = sem
        let job = bench.start {
            var sem = shared
            return actor.nucleus.semP(&sem, -1)
        }
        #expect(bench.untilBlocked(actor, "semP"))
        _ = actor.nucleus.semDelete(&sem)
        #expect(job.result() == K_EUNKNOWN)
    }

    @Test func noVIsLost() {
        let bench = Bench()
        let actor = bench.actor()
        var sem = KnSem()
        _ = actor.nucleus.semInit(&sem, 0)
        let shared = sem
        // Waits that time out all the time must not swallow a V.
        let takers = (0..<3).map { _ in
            bench.start {
                var (sem, got) = (shared, Int32(0))
                while got < 500 { if actor.nucleus.semP(&sem, Int32.random(in: 0...1)) == K_OK { got += 1 } }
                return got
            }
        }
        for _ in 0..<1500 { _ = actor.nucleus.semV(&sem) }
        for taker in takers { #expect(taker.result() == 500) }
        #expect(actor.nucleus.semP(&sem, 0) == K_ETIMEOUT)
    }

    @Test func abortProtocol() {
        let bench = Bench()
        let actor = bench.actor()
        let sleeper = bench.start { actor.nucleus.threadDelay(-1) }
        #expect(bench.untilBlocked(actor, "threadDelay"))
        let li = bench.site.threads.all.first { $0.blockedOn == "threadDelay" }?.li ?? 0
        #expect(actor.nucleus.threadAbort(li) == K_OK)
        #expect(sleeper.result() == K_EABORT)
        // Aborted while it runs: the next abortable call fails at once, and only that.
        let me = actor.nucleus.threadSelf()
        #expect(actor.nucleus.threadAbort(me) == K_OK)
        #expect(actor.nucleus.threadDelay(-1) == K_EABORT)
        #expect(actor.nucleus.threadDelay(1) == K_OK)
        #expect(actor.nucleus.threadAbort(me) == K_OK)
        #expect(actor.nucleus.threadAborted() == 1)
        #expect(actor.nucleus.threadAborted() == 0)
        #expect(actor.nucleus.threadAbort(0x7fff_fff0) == K_EUNKNOWN)
    }

    @Test func postsGatherAndNoneIsLost() {
        let bench = Bench()
        let (actor, seen) = (bench.actor(), Seen())
        let cap = actor.nucleus.newEvent(Unmanaged.passUnretained(seen).toOpaque()) { cookie, bits in
            guard let cookie else { return K_EFAULT }
            let seen = Unmanaged<Seen>.fromOpaque(cookie).takeUnretainedValue()
            seen.runs.wrappingAdd(1, ordering: .relaxed)
            if seen.busy.exchange(true, ordering: .acquiring) { seen.overlap.store(true, ordering: .relaxed) }
            seen.bits.bitwiseOr(bits, ordering: .relaxed)
            if bits & 0x8000_0000 != 0 { seen.ends.wrappingAdd(1, ordering: .relaxed) }
            seen.busy.store(false, ordering: .releasing)
            return K_OK
        }
        for round in 1...200 {
            var ui = cap.ui
            for bit in 0..<31 { #expect(actor.nucleus.eventPost(&ui, 1 << bit) == K_OK) }
            _ = actor.nucleus.eventPost(&ui, 0x8000_0000)
            #expect(eventually { seen.ends.load(ordering: .relaxed) == round })
            #expect(seen.bits.exchange(0, ordering: .relaxed) == UInt32.max)
        }
        #expect(seen.runs.load(ordering: .relaxed) <= 200 * 32)
        let overlapped = seen.overlap.load(ordering: .relaxed)
        #expect(!overlapped)
        var (ui, wrong, right) = (cap.ui, KnCap(ui: cap.ui, key: KnKey()), cap)
        #expect(actor.nucleus.eventDelete(&wrong) == K_EPRIV)
        #expect(actor.nucleus.eventDelete(&right) == K_OK)
        #expect(actor.nucleus.eventPost(&ui, 1) == K_EUNKNOWN)
    }

    final class Seen: Sendable {
        let runs = Atomic<Int>(0)
        let ends = Atomic<Int>(0)
        let bits = Atomic<UInt32>(0)
        let busy = Atomic<Bool>(false)
        let overlap = Atomic<Bool>(false)
    }

    @Test func deletingAnEventWaitsForItsHandler() {
        let bench = Bench()
        let (actor, go) = (bench.actor(), Gatekeeper())
        var cap = actor.nucleus.newEvent(Unmanaged.passUnretained(go).toOpaque()) { cookie, _ in
            guard let cookie else { return K_EFAULT }
            let go = Unmanaged<Gatekeeper>.fromOpaque(cookie).takeUnretainedValue()
            go.inside.store(true, ordering: .releasing)
            go.latch.wait()
            go.inside.store(false, ordering: .releasing)
            return K_OK
        }
        _ = actor.nucleus.eventPost(&cap.ui, 1)
        #expect(eventually { go.inside.load(ordering: .acquiring) })
        let shared = cap
        let delete = bench.start {
            var cap = shared
            let code = actor.nucleus.eventDelete(&cap)
            return go.inside.load(ordering: .acquiring) ? -1 : code
        }
        usleep(2000)
        #expect(!delete.isDone)
        go.latch.open()
        #expect(delete.result() == K_OK)
    }

    final class Gatekeeper: Sendable {
        let inside = Atomic<Bool>(false)
        let latch = Latch()
    }
}
