import Glibc

/// A plain lock; not recursive.
package final class Lock: @unchecked Sendable {
    // Sendable: a pthread mutex is made to be used from several threads.
    private let raw: UnsafeMutablePointer<pthread_mutex_t>

    package init() {
        raw = .allocate(capacity: 1)
        raw.initialize(to: pthread_mutex_t())
        pthread_mutex_init(raw, nil)
    }

    deinit {
        pthread_mutex_destroy(raw)
        raw.deallocate()
    }

    @inline(__always) package func with<Result>(_ body: () throws -> Result) rethrows -> Result {
        pthread_mutex_lock(raw)
        defer { pthread_mutex_unlock(raw) }
        return try body()
    }
}
