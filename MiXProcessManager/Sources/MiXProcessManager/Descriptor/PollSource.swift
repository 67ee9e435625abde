import Synchronization

/// Something whose state polls wait for: one queue of tasks, and the epoll entries that watch it.
final class PollSource: Sendable {
    let queue = WaitQueue()
    private let items = Mutex<[EpollItem]>([])
    private let watched = Atomic<Bool>(false)

    /// The state may have changed: waiters look again. Called without locks.
    func notify() {
        queue.wake()
        guard watched.load(ordering: .acquiring) else { return }
        for item in items.withLock({ $0 }) { item.fire() }
    }

    func attach(_ item: EpollItem) {
        items.withLock { $0.append(item) }
        watched.store(true, ordering: .releasing)
    }

    func detach(_ item: EpollItem) {
        items.withLock { all in
            if let place = all.lastIndex(where: { $0 === item }) { all.remove(at: place) }
            if all.isEmpty { watched.store(false, ordering: .releasing) }
        }
    }
}
