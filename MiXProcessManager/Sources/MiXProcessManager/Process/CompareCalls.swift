/// kcmp(2): whether two processes share something.
enum CompareCalls {
    static let table: [(Int, String, SystemCallHandler)] = [(312, "kcmp", compare)]

    @Sendable private static func compare(_ call: Call) throws(Errno) -> Outcome {
        let manager = call.manager
        let tasks = manager.tree.withLock { [manager.tasks[call.int(0)], manager.tasks[call.int(1)]] }
        guard let first = tasks[0], let second = tasks[1] else { throw .ESRCH }
        guard RemoteMemory.mayAccess(call.process, first.process), RemoteMemory.mayAccess(call.process, second.process)
        else { throw .EPERM }
        let (a, b) = (first.process, second.process)
        switch call.int(2) {
        case 0:  // KCMP_FILE
            return order(try description(a, call[3]), try description(b, call[4]))
        case 1: return order(a.memory, b.memory)
        case 2: return order(a.files, b.files)
        case 3, 4, 6: return order(a, b)  // FS, SIGHAND, SYSVSEM: the process's own
        case 5: return order(first, second)  // IO
        case 7: return try compareWatched(call, a, b)  // EPOLL_TFD
        default: throw .EINVAL
        }
    }

    private static func description(_ process: Process, _ number: UInt64) throws(Errno) -> OpenDescription {
        guard number <= Int32.max, let found = process.files.lookup(Int(number)) else { throw .EBADF }
        return found
    }

    /// 0 the same, else 1 or 2: an order that lasts as long as both do, and tells nothing of where they are.
    private static func order(_ a: AnyObject, _ b: AnyObject) -> Outcome {
        if a === b { return .zero }
        return .done(disguised(a) < disguised(b) ? 1 : 2)
    }
    private static let disguise = (UInt.random(in: .min ... .max), UInt.random(in: .min ... .max) | 1)
    private static func disguised(_ object: AnyObject) -> UInt {
        (UInt(bitPattern: ObjectIdentifier(object).hashValue) ^ disguise.0) &* disguise.1
    }

    /// `struct kcmp_epoll_slot`: the set, the descriptor it was given, and which of those by that number.
    private static func compareWatched(_ call: Call, _ a: Process, _ b: Process) throws(Errno) -> Outcome {
        let one = try description(a, call[3])
        let slot = try call.readStruct((UInt32, UInt32, UInt32).self, at: call[4])
        guard let epoll = try description(b, UInt64(slot.0)) as? EpollFile else { throw .EINVAL }
        guard let watched = epoll.watched(Int(slot.1), Int(slot.2)) else { throw .ENOENT }
        return order(one, watched)
    }
}
