import CChorus
import Synchronization

/// A task that waits for a lock with priority inheritance, or (FUTEX_WAIT_REQUEUE_PI) to be sent to one.
final class PiWaiter: GivesUp {
    let task: Task
    let queue = WaitQueue()
    /// The lock, and where its word is in the task's own memory.
    let key: FutexKey
    let address: UInt64
    /// The word it waits at before it is requeued.
    var first: FutexKey?
    /// The lock is the task's.
    var isOwner = false

    init(_ task: Task, _ key: FutexKey, address: UInt64, first: FutexKey? = nil) {
        self.task = task
        self.key = key
        self.address = address
        self.first = first
    }

    /// Timed out, interrupted or dying: no lock is handed to it any more.
    func callEnded() { task.manager.futexes.lock.withLock { task.manager.futexes.pi.remove(self) } }

    /// A lock that was handed to it meanwhile is its own.
    func valueWhenInterrupted() -> Int64? {
        task.manager.futexes.lock.withLock {
            task.manager.futexes.pi.remove(self)
            return isOwner ? 0 : nil
        }
    }
}

/// Waiters of PI locks, in order of arrival: guests' priorities are the host's to keep, so what is inherited is the turn.
/// All under the futex table's lock.
struct PiLocks {
    private struct Waiting {
        var owner: Int32
        var waiters: [PiWaiter]
    }
    private var locks: [FutexKey: Waiting] = [:]
    private var requeued: [FutexKey: [PiWaiter]] = [:]

    var isEmpty: Bool { locks.isEmpty }
    func isAwaited(_ key: FutexKey) -> Bool { locks[key] != nil }

    mutating func append(_ waiter: PiWaiter, owner: Int32) {
        locks[waiter.key, default: Waiting(owner: owner, waiters: [])].waiters.append(waiter)
    }
    mutating func appendFirst(_ waiter: PiWaiter, at first: FutexKey) { requeued[first, default: []].append(waiter) }

    mutating func remove(_ waiter: PiWaiter) {
        if let first = waiter.first {
            requeued[first]?.removeAll { $0 === waiter }
            if requeued[first]?.isEmpty == true { requeued[first] = nil }
        }
        locks[waiter.key]?.waiters.removeAll { $0 === waiter }
        if locks[waiter.key]?.waiters.isEmpty == true { locks[waiter.key] = nil }
    }

    func nextWaiter(_ key: FutexKey) -> PiWaiter? { locks[key]?.waiters.first }

    /// The first one is the owner now.
    mutating func handOn(_ key: FutexKey) {
        guard let waiter = locks[key]?.waiters.removeFirst() else { return }
        waiter.isOwner = true
        locks[key]?.owner = waiter.task.tid
        if locks[key]?.waiters.isEmpty == true { locks[key] = nil }
        waiter.queue.wake()
    }

    func firstRequeued(_ key: FutexKey) -> PiWaiter? { requeued[key]?.first }

    mutating func takeRequeued(_ key: FutexKey) {
        let waiter = requeued[key]?.removeFirst()
        waiter?.first = nil
        if requeued[key]?.isEmpty == true { requeued[key] = nil }
    }

    /// Locks that a task leaves behind with waiters.
    func owned(by tid: Int32) -> [FutexKey] { locks.filter { $0.value.owner == tid }.map(\.key) }

    /// Whether `tid` waits, perhaps over others, for a lock of `task`.
    func waits(_ tid: Int32, for task: Task) -> Bool {
        var tid = tid
        for _ in 0..<1024 {
            guard let entry = locks.values.first(where: { $0.waiters.contains { $0.task.tid == tid } }) else {
                return false
            }
            if entry.owner == task.tid { return true }
            tid = entry.owner
        }
        return false
    }
}
