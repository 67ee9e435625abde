import CChorus
import CMachine
import Glibc
import NucleusCore
import Synchronization

/// Something that is to be done in one address space, by the stub of any of its threads: one that is held, or else the
/// first that posts.
final class Errand: @unchecked Sendable {
    // Sendable: `done` is only touched by atomic host calls; `result` is written before it, by who has claimed the errand.
    let space: GuestSpace
    private let body: @Sendable (GuestThread) -> Int64?
    private let claimed = Atomic<Bool>(false)
    private(set) var result: Int64 = 0
    /// 1 when it is done.
    let done = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)

    /// `body`: with a thread that is held; a result, or nil if that thread is gone.
    init(_ space: GuestSpace, _ body: @escaping @Sendable (GuestThread) -> Int64?) {
        self.space = space
        self.body = body
        done.initialize(to: 0)
    }

    deinit { done.deallocate() }

    /// False if the guest is gone, or another does it.
    func carryOut(_ guest: GuestThread) -> Bool {
        guard !claimed.exchange(true, ordering: .sequentiallyConsistent) else { return false }
        guard let result = body(guest) else {
            claimed.store(false, ordering: .sequentiallyConsistent)
            return false
        }
        self.result = result
        mb_store(done, 1)
        _ = guest_futex_wake(done, Int32.max)
        return true
    }
}

/// Those that wait for a post. Every post looks at `any`.
final class Errands: Sendable {
    private let count = Atomic<Int>(0)
    private let list = Mutex<[Errand]>([])

    @inline(__always) var any: Bool { count.load(ordering: .sequentiallyConsistent) > 0 }

    func add(_ errand: Errand) {
        list.withLock { $0.append(errand) }
        count.wrappingAdd(1, ordering: .sequentiallyConsistent)
    }

    func remove(_ errand: Errand) {
        count.wrappingSubtract(1, ordering: .sequentiallyConsistent)
        list.withLock { $0.removeAll { $0 === errand } }
    }

    /// What concerns the guest, which has just posted.
    func carryOut(_ guest: GuestThread, _ guests: LinuxGuests) {
        guard let space = guests.space(guest.thread.actor) else { return }
        for errand in list.withLock({ $0.filter { $0.space === space } }) where mb_load(errand.done) == 0 {
            _ = errand.carryOut(guest)
        }
    }
}

extension LinuxGuests {
    enum ErrandEnd {
        case done(Int64)
        /// Nobody lives in the space any more.
        case gone
        /// None of its threads obeys.
        case late
    }

    /// How long the guests of a space may take, in steps of 10 ms.
    private static var patience: Int { 1000 }

    func errand(_ space: GuestSpace, _ body: @escaping @Sendable (GuestThread) -> Int64?) -> ErrandEnd {
        let errand = Errand(space, body)
        errands.add(errand)
        defer { errands.remove(errand) }
        for step in 0..<Self.patience {
            let inhabitants = site.allActors.filter { $0.isUnix && self.space($0) === space }
            let processes = inhabitants.compactMap { ($0.guest as? GuestActor)?.process }
            guard processes.contains(where: { !$0.dead.load(ordering: .acquiring) }) else { return .gone }
            if mb_load(errand.done) != 0 { return .done(errand.result) }
            // A thread that is held obeys at once; one that runs is made to post.
            if inhabitants.contains(where: { agent($0).map(errand.carryOut) ?? false }) { return .done(errand.result) }
            if step % 100 == 0, let running = inhabitants.lazy.compactMap({ self.running($0) }).first {
                pool.owe(running)
            }
            TrapPool.willBlock()
            _ = guest_futex_wait(errand.done, 0, 10_000_000)
        }
        return .late
    }

    private func running(_ actor: Actor) -> GuestThread? {
        (actor.guest as? GuestActor)?.threads.withLock { $0?.first { $0.standing == .running } }
    }

    /// Commands the stub of a thread of `actor`, which is made to post if none is held. Nil if the actor is gone.
    func command(_ actor: Actor, _ body: @escaping @Sendable (GuestThread) -> Int64?) -> Int64? {
        if let agent = agent(actor), let result = body(agent) { return result }
        guard let space = space(actor), case .done(let result) = errand(space, body) else { return nil }
        return result
    }
}
