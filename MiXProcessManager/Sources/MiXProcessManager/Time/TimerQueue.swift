import ActorKit
import CChorus
import Glibc

/// All deadlines of the manager, served by one thread that sleeps for ever when there are none.
///
/// Nucleus delays are whole milliseconds; a nanosleep of 50 us needs better, so this server thread sleeps on a
/// condition variable of its own process, which works alike in both privileges.
final class TimerQueue: @unchecked Sendable {
    // Sendable: `heap`, `sleepingUntil` and `stopping` are guarded by `mutex`.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let clock: Clock
    private var heap = TimerHeap()
    private var sleepingUntil: UInt64 = 0
    private var stopping = false
    /// Runs after a batch of timers, without locks.
    var afterBatch: @Sendable () -> Void = {}

    init(clock: Clock) {
        self.clock = clock
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
    }
    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func start(_ nucleus: Nucleus) -> Int32 {
        var thread: KnThreadLid = 0
        return nucleus.threadCreate(
            { argument in
                if let argument { Unmanaged<TimerQueue>.fromOpaque(argument).takeRetainedValue().run() }
            }, Unmanaged.passRetained(self).toOpaque(), 256 * 1024, "mix-timers", &thread)
    }
    func stop() {
        pthread_mutex_lock(mutex)
        stopping = true
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }

    func arm(at deadline: UInt64, _ fire: @escaping @Sendable () -> Void) -> TimerNode {
        let node = TimerNode(deadline: deadline, fire: fire)
        pthread_mutex_lock(mutex)
        heap.insert(node)
        // Wake the thread only when it would sleep past this deadline.
        if deadline < sleepingUntil { pthread_cond_signal(condition) }
        pthread_mutex_unlock(mutex)
        return node
    }
    @discardableResult
    func cancel(_ node: TimerNode) -> Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return heap.remove(node)
    }

    private func run() {
        pthread_mutex_lock(mutex)
        while !stopping {
            let due = heap.takeDue(clock.monotonic())
            if !due.isEmpty {
                sleepingUntil = 0
                pthread_mutex_unlock(mutex)
                for node in due { node.fire() }
                afterBatch()
                pthread_mutex_lock(mutex)
            } else if let next = heap.first {
                sleepingUntil = next.deadline
                var until = timespec(
                    tv_sec: Int(next.deadline / 1_000_000_000), tv_nsec: Int(next.deadline % 1_000_000_000))
                pthread_cond_timedwait(condition, mutex, &until)
            } else {
                sleepingUntil = .max
                pthread_cond_wait(condition, mutex)
            }
        }
        pthread_mutex_unlock(mutex)
    }
}
