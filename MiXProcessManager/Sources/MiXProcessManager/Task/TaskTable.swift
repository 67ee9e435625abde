/// Finds the task of a trap by the cookie the nucleus keeps with its thread. A slot is used again under another
/// generation, so a cookie of a dead task finds nothing.
final class TaskTable: @unchecked Sendable {
    // Sendable: guarded by `lock`.
    private let lock = Lock()
    private var slots: [(task: Task?, generation: UInt32)] = []
    private var free: [Int] = []

    func insert(_ task: Task) -> UInt64 {
        lock.withLock {
            let index: Int
            if let reused = free.popLast() {
                index = reused
            } else {
                index = slots.count
                slots.append((nil, 0))
            }
            slots[index].generation &+= 1
            slots[index].task = task
            return UInt64(slots[index].generation) << 32 | UInt64(index)
        }
    }
    func remove(_ cookie: UInt64) {
        lock.withLock {
            let index = Int(UInt32(truncatingIfNeeded: cookie))
            guard index < slots.count, slots[index].generation == UInt32(cookie >> 32), slots[index].task != nil else {
                return
            }
            slots[index].task = nil
            free.append(index)
        }
    }
    func find(_ cookie: UInt64) -> Task? {
        lock.withLock {
            let index = Int(UInt32(truncatingIfNeeded: cookie))
            guard index < slots.count, slots[index].generation == UInt32(cookie >> 32) else { return nil }
            return slots[index].task
        }
    }
}
