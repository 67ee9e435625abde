import CChorus

/// Scheduling parameters of a thread in the words of the nucleus: 0 best … 255 worst.
public struct Schedule: Equatable, Sendable {
    /// K_SCHED_*.
    public let policy: Int32
    public let priority: Int32

    /// nil for what is no schedule.
    public init?(policy: Int32, priority: Int32) {
        guard [K_SCHED_OTHER, K_SCHED_FIFO, K_SCHED_RR].contains(policy),
            (K_SCHED_BEST...K_SCHED_WORST).contains(priority)
        else { return nil }
        self.policy = policy
        self.priority = priority
    }

    private init(_ policy: Int32, at priority: Int32) { (self.policy, self.priority) = (policy, priority) }

    /// What threads are born with whose makers have no other.
    public static let usual = Schedule(K_SCHED_OTHER, at: K_SCHED_USUAL)
    /// Of the threads that run interrupt handlers: better ones are left to servers that know why.
    static let interrupts = Schedule(K_SCHED_FIFO, at: 64)

    /// Lower is more urgent: real-time threads run before all others.
    var rank: Int32 { policy == K_SCHED_OTHER ? priority + K_SCHED_WORST + 1 : priority }
}

/// What the host made of a schedule, in the host's words.
public struct HostSchedule: Sendable {
    public var policy: Int32
    public var priority: Int32
    public init(policy: Int32 = K_SCHED_OTHER, priority: Int32 = 0) {
        self.policy = policy
        self.priority = priority
    }
}

/// Where a thread's instructions run besides on its nucleus thread: a guest, or the far end of a lane.
public protocol HostPeer: AnyObject, Sendable {
    /// Host process and thread, 0 while unknown. The thread number may come from an untrusted process.
    var place: (process: Int32, thread: Int32) { get }
}

/// Scheduling state of a thread. All of it is behind `MutexTable.lock`.
struct Scheduling {
    var base = Schedule.usual
    /// What it runs under: `base`, or the best of those who wait for its mutexes.
    var effective = Schedule.usual
    var granted = HostSchedule()
    var peer: (any HostPeer)?
    /// The mutex it waits for, and those it owns for which somebody waits.
    var waitsFor: ThreadMutex?
    var contended: [ThreadMutex] = []
}

extension Thread {
    /// From now on the calling host thread carries this thread.
    func carried() { hostThread.store(host.hostThread, ordering: .relaxed) }

    /// The part of a user actor's thread that runs in its host process; nil: there is none any more.
    public func setPeer(_ peer: (any HostPeer)?) {
        registry.mutexes.lock.withLock { _ in
            let before = scheduling.peer
            scheduling.peer = peer
            guard scheduling.effective != .usual else { return }
            if peer != nil { return tellHost() }
            // It serves others next.
            guard let place = before?.place, place.process > 0, place.thread > 0 else { return }
            _ = host.schedule(place.thread, of: place.process, .usual)
        }
    }

    /// Not the usual schedule: its peer has to be told.
    public var hasSchedule: Bool { registry.mutexes.lock.withLock { _ in scheduling.effective != .usual } }

    /// The schedule that `maker` has itself, without what it runs under for others; never one that its actor might not ask for.
    func inherit(from maker: Thread?) {
        guard let wish = maker?.ownSchedule, wish != .usual else { return }
        guard actor.isPrivileged || wish.rank > Schedule.usual.rank else { return }
        setSchedule(wish)
    }

    private var ownSchedule: Schedule { registry.mutexes.lock.withLock { _ in scheduling.base } }

    func schedule() -> KnThreadSched {
        registry.mutexes.lock.withLock { _ in
            KnThreadSched(
                policy: scheduling.base.policy, priority: scheduling.base.priority,
                hostPolicy: scheduling.granted.policy, hostPriority: scheduling.granted.priority)
        }
    }

    func setSchedule(_ now: Schedule) {
        registry.mutexes.lock.withLock { _ in
            scheduling.base = now
            // Also when the nucleus sees no change: the host may refuse less than last time.
            scheduling.effective = urgency()
            tellHost()
            passOnUrgency()
        }
    }

    /// It has a host thread now.
    func tellSchedule() {
        registry.mutexes.lock.withLock { _ in if scheduling.effective != .usual { tellHost() } }
    }

    // MARK: behind the lock

    /// Its own schedule, or that of the most urgent thread that waits for it.
    private func urgency() -> Schedule {
        var best = scheduling.base
        for mutex in scheduling.contended {
            for waiter in mutex.waiters where waiter.scheduling.effective.rank < best.rank {
                best = waiter.scheduling.effective
            }
        }
        return best
    }

    private func tellHost() {
        let own = hostThread.load(ordering: .relaxed)
        if own > 0 { scheduling.granted = host.schedule(own, of: 0, scheduling.effective) }
        let peer = guest == nil ? scheduling.peer : site.unix?.threadPeer(self)
        guard let place = peer?.place, place.process > 0, place.thread > 0 else { return }
        scheduling.granted = host.schedule(place.thread, of: place.process, scheduling.effective)
    }

    /// The waiters of its mutexes have changed.
    func refreshUrgency() {
        let now = urgency()
        guard now != scheduling.effective else { return }
        scheduling.effective = now
        tellHost()
        passOnUrgency()
    }

    /// Who has the mutex it waits for runs as urgently as it does, and so on along the chain.
    private func passOnUrgency() {
        var mutex = scheduling.waitsFor
        var links = 0
        while let now = mutex, links < ThreadMutex.longestChain, let owner = now.owner {
            now.reorder()
            let best = owner.urgency()
            guard best != owner.scheduling.effective else { return }
            owner.scheduling.effective = best
            owner.tellHost()
            mutex = owner.scheduling.waitsFor
            links += 1
        }
    }
}
