import CMachine
import Glibc
import Synchronization

/// The thread that makes this process's children. A child that asks to die with its parent dies with the thread that
/// made it (prctl(2), PR_SET_PDEATHSIG), so this one never ends.
public final class Spawner: @unchecked Sendable {  // Sendable: all state is guarded by `lock`.
    public static let shared = Spawner()
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var started = false
    private var jobs: [Job] = []

    private final class Job {
        let body: () -> Int32
        var result: Int32?
        init(_ body: @escaping () -> Int32) { self.body = body }
    }

    private init() {
        pthread_mutex_init(lock, nil)
        pthread_cond_init(changed, nil)
    }

    /// Runs `body` on that thread and returns its result; -EAGAIN if the host gives no thread.
    public func run(_ body: () -> Int32) -> Int32 {
        withoutActuallyEscaping(body) { body in
            let job = Job(body)
            pthread_mutex_lock(lock)
            defer { pthread_mutex_unlock(lock) }
            guard start() else { return -EAGAIN }
            jobs.append(job)
            pthread_cond_broadcast(changed)
            while true {
                if let result = job.result { return result }
                pthread_cond_wait(changed, lock)
            }
        }
    }

    private func start() -> Bool {
        if started { return true }
        var thread = pthread_t()
        let failed = pthread_create(
            &thread, nil,
            { _ in
                Spawner.shared.loop()
                return nil
            }, nil)
        if failed == 0 { pthread_detach(thread) }
        started = failed == 0
        return started
    }

    private func loop() {
        pthread_mutex_lock(lock)
        while true {
            if jobs.isEmpty {
                pthread_cond_wait(changed, lock)
                continue
            }
            let job = jobs.removeFirst()
            pthread_mutex_unlock(lock)
            let result = job.body()
            pthread_mutex_lock(lock)
            job.result = result
            pthread_cond_broadcast(changed)
        }
    }
}
