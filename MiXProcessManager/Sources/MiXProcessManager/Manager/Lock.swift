import Synchronization

/// A plain lock for state that several fields of an object share. Never held across `ipcCall` (see README, lock order).
final class Lock: Sendable {
    private let mutex = Mutex<Void>(())

    @inline(__always)
    func withLock<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
        mutex._unsafeLock()
        defer { mutex._unsafeUnlock() }
        return try body()
    }
}
