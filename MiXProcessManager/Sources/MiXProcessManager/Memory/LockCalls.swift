import CChorus

/// mlock(2) and its kin: counted against RLIMIT_MEMLOCK. The site itself takes no memory away; the host still may.
enum LockCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (149, "mlock", { (call) throws(Errno) in try lock(call) }), (150, "munlock", unlock),
        (151, "mlockall", lockAll),
        (152, "munlockall", unlockAll),
        (
            325, "mlock2",
            { (call) throws(Errno) in
                guard call.uint(2) & ~1 == 0 else { throw .EINVAL }  // MLOCK_ONFAULT
                return try lock(call)
            }
        ),
        (462, "mseal", seal),
    ]

    /// How much may be locked; EPERM where nothing may.
    static func room(_ process: Process) throws(Errno) -> UInt64 {
        if process.credentials.has(Credentials.capIpcLock) { return .max }
        let limit = process.limits[.lockedMemory].soft
        guard limit > 0 else { throw .EPERM }
        return limit
    }

    private static func lock(_ call: Call) throws(Errno) -> Outcome {
        let room = try room(call.process)
        let (start, end) = try MemoryCalls.range(
            call[0] & ~(AddressSpace.page - 1), call[1] &+ call[0] % AddressSpace.page)
        if start == end { return .zero }
        let space = call.process.memory
        try space.lock.withLock { () throws(Errno) in
            let already = space.map.areas(in: start, end).reduce(UInt64(0)) {
                $1.traits.isLocked ? $0 + ($1.end - $1.start) : $0
            }
            guard space.map.locked - already + (end - start) <= room else { throw .ENOMEM }
            // What lies in front of a hole is locked all the same.
            space.map.mark(start, space.map.coveredEnd(start, end)) { $0.isLocked = true }
            guard space.map.covers(start, end) else { throw .ENOMEM }
            // Locked, but there is nothing that could be brought in.
            guard space.map.areas(in: start, end).allSatisfy({ isThere(call, $0) }) else { throw .ENOMEM }
        }
        return .zero
    }

    /// Neither without any access nor behind the end of its file.
    private static func isThere(_ call: Call, _ area: MappedArea) -> Bool {
        guard area.protection != 0 else { return false }
        guard let file = area.file as? any MappedFile else { return true }
        var (segment, stat) = (file.mappedSegment, KnSgStat())
        guard call.nucleus.sgStat(&segment, &stat) >= 0, let end = AddressSpace.pageUp(stat.size) else { return true }
        return area.offset + (area.end - area.start) <= end
    }

    @Sendable private static func unlock(_ call: Call) throws(Errno) -> Outcome {
        let (start, end) = try MemoryCalls.range(
            call[0] & ~(AddressSpace.page - 1), call[1] &+ call[0] % AddressSpace.page)
        let space = call.process.memory
        try space.lock.withLock { () throws(Errno) in
            space.map.mark(start, space.map.coveredEnd(start, end)) { $0.isLocked = false }
            guard space.map.covers(start, end) else { throw .ENOMEM }
        }
        return .zero
    }

    @Sendable private static func lockAll(_ call: Call) throws(Errno) -> Outcome {
        let (current, future, onFault): (UInt32, UInt32, UInt32) = (1, 2, 4)
        let flags = call.uint(0)
        guard flags != 0, flags != onFault, flags & ~(current | future | onFault) == 0 else { throw .EINVAL }
        let room = try room(call.process)
        let space = call.process.memory
        try space.lock.withLock { () throws(Errno) in
            guard flags & current == 0 || space.map.total <= room else { throw .ENOMEM }
            if flags & current != 0 { space.map.mark(0, .max) { $0.isLocked = true } }
            space.locksFuture = flags & future != 0
        }
        return .zero
    }

    @Sendable private static func unlockAll(_ call: Call) throws(Errno) -> Outcome {
        let space = call.process.memory
        space.lock.withLock {
            space.map.mark(0, .max) { $0.isLocked = false }
            space.locksFuture = false
        }
        return .zero
    }

    @Sendable private static func seal(_ call: Call) throws(Errno) -> Outcome {
        guard call[2] == 0, call[0] % AddressSpace.page == 0 else { throw .EINVAL }
        guard let size = AddressSpace.pageUp(call[1]), call[0] <= .max - size else { throw .EINVAL }
        let space = call.process.memory
        try space.lock.withLock { () throws(Errno) in
            guard space.map.covers(call[0], call[0] + size) else { throw .ENOMEM }
            space.map.mark(call[0], call[0] + size) { $0.isSealed = true }
        }
        return .zero
    }
}
