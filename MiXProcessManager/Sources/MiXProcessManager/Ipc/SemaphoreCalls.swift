/// semget(2), semop(2), semctl(2).
enum SemaphoreCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (64, "semget", get), (65, "semop", operate), (66, "semctl", control), (220, "semtimedop", operate),
    ]

    @Sendable private static func get(_ call: Call) throws(Errno) -> Outcome {
        let count = Int(call.int(1))
        guard 0...SemaphoreSet.mostInSet ~= count else { throw .EINVAL }
        let id = try call.manager.ipc.semaphores.get(
            key: call.int(0), flags: call.uint(2), call.process.credentials
        ) { (known) throws(Errno) in
            guard count <= known.semaphores.count else { throw .EINVAL }
        } make: { (id, permission) throws(Errno) in
            guard count > 0 else { throw .EINVAL }
            return SemaphoreSet(id: id, permission: permission, count: count)
        }
        return .done(value: id)
    }

    /// Kept while it waits.
    private final class Waiting: GivesUp {
        let set: SemaphoreSet
        init(_ set: SemaphoreSet) { self.set = set }
        func callEnded() { set.lock.withLock { set.wait(ObjectIdentifier(self), nil) } }
    }

    @Sendable private static func operate(_ call: Call) throws(Errno) -> Outcome {
        let waiting = call.kept as? Waiting
        guard call[2] > 0, call.int(0) >= 0 else { throw .EINVAL }
        guard call[2] <= SemaphoreSet.mostOperations else { throw .E2BIG }
        let raw = try call.copyIn(call[1], count: Int(call[2]) * 6)
        let operations = raw.withUnsafeBytes { bytes in
            stride(from: 0, to: raw.count, by: 6).map { at in
                SemaphoreSet.Operation(
                    number: Int(bytes.loadUnaligned(fromByteOffset: at, as: UInt16.self)),
                    change: Int32(bytes.loadUnaligned(fromByteOffset: at + 2, as: Int16.self)),
                    flags: UInt32(bytes.loadUnaligned(fromByteOffset: at + 4, as: UInt16.self)))
            }
        }
        var deadline = call.task.deadline
        if call.number == 220, call[3] != 0, deadline == nil {
            deadline = call.deadline(after: try TimeCalls.duration(call, call[3]))
        }
        let set = if let waiting { waiting.set } else { try call.manager.ipc.semaphores.find(call.int(0)) }
        guard operations.allSatisfy({ $0.number < set.semaphores.count }) else { throw .EFBIG }
        let process = call.process
        let changes = operations.contains { $0.change != 0 }
        if operations.contains(where: { $0.flags & SemaphoreSet.Operation.undo != 0 }) {
            process.undoesSemaphores = true
        }
        let isDone = try set.lock.withLock { () throws(Errno) -> Bool in
            guard !set.isRemoved else { throw Errno.EIDRM }
            try set.permission.check(process.credentials, changes ? Ipc.write : Ipc.read)
            guard let blocked = try set.perform(operations, by: process.pid) else { return true }
            if call.timedOut { throw .EAGAIN }
            let mark = waiting ?? Waiting(set)
            call.kept = mark
            set.wait(ObjectIdentifier(mark), blocked)
            call.enlist(on: set.queue)
            return false
        }
        guard isDone else {
            return .park(Wait(on: [set.queue], until: deadline, restart: .interrupt, for: "do_semtimedop"))
        }
        if changes { set.queue.wake() }
        return .zero
    }

    // MARK: semctl

    @Sendable private static func control(_ call: Call) throws(Errno) -> Outcome {
        let table = call.manager.ipc.semaphores
        let who = call.process.credentials
        let command = call.int(2)
        switch command {
        case Ipc.info, 19: return try describeAll(call, counts: command == 19)  // SEM_INFO
        case 18, 20:  // SEM_STAT, SEM_STAT_ANY
            let set = try table.at(call.int(0))
            if command == 18 { try check(set, who, Ipc.read) }
            try call.copyOut(describe(set), to: call[3])
            return .done(value: set.id)
        case Ipc.stat:
            let set = try table.find(call.int(0))
            try check(set, who, Ipc.read)
            try call.copyOut(describe(set), to: call[3])
        case Ipc.set:
            let given = try call.copyIn(call[3], count: 104)
            let set = try table.find(call.int(0))
            try set.lock.withLock { () throws(Errno) in
                try set.permission.checkOwner(who)
                set.permission.take(from: given)
                set.changed = IpcObject.now()
            }
        case Ipc.remove:
            let set = try table.find(call.int(0))
            try set.lock.withLock { () throws(Errno) in try set.permission.checkOwner(who) }
            table.remove(set)
        case 11, 12, 14, 15: return try value(call, command)
        case 13:  // GETALL
            let set = try table.find(call.int(0))
            try check(set, who, Ipc.read)
            let values = set.lock.withLock { set.semaphores.map { UInt16($0.value) } }
            try call.copyOut(values.withUnsafeBytes { Array($0) }, to: call[3])
        case 16:  // SETVAL
            let set = try table.find(call.int(0))
            guard 0...SemaphoreSet.largest ~= call.int(3) else { throw .ERANGE }
            try check(set, who, Ipc.write)
            guard 0..<set.semaphores.count ~= Int(call.int(1)) else { throw .EINVAL }
            set.lock.withLock { set.set(Int(call.int(1)), to: call.int(3), by: call.process.pid) }
            set.queue.wake()
        case 17:  // SETALL
            let set = try table.find(call.int(0))
            try check(set, who, Ipc.write)
            let raw = try call.copyIn(call[3], count: set.semaphores.count * 2)
            let values = raw.withUnsafeBytes { bytes in
                (0..<set.semaphores.count).map {
                    Int32(bytes.loadUnaligned(fromByteOffset: $0 * 2, as: UInt16.self))
                }
            }
            guard values.allSatisfy({ $0 <= SemaphoreSet.largest }) else { throw .ERANGE }
            set.lock.withLock {
                for (number, value) in values.enumerated() { set.set(number, to: value, by: call.process.pid) }
            }
            set.queue.wake()
        default: throw .EINVAL
        }
        return .zero
    }

    private static func check(_ set: SemaphoreSet, _ who: Credentials, _ wanted: UInt32) throws(Errno) {
        try set.lock.withLock { () throws(Errno) in try set.permission.check(who, wanted) }
    }

    /// GETPID, GETVAL, GETNCNT, GETZCNT.
    private static func value(_ call: Call, _ command: Int32) throws(Errno) -> Outcome {
        let set = try call.manager.ipc.semaphores.find(call.int(0))
        let number = Int(call.int(1))
        return try set.lock.withLock { () throws(Errno) in
            try set.permission.check(call.process.credentials, Ipc.read)
            guard 0..<set.semaphores.count ~= number else { throw .EINVAL }
            switch command {
            case 11: return .done(value: set.semaphores[number].pid)
            case 12: return .done(value: set.semaphores[number].value)
            default:
                return .done(value: set.waiting(SemaphoreSet.Blocked(number: number, untilZero: command == 15)))
            }
        }
    }

    /// `struct seminfo`.
    private static func describeAll(_ call: Call, counts: Bool) throws(Errno) -> Outcome {
        let table = call.manager.ipc.semaphores
        let all = table.all
        let (used, total) = (Int32(all.count), all.reduce(Int32(0)) { $0 + Int32($1.semaphores.count) })
        let most: Int32 = 1_024_000_000  // SEMMNS
        let words: [Int32] = [
            most, 32000, most, most, Int32(SemaphoreSet.mostInSet), Int32(SemaphoreSet.mostOperations),
            Int32(SemaphoreSet.mostOperations), counts ? used : 20, SemaphoreSet.largest,
            counts ? total : SemaphoreSet.largest,
        ]
        try call.copyOut(words.withUnsafeBytes { Array($0) }, to: call[3])
        return .done(value: table.highest)
    }

    /// `struct semid64_ds`.
    private static func describe(_ set: SemaphoreSet) -> [UInt8] {
        set.lock.withLock {
            var bytes = [UInt8](repeating: 0, count: 104)
            set.permission.write(to: &bytes, id: set.id)
            bytes.withUnsafeMutableBytes {
                $0.storeBytes(of: set.operated, toByteOffset: 48, as: Int64.self)
                $0.storeBytes(of: set.changed, toByteOffset: 64, as: Int64.self)
                $0.storeBytes(of: UInt64(set.semaphores.count), toByteOffset: 80, as: UInt64.self)
            }
            return bytes
        }
    }
}
