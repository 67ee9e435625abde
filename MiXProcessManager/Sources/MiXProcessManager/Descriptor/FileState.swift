import CChorus
import Synchronization

/// What the file half keeps for the whole manager.
final class FileState: Sendable {
    private let numbers: Atomic<UInt64>
    private let events = Mutex<[WatchEvent]>([])
    /// Writes with O_APPEND to one file exclude each other; files share locks by their key.
    private let appendLocks = (0..<16).map { _ in Lock() }
    let fifos = FifoTable()
    let numberCache = Mutex(NumberCache())

    /// `seed`: differs from one start of the manager to the next, for servers remember owners.
    init(seed: UInt64) { numbers = Atomic(seed & 0x3fff_ffff_ffff_0000 | 1) }

    func nextNumber() -> UInt64 { numbers.add(1, ordering: .relaxed).newValue }

    func appendLock(_ object: UInt64) -> Lock {
        appendLocks[Int((object ^ object >> 17 ^ object >> 40) & 15)]
    }

    /// An event whose posting notifies `source`. Events are kept for reuse rather than deleted, so a late one wakes
    /// somebody for nothing at worst.
    func watchEvent(_ manager: ProcessManager, for source: PollSource) throws(Errno) -> WatchEvent {
        if let old = events.withLock({ $0.popLast() }) {
            old.aim(at: source)
            return old
        }
        return try WatchEvent(manager, source)
    }

    func giveBack(_ event: WatchEvent) {
        event.aim(at: nil)
        events.withLock { $0.append(event) }
    }
}

/// A nucleus event that a server posts when something watched may have become true (OBJ_WATCH).
final class WatchEvent: @unchecked Sendable {
    // Sendable: `source` and `wanted` are guarded by `lock`, `capability` is constant after init.
    private let lock = Lock()
    private var source: PollSource?
    /// Bits that waiters asked for since the last posting: a new watch replaces the older one and must not lose them.
    private var wanted: UInt32 = 0
    private unowned let manager: ProcessManager
    private(set) var capability = KnCap()

    fileprivate init(_ manager: ProcessManager, _ source: PollSource) throws(Errno) {
        self.manager = manager
        self.source = source
        // Kept for as long as the manager lives, as the nucleus keeps the cookie.
        let cookie = Unmanaged.passRetained(self)
        let code = manager.nucleus.eventCreate(
            { cookie, _ in
                guard let cookie else { return K_EINVAL }
                Unmanaged<WatchEvent>.fromOpaque(cookie).takeUnretainedValue().posted()
                return K_OK
            }, cookie.toOpaque(), &capability)
        if code < 0 {
            cookie.release()
            throw .ENOMEM
        }
    }

    fileprivate func aim(at source: PollSource?) {
        lock.withLock {
            self.source = source
            wanted = 0
        }
    }

    /// Adds bits to wait for and returns all that are waited for.
    func want(_ mask: UInt32) -> UInt32 {
        lock.withLock {
            wanted |= mask
            return wanted
        }
    }

    /// The watch is gone at the server: whoever still waits asks again.
    private func posted() {
        let source = lock.withLock {
            wanted = 0
            return self.source
        }
        manager.enter { source?.notify() }
    }
}
