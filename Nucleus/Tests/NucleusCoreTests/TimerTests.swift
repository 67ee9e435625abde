import ActorKit
import CChorus
import Glibc
import Synchronization
import Testing

@testable import NucleusCore

/// An event whose handler counts its runs and can be made to wait.
private final class Ticks: Sendable {
    let runs = Atomic<Int>(0)
    let bits = Atomic<UInt32>(0)
    let blocks = Atomic<Bool>(false)
    let latch = Latch()
    var cookie: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    static let handler: KnEvtHdl = { cookie, bits in
        guard let cookie else { return K_EFAULT }
        let ticks = Unmanaged<Ticks>.fromOpaque(cookie).takeUnretainedValue()
        ticks.bits.bitwiseOr(bits, ordering: .relaxed)
        ticks.runs.wrappingAdd(1, ordering: .releasing)
        if ticks.blocks.load(ordering: .acquiring) { ticks.latch.wait() }
        return K_OK
    }
}

@Suite struct TimerTests {
    private let milli: UInt64 = 1_000_000

    private func stat(_ n: Nucleus, _ timer: KnTimer) -> KnTimerStat {
        var (timer, stat) = (timer, KnTimerStat())
        #expect(n.timerGet(&timer, &stat) == K_OK)
        return stat
    }

    /// No timer posts, and no handler looks at `ticks`, any more.
    private func end(_ bench: Bench, _ actor: Actor, _ ticks: Ticks) {
        bench.site.deleteActor(actor)
        withExtendedLifetime(ticks) {}
    }

    @Test func oneShot() {
        let bench = Bench()
        let (actor, ticks) = (bench.actor(), Ticks())
        let n = actor.nucleus
        defer { end(bench, actor, ticks) }
        var (event, timer) = (n.newEvent(ticks.cookie, Ticks.handler), KnTimer())
        #expect(n.timerCreate(&event.ui, 6, &timer) == K_OK)
        #expect(stat(n, timer).remaining == 0)
        let began = bench.host.now()
        #expect(n.timerSet(&timer, 0, 5 * milli, 0) == K_OK)
        #expect(eventually { ticks.runs.load(ordering: .acquiring) == 1 })
        #expect(bench.host.now() - began >= 5 * milli, "never early")
        #expect(ticks.bits.load(ordering: .relaxed) == 6)
        let after = stat(n, timer)
        #expect(after.expirations == 1 && after.overruns == 0 && after.remaining == 0)
        // A time of the clock; one that has passed is now.
        #expect(n.timerSet(&timer, K_DELAY_ABSOLUTE, 1, 0) == K_OK)
        #expect(eventually { ticks.runs.load(ordering: .acquiring) == 2 })
    }

    @Test func periodicAndOverruns() {
        let bench = Bench()
        let (actor, ticks) = (bench.actor(), Ticks())
        let n = actor.nucleus
        defer { end(bench, actor, ticks) }
        var (event, timer) = (n.newEvent(ticks.cookie, Ticks.handler), KnTimer())
        #expect(n.timerCreate(&event.ui, 1, &timer) == K_OK)
        #expect(n.timerSet(&timer, 0, milli, milli) == K_OK)
        #expect(eventually { ticks.runs.load(ordering: .acquiring) >= 5 })
        // Nobody handles it now: it goes on, and counts.
        ticks.blocks.store(true, ordering: .releasing)
        #expect(eventually { stat(n, timer).overruns >= 3 })
        let busy = stat(n, timer)
        #expect(busy.interval == milli && busy.expirations >= busy.overruns + 2 && busy.remaining <= milli)
        ticks.blocks.store(false, ordering: .releasing)
        ticks.latch.open()
        #expect(n.timerSet(&timer, 0, 0, 0) == K_OK)
        let still = stat(n, timer)
        #expect(still.remaining == 0 && still.interval == 0)
    }

    @Test func inTheOrderOfTheirTimes() {
        let bench = Bench()
        let actor = bench.actor()
        var heap = TimerHeap()
        var timers: [ExpiryTimer] = []
        for _ in 0..<200 {
            let timer = ExpiryTimer(li: 1, owner: actor, event: KnUniqueId(), bits: 1)
            timer.expiry = UInt64.random(in: 0..<50)
            timers.append(timer)
            heap.insert(timer)
        }
        for timer in timers.shuffled().prefix(100) {
            heap.remove(timer)
            #expect(timer.place == -1)
        }
        var last: UInt64 = 0
        var left = 0
        while let first = heap.first {
            #expect(first.expiry >= last)
            last = first.expiry
            heap.remove(first)
            left += 1
        }
        #expect(left == 100)
    }

    @Test func errorsAndOwnership() {
        let bench = Bench()
        let (actor, other) = (bench.actor(), bench.actor("other", K_USERACTOR))
        let (n, ticks) = (actor.nucleus, Ticks())
        defer { end(bench, actor, ticks) }
        var (event, timer, none) = (n.newEvent(ticks.cookie, Ticks.handler), KnTimer(), KnUniqueId())
        #expect(n.timerCreate(&none, 1, &timer) == K_EUNKNOWN)
        #expect(n.timerCreate(&event.ui, 0, &timer) == K_EINVAL)
        #expect(n.timerCreate(&event.ui, 1, nil) == K_EFAULT)
        #expect(n.timerCreate(&event.ui, 1, &timer) == K_OK)
        #expect(n.timerSet(&timer, 8, 1, 0) == K_EINVAL)
        #expect(n.timerSet(&timer, 0, 1, 1) == K_EINVAL, "too fast")
        #expect(n.timerSet(nil, 0, 1, 0) == K_EFAULT)
        var stat = KnTimerStat()
        #expect(other.nucleus.timerSet(&timer, 0, milli, 0) == K_EPRIV)
        #expect(other.nucleus.timerGet(&timer, &stat) == K_EPRIV)
        #expect(other.nucleus.timerDelete(&timer) == K_EPRIV)
        // Beyond the end of time: never.
        #expect(n.timerSet(&timer, 0, UInt64.max, UInt64.max) == K_OK)
        #expect(n.timerGet(&timer, &stat) == K_OK && stat.remaining > 0)
        var gone = timer
        #expect(n.timerDelete(&timer) == K_OK && timer.li == 0)
        #expect(n.timerSet(&gone, 0, 1, 0) == K_EUNKNOWN)
        #expect(ticks.runs.load(ordering: .relaxed) == 0)
    }

    @Test func theyGoWithTheirActorAndTheirEvent() {
        let bench = Bench()
        let (actor, ticks) = (bench.actor(), Ticks())
        let n = actor.nucleus
        defer { end(bench, actor, ticks) }
        var (event, timer) = (n.newEvent(ticks.cookie, Ticks.handler), KnTimer())
        #expect(n.timerCreate(&event.ui, 1, &timer) == K_OK)
        #expect(n.timerSet(&timer, 0, milli, milli) == K_OK)
        #expect(eventually { ticks.runs.load(ordering: .acquiring) > 0 })
        #expect(n.eventDelete(&event) == K_OK)
        #expect(eventually { stat(n, timer).remaining == 0 }, "a timer without an event stops")
        var second = n.newEvent(ticks.cookie, Ticks.handler)
        var another = KnTimer()
        #expect(n.timerCreate(&second.ui, 1, &another) == K_OK)
        #expect(n.timerSet(&another, 0, milli, milli) == K_OK)
        bench.site.deleteActor(actor)
        #expect(bench.site.timers.timers.all.isEmpty)
        #expect(actor.nucleus.timerCreate(&second.ui, 1, &another) == K_EDEADACTOR)
    }

    @Test func delaysInNanoseconds() {
        let bench = Bench()
        let actor = bench.actor()
        let began = bench.host.now()
        #expect(actor.nucleus.threadDelayNs(2 * milli) == K_OK)
        #expect(bench.host.now() - began >= 2 * milli)
        let until = bench.host.now() + 2 * milli
        #expect(actor.nucleus.threadDelayNs(until, K_DELAY_ABSOLUTE) == K_OK)
        #expect(bench.host.now() >= until)
        #expect(actor.nucleus.threadDelayNs(1, K_DELAY_ABSOLUTE) == K_OK, "long past")
        #expect(actor.nucleus.threadDelayNs(1, 4) == K_EINVAL)
        let sleeper = bench.start { actor.nucleus.threadDelayNs(UInt64.max) }
        #expect(bench.untilBlocked(actor, "threadDelayNs"))
        let li = bench.site.threads.all.first { $0.blockedOn == "threadDelayNs" }?.li ?? 0
        #expect(actor.nucleus.threadAbort(li) == K_OK)
        #expect(sleeper.result() == K_EABORT)
    }
}
