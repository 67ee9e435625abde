import CChorus
import Synchronization

/// A mutex whose owner runs at the best priority of those who wait for it. It may be shared by actors of any privilege.
///
/// While nobody waits, getting and releasing are one exchange of `word`. With a waiter the word says so, and only who
/// holds `MutexTable.lock` changes it.
final class ThreadMutex: @unchecked Sendable {
    // Sendable: constants and an atomic word; the rest is behind `MutexTable.lock`.
    let li: Int32
    let creator: Actor
    private let table: MutexTable
    /// Waiters get it by priority, not by their order.
    private let byPriority: Bool
    /// LI of the owner, and `slow`: waiters, or an owner that died. 0: free.
    private let word = Atomic<UInt32>(0)
    private static var slow: UInt32 { 0x8000_0000 }
    /// Mutexes that inheritance follows, owner by owner; also the longest circle that is told.
    static var longestChain: Int { 64 }

    // Behind the lock:
    private(set) var waiters: [Thread] = []
    private var deleted = false

    init(_ table: MutexTable, li: Int32, creator: Actor, byPriority: Bool) {
        self.table = table
        self.li = li
        self.creator = creator
        self.byPriority = byPriority
    }

    private var ownerLi: UInt32 { word.load(ordering: .sequentiallyConsistent) & ~Self.slow }
    /// nil also when it has just died.
    var owner: Thread? { table.thread(ownerLi) }

    private static func name(_ thread: Thread) -> UInt32 { UInt32(bitPattern: thread.li) }

    /// nil: somebody has it, and the thread waits (if it is to wait).
    private func take(_ thread: Thread, wait: Bool) -> Int32? {
        let me = Self.name(thread)
        while true {
            let value = word.load(ordering: .sequentiallyConsistent)
            if value & ~Self.slow == 0 {
                // An orphan has no waiters: they would have got it.
                guard exchange(value, me) else { continue }
                return value == 0 ? K_OK : K_MUTEX_ORPHAN
            }
            if value & ~Self.slow == me { return K_EBUSY }
            guard wait else { return nil }
            if value & Self.slow == 0, !exchange(value, value | Self.slow) { continue }
            return nil
        }
    }

    private func exchange(_ old: UInt32, _ new: UInt32) -> Bool {
        word.compareExchange(expected: old, desired: new, ordering: .sequentiallyConsistent).exchanged
    }

    func tryGet(_ thread: Thread) -> Int32 {
        thread.usesMutexes.store(true, ordering: .relaxed)
        if exchange(0, Self.name(thread)) { return K_OK }
        return table.lock.withLock { _ in deleted ? K_EUNKNOWN : take(thread, wait: false) ?? K_EBUSY }
    }

    func get(_ thread: Thread, _ actor: Actor, _ delay: Int32) -> Int32 {
        thread.usesMutexes.store(true, ordering: .relaxed)
        if exchange(0, Self.name(thread)) { return K_OK }
        if delay != 0 { thread.arm(abortable: true) }
        let now = table.lock.withLock { _ -> Int32? in
            if deleted { return K_EUNKNOWN }
            if let code = take(thread, wait: delay != 0) { return code }
            if delay == 0 { return K_ETIMEOUT }
            if closesCircle(thread) { return K_EBUSY }
            enqueue(thread)
            return nil
        }
        if let now {
            if delay != 0 { thread.disarm() }
            return now
        }
        let code = thread.sleep(actor, "mutexGet", abortable: true, deadline: deadline(actor.site.host, delay))
        if code < 0 { table.lock.withLock { _ in giveUp(thread) } }
        return code
    }

    func release(_ thread: Thread) -> Int32 {
        let me = Self.name(thread)
        if exchange(me, 0) { return K_OK }
        return table.lock.withLock { _ in
            if deleted { return K_EUNKNOWN }
            guard ownerLi == me else { return K_EPRIV }
            handOver(from: thread, K_OK)
            return K_OK
        }
    }
}

/// Behind the lock.
extension ThreadMutex {
    /// Whoever has it waits, link by link, for `thread`.
    private func closesCircle(_ thread: Thread) -> Bool {
        var next = owner
        for _ in 0..<Self.longestChain {
            guard let owner = next else { return false }
            if owner === thread { return true }
            next = owner.scheduling.waitsFor?.owner
        }
        return true
    }

    private func enqueue(_ thread: Thread) {
        thread.scheduling.waitsFor = self
        waiters.append(thread)
        reorder()
        guard let owner else { return }
        if waiters.count == 1 { owner.scheduling.contended.append(self) }
        owner.refreshUrgency()
    }

    /// A waiter is as urgent as others now, or less. Waiters of one priority keep their order.
    func reorder() {
        guard byPriority, waiters.count > 1 else { return }
        let ranked = waiters.enumerated().sorted {
            ($0.element.scheduling.effective.rank, $0.offset) < ($1.element.scheduling.effective.rank, $1.offset)
        }
        waiters = ranked.map(\.element)
    }

    private func giveUp(_ thread: Thread) {
        thread.scheduling.waitsFor = nil
        waiters.removeAll { $0 === thread }
        let owner = self.owner
        if waiters.isEmpty {
            owner?.scheduling.contended.removeAll { $0 === self }
            let value = word.load(ordering: .sequentiallyConsistent)
            if value & ~Self.slow != 0 { word.store(value & ~Self.slow, ordering: .sequentiallyConsistent) }
        }
        owner?.refreshUrgency()
    }

    /// To the next waiter that has not just given up. `code` is what that one's mutexGet returns.
    private func handOver(from old: Thread, _ code: Int32) {
        old.scheduling.contended.removeAll { $0 === self }
        var heir: Thread?
        while heir == nil, !waiters.isEmpty {
            let next = waiters.removeFirst()
            next.scheduling.waitsFor = nil
            if next.complete(code) { heir = next }
        }
        if let heir {
            if !waiters.isEmpty { heir.scheduling.contended.append(self) }
            word.store(Self.name(heir) | (waiters.isEmpty ? 0 : Self.slow), ordering: .sequentiallyConsistent)
            heir.refreshUrgency()
        } else {
            word.store(code == K_OK ? 0 : Self.slow, ordering: .sequentiallyConsistent)
        }
        old.refreshUrgency()
    }

    /// Its owner, if that is `thread`, has died.
    func orphan(_ thread: Thread) { if ownerLi == Self.name(thread) { handOver(from: thread, K_MUTEX_ORPHAN) } }

    /// Those who wait get K_EUNKNOWN, and so does its owner when releasing it.
    func delete() {
        deleted = true
        let owner = self.owner
        owner?.scheduling.contended.removeAll { $0 === self }
        for waiter in waiters {
            waiter.scheduling.waitsFor = nil
            waiter.complete(K_EUNKNOWN)
        }
        waiters = []
        // Never free again: who still knows it by name takes the slow way and finds it deleted.
        word.store(Self.slow | ~Self.slow, ordering: .sequentiallyConsistent)
        owner?.refreshUrgency()
    }
}
