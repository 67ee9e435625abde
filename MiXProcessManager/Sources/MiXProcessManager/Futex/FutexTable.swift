/// Wait queues of futex words.
final class FutexTable: @unchecked Sendable {
    // Sendable: guarded by `lock`.
    let lock = Lock()
    var queues: [FutexKey: WaitQueue] = [:]
}

/// What makes two futex words the same: an address in one address space, or a place in a segment.
struct FutexKey: Hashable {
    var object: UInt64
    var offset: UInt64
    var isShared: Bool
}
