/// A context of io_setup(2). It belongs to an address space, where a page of its own is its name.
///
/// Requests are carried out by io_submit itself, which Linux allows and does too wherever it finds nothing to wait for: what is
/// submitted is complete when the call returns.
final class AioContext: @unchecked Sendable {
    // Sendable: guarded by `lock`.
    /// `struct io_event`.
    struct Event: BitwiseCopyable {
        var data: UInt64
        var request: UInt64
        var result: Int64
        var more: Int64 = 0
    }

    let lock = Lock()
    let queue = WaitQueue()
    private let most: Int
    private var events: [Event] = []
    private(set) var isGone = false

    init(most: Int) { self.most = most }

    var isFull: Bool { lock.withLock { events.count >= most } }

    func complete(_ event: Event) {
        lock.withLock { events.append(event) }
        queue.wake()
    }

    /// Under the lock: up to `limit`, if there are `least`.
    func take(least: Int, limit: Int) -> [Event]? {
        guard events.count >= least else { return nil }
        let taken = Array(events.prefix(limit))
        events.removeFirst(taken.count)
        return taken
    }

    func end() {
        lock.withLock { isGone = true }
        queue.wake()
    }
}
