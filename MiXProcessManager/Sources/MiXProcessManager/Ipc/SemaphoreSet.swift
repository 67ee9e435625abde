/// A System V semaphore set. Guarded by `lock`.
final class SemaphoreSet: IpcObject, @unchecked Sendable {
    // Sendable: see above.
    struct Semaphore {
        var value: Int32 = 0
        /// Who operated on it last.
        var pid: Int32 = 0
    }
    private(set) var semaphores: [Semaphore]
    var operated: Int64 = 0
    /// What SEM_UNDO takes back at the end of a process, one number a semaphore.
    private var adjustments: [Int32: [Int32]] = [:]
    /// What those who wait wait for: GETNCNT and GETZCNT count them.
    private var waiters: [ObjectIdentifier: Blocked] = [:]

    static let largest: Int32 = 32767  // SEMVMX, SEMAEM
    static let mostInSet = 32000, mostOperations = 500

    struct Operation {
        var number: Int
        var change: Int32
        var flags: UInt32
        static let undo: UInt32 = 0x1000
    }
    struct Blocked: Equatable {
        var number: Int
        var untilZero: Bool
    }

    init(id: Int32, permission: IpcPermission, count: Int) {
        semaphores = Array(repeating: Semaphore(), count: count)
        super.init(id: id, permission: permission)
    }

    /// All operations or none (semop(2)). Returns what the first one that cannot be done waits for. Under the lock.
    func perform(_ operations: [Operation], by pid: Int32) throws(Errno) -> Blocked? {
        var values = semaphores
        var undo: [Int32]?
        for operation in operations {
            let old = values[operation.number].value
            let blocked = Blocked(number: operation.number, untilZero: operation.change == 0)
            if operation.change == 0 ? old != 0 : old + operation.change < 0 {
                if operation.flags & Ipc.noWait != 0 { throw .EAGAIN }
                return blocked
            }
            let new = old + operation.change
            guard new <= Self.largest else { throw .ERANGE }
            if operation.flags & Operation.undo != 0 {
                var all = undo ?? adjustments[pid] ?? Array(repeating: 0, count: values.count)
                all[operation.number] -= operation.change
                guard abs(all[operation.number]) <= Self.largest + 1 else { throw .ERANGE }
                undo = all
            }
            values[operation.number] = Semaphore(value: new, pid: pid)
        }
        semaphores = values
        if let undo { adjustments[pid] = undo }
        operated = Self.now()
        return nil
    }

    /// SETVAL, SETALL: what was to be undone is forgotten. Under the lock.
    func set(_ number: Int, to value: Int32, by pid: Int32) {
        semaphores[number] = Semaphore(value: value, pid: pid)
        for process in adjustments.keys { adjustments[process]?[number] = 0 }
        changed = Self.now()
    }

    func wait(_ key: ObjectIdentifier, _ blocked: Blocked?) { waiters[key] = blocked }
    func waiting(_ blocked: Blocked) -> Int { waiters.values.count { $0 == blocked } }

    /// The end of a process. Values stay within their bounds, whatever that loses.
    func undo(of pid: Int32) {
        let isChanged = lock.withLock { () -> Bool in
            guard let all = adjustments.removeValue(forKey: pid), !isRemoved else { return false }
            for (number, change) in all.enumerated() where change != 0 {
                let value = min(max(semaphores[number].value + change, 0), Self.largest)
                semaphores[number] = Semaphore(value: value, pid: pid)
            }
            operated = Self.now()
            return true
        }
        if isChanged { queue.wake() }
    }
}

extension ProcessManager {
    /// SEM_UNDO of a process that has ended.
    func undoSemaphores(_ process: Process) {
        guard process.undoesSemaphores else { return }
        for set in ipc.semaphores.all { set.undo(of: process.pid) }
    }
}
