/// Wait queues of futex words. A queue exists while someone waits or is about to.
final class FutexTable: @unchecked Sendable {
    // Sendable: guarded by `lock`.
    let lock = Lock()
    var pi = PiLocks()
    private var queues: [FutexKey: WaitQueue] = [:]

    /// Under `lock`.
    func queueLocked(_ key: FutexKey) -> WaitQueue {
        if let queue = queues[key] { return queue }
        // Empty queues are swept when there are many: words come and go with stacks and heaps.
        if queues.count >= 1024 { queues = queues.filter { !$0.value.isEmpty } }
        let queue = WaitQueue()
        queues[key] = queue
        return queue
    }
    func knownLocked(_ key: FutexKey) -> WaitQueue? { queues[key] }
}

/// What makes two futex words the same: an address in one address space, or a place in a segment.
struct FutexKey: Hashable {
    var object: UInt64
    var offset: UInt64
    var isShared: Bool
}
