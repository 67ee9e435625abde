import CChorus
import Synchronization

/// The end of a site: `sysShutdown` sets it once, `siteWait` waits for it.
final class Ending: @unchecked Sendable {
    // Sendable: the word is atomic, the status written once before it.
    private let host: any HostServices
    private let word: UnsafeMutablePointer<Atomic<UInt32>>
    private let status = Mutex<Int32?>(nil)

    init(host: any HostServices) {
        self.host = host
        word = .allocate(capacity: 1)
        word.initialize(to: Atomic(0))
    }

    deinit {
        word.deinitialize(count: 1)
        word.deallocate()
    }

    private var futex: UnsafeMutablePointer<UInt32> {
        UnsafeMutableRawPointer(word).assumingMemoryBound(to: UInt32.self)
    }

    /// The first status stays.
    func end(_ value: Int32) {
        status.withLock { if $0 == nil { $0 = value } }
        word.pointee.store(1, ordering: .releasing)
        host.wake(futex, Int32.max)
    }

    func wait() -> Int32 {
        while word.pointee.load(ordering: .acquiring) == 0 { _ = host.wait(futex, 0, deadline: nil) }
        return status.withLock { $0 ?? 0 }
    }
}

extension Site {
    public func shutdown(_ status: Int32) { ending.end(status) }
    /// Until somebody calls `shutdown`; its status.
    public func waitShutdown() -> Int32 { ending.wait() }
}
