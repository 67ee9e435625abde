import Synchronization

/// Tasks waiting for one condition. Waking only marks tasks ready; their handlers run again when the thread that woke
/// them has left all locks and drains `ReadyList` (every entry from the nucleus ends with that).
final class WaitQueue: @unchecked Sendable {
    // Sendable: `entries` is only touched under `lock`.
    private struct Entry {
        let task: Task
        let ticket: UInt64
        let tag: UInt64
    }
    private let lock = Lock()
    private var entries: [Entry] = []

    init() {}

    var isEmpty: Bool { lock.withLock { entries.isEmpty } }
    var count: Int { lock.withLock { entries.count } }

    /// Called by `Task.enlist`. `tag` lets a waker choose (futex bitsets, lock ranges).
    func add(_ task: Task, ticket: UInt64, tag: UInt64) {
        lock.withLock { entries.append(Entry(task: task, ticket: ticket, tag: tag)) }
    }

    func remove(_ task: Task, ticket: UInt64) {
        lock.withLock { entries.removeAll { $0.task === task && $0.ticket == ticket } }
    }

    /// Wakes up to `limit` tasks in arrival order and returns how many really were waiting.
    @discardableResult
    func wake(_ limit: Int = .max, where matches: (UInt64) -> Bool = { _ in true }) -> Int {
        lock.withLock {
            if entries.isEmpty { return 0 }
            var woken = 0
            entries.removeAll { entry in
                guard woken < limit, matches(entry.tag) else { return false }
                if entry.task.wake(ticket: entry.ticket, by: self) { woken += 1 }
                return true
            }
            return woken
        }
    }

    /// Moves up to `limit` waiters to another queue without waking them (FUTEX_REQUEUE).
    func requeue(_ limit: Int, to other: WaitQueue) -> Int {
        let moved = lock.withLock { () -> [Entry] in
            let taken = Array(entries.prefix(limit))
            entries.removeFirst(taken.count)
            return taken
        }
        return moved.reduce(0) { count, entry in
            entry.task.requeue(ticket: entry.ticket, from: self, to: other, tag: entry.tag) ? count + 1 : count
        }
    }
}

/// Tasks whose handlers are to run again, in wake-up order.
final class ReadyList: @unchecked Sendable {
    // Sendable: guarded by `lock`.
    private let lock = Lock()
    private var tasks: [Task] = []
    private let pending = Atomic<Int>(0)

    func append(_ task: Task) {
        lock.withLock {
            tasks.append(task)
            pending.store(tasks.count, ordering: .releasing)
        }
    }
    func takeAll() -> [Task] {
        if pending.load(ordering: .acquiring) == 0 { return [] }
        return lock.withLock {
            pending.store(0, ordering: .releasing)
            if tasks.isEmpty { return [] }
            defer { tasks.removeAll(keepingCapacity: true) }
            return tasks
        }
    }
}
