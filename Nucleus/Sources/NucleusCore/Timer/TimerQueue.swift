import CChorus
import Synchronization

/// The armed timers of a site and the one nucleus thread that waits for the next of them. It is started with the first
/// timer; while none is armed it sleeps without end.
final class TimerQueue: @unchecked Sendable {
    // Sendable: the word is atomic, the rest locked.
    private struct State {
        var heap = TimerHeap()
        var running = false
        var stopped = false
    }
    /// Faster ones would keep a processor busy with the posting alone.
    static var shortestInterval: UInt64 { 10_000 }

    let timers = ShardTable<ExpiryTimer>()
    private let state = Mutex(State())
    /// Counts the changes of what the thread waits for.
    private let word: UnsafeMutablePointer<Atomic<UInt32>>

    init() {
        word = .allocate(capacity: 1)
        word.initialize(to: Atomic(0))
    }

    deinit {
        word.deinitialize(count: 1)
        word.deallocate()
    }

    private var futex: UnsafeMutablePointer<UInt32> {
        UnsafeMutableRawPointer(word).assumingMemoryBound(to: UInt32.self)
    }

    /// First expiry at `expiry`, then every `interval`; nil disarms.
    func set(_ timer: ExpiryTimer, _ site: Site, expiry: UInt64?, interval: UInt64) -> Int32 {
        let (code, first, start) = state.withLock { state -> (Int32, Bool, Bool) in
            if timer.deleted || state.stopped { return (K_EUNKNOWN, false, false) }
            state.heap.remove(timer)
            timer.interval = expiry == nil ? 0 : interval
            timer.expirations = 0
            timer.overruns = 0
            guard let expiry else { return (K_OK, false, false) }
            timer.expiry = expiry
            state.heap.insert(timer)
            defer { state.running = true }
            return (K_OK, state.heap.first === timer, !state.running)
        }
        if start, site.host.startThread(name: "kn-timer", stackSize: 0, { self.run(site) }) < 0 {
            state.withLock {
                $0.running = false
                $0.heap.remove(timer)
            }
            return K_ENOMEM
        }
        if first { wake(site.host) }
        return code
    }

    func stat(_ timer: ExpiryTimer, _ now: UInt64) -> KnTimerStat {
        state.withLock { _ in
            let armed = timer.place >= 0
            return KnTimerStat(
                remaining: armed ? max(timer.expiry, now &+ 1) &- now : 0, interval: armed ? timer.interval : 0,
                expirations: timer.expirations, overruns: timer.overruns)
        }
    }

    /// Posts no more, but for one that is just being posted.
    func cancel(_ timer: ExpiryTimer) {
        state.withLock { state in
            state.heap.remove(timer)
            timer.deleted = true
        }
    }

    func stop(_ host: any HostServices) {
        state.withLock { state in
            state.stopped = true
            state.heap.removeAll()
        }
        wake(host)
    }

    private func wake(_ host: any HostServices) {
        word.pointee.wrappingAdd(1, ordering: .releasing)
        host.wake(futex, 1)
    }

    /// The thread holds the site until it is stopped.
    private func run(_ site: Site) {
        let host = site.host
        host.sharpenWaits()
        // A late timer is of no use; but not in real time, which actors with many fast timers could take from the host.
        if let best = Schedule(policy: K_SCHED_OTHER, priority: K_SCHED_BEST) {
            _ = host.schedule(host.hostThread, of: 0, best)
        }
        while true {
            let seen = word.pointee.load(ordering: .acquiring)
            let now = host.now()
            let next = state.withLock { state -> (due: ExpiryTimer?, deadline: UInt64?, stop: Bool) in
                guard let first = state.heap.first else { return (nil, nil, state.stopped) }
                guard first.expiry <= now else { return (nil, first.expiry, false) }
                state.heap.remove(first)
                if first.expire(now) { state.heap.insert(first) }
                return (first, nil, false)
            }
            if next.stop { return }
            if let timer = next.due {
                post(timer, site)
            } else {
                _ = host.wait(futex, seen, deadline: next.deadline)
            }
        }
    }

    /// The bits of an event that nobody has handled since the last expiry were posted in vain: an overrun. A timer
    /// whose event is gone expires unheard.
    private func post(_ timer: ExpiryTimer, _ site: Site) {
        guard let event = site.events.find(timer.event.raw) else {
            state.withLock { $0.heap.remove(timer) }
            return
        }
        if !event.post(timer.bits) { state.withLock { _ in timer.overruns &+= 1 } }
    }
}
