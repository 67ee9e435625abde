import CChorus
import CMachine
import Glibc
import NucleusCore
import Synchronization

/// The threads that poll the mailboxes and run trap handlers, in leader/follower order.
///
/// One leader polls. It runs the handler of what it finds itself; only if the handler blocks (`willBlock`) does a
/// follower take over, so an unblocked trap never costs a thread switch and a blocked one never stops the site.
final class TrapPool: @unchecked Sendable {
    // Sendable: all state is atomic or locked.
    // unsafe: it owns the pool, and stops it before it goes (`LinuxGuests.stop`). Each poll would count references.
    private unowned(unsafe) let guests: LinuxGuests
    private unowned(unsafe) let areas: AreaTable
    private let leading = Atomic<Bool>(false)
    /// Followers wait while this does not change.
    private let turn = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
    private let idleFollowers = Atomic<Int>(0)
    private let threads = Atomic<Int>(0)
    private let kicks = Mutex<[GuestThread]>([])
    private let retired = Mutex<[GuestThread]>([])
    private let retiredAny = Atomic<Bool>(false)
    private let kicksOwed = Atomic<Bool>(false)
    private let stopping = Atomic<Bool>(false)
    private static var most: Int { 256 }

    init(_ guests: LinuxGuests) {
        self.guests = guests
        areas = guests.areas
        turn.initialize(to: 0)
    }

    // MARK: who serves what, per host thread

    /// What a pool thread is doing; lives on its stack.
    final class Server: @unchecked Sendable {
        // Sendable: what others ask for is constant or atomic; the rest is its own thread's.
        unowned(unsafe) let pool: TrapPool  // which waits for its servers (`stop`)
        var leads = false
        var serving: GuestThread?
        /// Held with it: the thread itself lives only as long as its slot.
        var thread: Thread?
        /// Its nucleus thread, and whose trap it serves, for those who ask from outside.
        let li: KnThreadLid
        let client = Atomic<KnThreadLid>(0)
        init(_ pool: TrapPool, _ li: KnThreadLid) {
            self.pool = pool
            self.li = li
        }
    }
    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        pthread_key_create(&key, nil)
        return key
    }()
    private static func server() -> Server? {
        pthread_getspecific(key).map { Unmanaged<Server>.fromOpaque($0).takeUnretainedValue() }
    }
    private let servers = Mutex<[Server]>([])

    /// Which pool threads serve whom.
    func serving() -> [(server: KnThreadLid, client: KnThreadLid)] {
        servers.withLock { list in
            list.compactMap { server in
                let client = server.client.load(ordering: .relaxed)
                return client == 0 ? nil : (server.li, client)
            }
        }
    }

    /// The guest thread whose trap the calling host thread serves.
    static func serving() -> GuestThread? { server()?.serving }

    // MARK: life

    func start() { addThread() }

    /// Ends all pool threads; not to be called by one of them.
    func stop() {
        stopping.store(true, ordering: .sequentiallyConsistent)
        while threads.load(ordering: .acquiring) > 0 {
            guests.wakePool()
            mb_store(turn, mb_load(turn) &+ 1)
            _ = guest_futex_wake(turn, Int32.max)
            usleep(200)
        }
    }

    private func addThread() {
        guard !stopping.load(ordering: .relaxed), threads.wrappingAdd(1, ordering: .relaxed).newValue <= Self.most
        else {
            threads.wrappingSubtract(1, ordering: .relaxed)
            return
        }
        // The thread holds the site until it is stopped.
        let site = guests.site
        if site.host.startThread(name: "trap-pool", stackSize: 512 * 1024, { [self] in run(site) }) < 0 {
            // The next one that is done with its handler takes the lead.
            threads.wrappingSubtract(1, ordering: .relaxed)
            site.report(0, "trap-pool: the host refuses a thread")
        }
    }

    private func run(_ site: Site) {
        let server = Server(self, Thread.carrier(site, name: "trap-pool").li)
        pthread_setspecific(Self.key, Unmanaged.passUnretained(server).toOpaque())
        servers.withLock { $0.append(server) }
        defer {
            servers.withLock { list in list.removeAll { $0 === server } }
            pthread_setspecific(Self.key, nil)
            threads.wrappingSubtract(1, ordering: .releasing)
        }
        while !stopping.load(ordering: .relaxed) {
            if leading.compareExchange(expected: false, desired: true, ordering: .acquiringAndReleasing).exchanged {
                server.leads = true
                lead(server)
            } else {
                let seen = mb_load(turn)
                idleFollowers.wrappingAdd(1, ordering: .sequentiallyConsistent)
                if leading.load(ordering: .sequentiallyConsistent) { _ = guest_futex_wait(turn, seen, -1) }
                idleFollowers.wrappingSubtract(1, ordering: .relaxed)
            }
        }
    }

    /// Called by the host services when the calling thread is about to sleep: a follower takes the lead.
    static func willBlock() {
        guard let server = server(), server.leads else { return }
        server.pool.handOver(server)
    }

    private func handOver(_ server: Server) {
        server.leads = false
        leading.store(false, ordering: .sequentiallyConsistent)
        if idleFollowers.load(ordering: .sequentiallyConsistent) > 0 {
            mb_store(turn, mb_load(turn) &+ 1)
            _ = guest_futex_wake(turn, 1)
        } else {
            addThread()
        }
    }

    // MARK: polling

    private func lead(_ server: Server) {
        let control = guests.control
        let sleeping = withUnsafeMutablePointer(to: &control.pointee.poolSleeping) { $0 }
        var idle = 0
        var round: UInt32 = 0
        var contended: UInt32 = 0
        while server.leads {
            if stopping.load(ordering: .relaxed) {
                leading.store(false, ordering: .sequentiallyConsistent)
                return
            }
            // Not only when idle: a kick may have missed its thread while others keep the site busy.
            round &+= 1
            if round & 0xff == 0, kicksOwed.load(ordering: .relaxed) { _ = retryKicks() }
            if scan(server) {
                idle = 0
                continue
            }
            idle += 1
            if idle < guests.policy.spin {
                mb_pause()
            } else if idle < guests.policy.spin + guests.policy.idleYield, contended == 0 {
                if guest_yield() != 0 { contended = MB_CONTENDED }
            } else {
                if contended > 0 { contended -= 1 }
                _ = retryKicks()
                mb_store(sleeping, 1)
                mb_fence()
                // Owed between the two: whoever did it saw a pool that is awake.
                let owed = kicksOwed.load(ordering: .sequentiallyConsistent)
                if !scan(server, only: true) { _ = guest_event_wait(guests.event, owed ? 1 : -1) }
                mb_store(sleeping, 0)
                idle = guests.policy.spin
            }
        }
    }

    /// Serves every mailbox with a new post; false if there was none. `only`: just looks.
    private func scan(_ server: Server, only: Bool = false) -> Bool {
        if retiredAny.load(ordering: .acquiring) { reclaim() }
        let high = areas.high.load(ordering: .relaxed)
        var found = false
        var slot = 0
        while slot < high {
            if slot & 7 == 0, !areas.anyPolled(slot) {
                slot += 8
                continue
            }
            if areas.polled[slot].load(ordering: .acquiring) == 1 {
                let post = withUnsafePointer(to: &areas.area(Int32(slot)).pointee.guest.post) { mb_load($0) }
                let last = areas.taken[slot].load(ordering: .relaxed)
                if Int32(bitPattern: post &- last) > 0 {
                    if only { return true }
                    if areas.polled[slot].compareExchange(expected: 1, desired: 0, ordering: .acquiringAndReleasing)
                        .exchanged
                    {
                        areas.taken[slot].store(post, ordering: .relaxed)
                        if let guest = guests.occupant(Int32(slot)) {
                            found = true
                            server.serving = guest
                            server.thread = guest.thread
                            server.client.store(guest.thread.li, ordering: .relaxed)
                            guests.serve(guest)
                            server.client.store(0, ordering: .relaxed)
                            server.serving = nil
                            server.thread = nil
                            if !server.leads { return true }
                        }
                    }
                }
            }
            slot += 1
        }
        return found
    }

    // MARK: dead threads

    /// A thread is dead: its mailbox goes when the leader surely does not look at it.
    func retire(_ guest: GuestThread) {
        retired.withLock { $0.append(guest) }
        retiredAny.store(true, ordering: .releasing)
    }

    private func reclaim() {
        let list = retired.withLock { list -> [GuestThread] in
            defer { list.removeAll(keepingCapacity: true) }
            retiredAny.store(false, ordering: .releasing)
            return list
        }
        for guest in list {
            // Somebody may still be in a dialogue with it: next time.
            let slot = guest.slot
            guard guest.dialogue.withLockIfAvailable({ _ in guests.vacate(slot) }) != nil else {
                retire(guest)
                continue
            }
        }
    }

    // MARK: kicks

    /// Makes a running guest thread post, again and again until it does: one that is just leaving its stub misses it.
    func owe(_ guest: GuestThread) {
        guest.kick.store(true, ordering: .sequentiallyConsistent)
        guests.sendKick(guest)
        if !guest.kickListed.exchange(true, ordering: .acquiringAndReleasing) { kicks.withLock { $0.append(guest) } }
        kicksOwed.store(true, ordering: .sequentiallyConsistent)
        if withUnsafeMutablePointer(to: &guests.control.pointee.poolSleeping, { mb_load($0) }) != 0 {
            guests.wakePool()
        }
    }

    private func retryKicks() -> Bool {
        guard kicksOwed.load(ordering: .acquiring) else { return false }
        let late = kicks.withLock { list -> [GuestThread] in
            list.removeAll { guest in
                guard !guest.kick.load(ordering: .acquiring) || guest.standing == .dead else { return false }
                guest.kickListed.store(false, ordering: .sequentiallyConsistent)
                // Owed anew in this instant: it stays.
                guard guest.kick.load(ordering: .sequentiallyConsistent), guest.standing != .dead else { return true }
                return guest.kickListed.exchange(true, ordering: .sequentiallyConsistent)
            }
            kicksOwed.store(!list.isEmpty, ordering: .releasing)
            return list
        }
        for guest in late where guest.standing == .running { guests.sendKick(guest) }
        return !late.isEmpty
    }
}
