import CChorus
import Glibc

/// brk(2), mmap(2) and their kin.
enum MemoryCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (9, "mmap", mmap), (10, "mprotect", mprotect), (11, "munmap", munmap), (12, "brk", brk),
        (25, "mremap", mremap), (26, "msync", msync), (27, "mincore", mincore),
        (216, "remap_file_pages", remapPages), (329, "pkey_mprotect", protectWithKey),
        (330, "pkey_alloc", allocateKey), (331, "pkey_free", { (_) throws(Errno) in throw .EINVAL }),
    ]
    static let accessMask: UInt32 = 7

    /// PROT_* as region options; nothing at all is address space only.
    static func options(_ protection: UInt32) -> UInt32 {
        var options: UInt32 = 0
        if protection & UInt32(PROT_READ) != 0 { options |= K_READABLE }
        if protection & UInt32(PROT_WRITE) != 0 { options |= K_WRITABLE }
        if protection & UInt32(PROT_EXEC) != 0 { options |= K_EXECUTABLE }
        return options == 0 ? K_RESERVED : options
    }

    /// A page-aligned range inside user space.
    static func range(_ address: UInt64, _ length: UInt64, aligned: Bool = true) throws(Errno) -> (UInt64, UInt64) {
        if aligned && address % AddressSpace.page != 0 { throw .EINVAL }
        guard let size = AddressSpace.pageUp(length) else { throw .ENOMEM }
        let start = AddressSpace.pageDown(address)
        guard start <= AddressSpace.highest, size <= AddressSpace.highest - start else { throw .ENOMEM }
        return (start, start + size)
    }

    @Sendable static func brk(_ call: Call) throws(Errno) -> Outcome {
        let space = call.process.memory
        let wanted = call[0]
        return space.lock.withLock {
            let old = space.breakEnd
            guard wanted >= space.breakStart, wanted < space.mmapTop,
                let oldTop = AddressSpace.pageUp(old), let newTop = AddressSpace.pageUp(wanted)
            else { return .done(value: old) }
            if newTop > oldTop {
                // One page stays free in front of whatever comes next.
                guard space.map.isFree(oldTop, newTop + AddressSpace.page),
                    newTop - space.breakStart <= call.process.limits[.data].soft,
                    mayGrow(call.process, by: newTop - oldTop)
                else { return .done(value: old) }
                var actor = call.process.actor
                var region = KnRgnDesc()
                region.startAddr = oldTop
                region.size = newTop - oldTop
                region.options = K_READABLE | K_WRITABLE | K_FILLZERO
                guard call.nucleus.rgnAllocate(&actor, &region) >= 0 else { return .done(value: old) }
                var area = MappedArea(start: oldTop, end: newTop, protection: 3, label: .heap)
                area.traits.isLocked = space.locksFuture
                space.map.insert(area)
            } else if newTop < oldTop {
                guard free(call, newTop, oldTop) >= 0 else { return .done(value: old) }
                space.map.remove(newTop, oldTop)
            }
            space.breakEnd = wanted
            return .done(value: wanted)
        }
    }

    /// Whether private memory may become more: RLIMIT_AS, RLIMIT_DATA, and RLIMIT_MEMLOCK after mlockall(2).
    private static func mayGrow(_ process: Process, by more: UInt64) -> Bool {
        let (space, limits) = (process.memory, process.limits)
        guard space.map.total &+ more <= limits[.addressSpace].soft, space.map.data &+ more <= limits[.data].soft else {
            return false
        }
        guard space.locksFuture else { return true }
        guard let room = try? LockCalls.room(process) else { return false }
        return space.map.locked &+ more <= room
    }

    static func free(_ call: Call, _ start: UInt64, _ end: UInt64) -> Int32 {
        var actor = call.process.actor
        var region = KnRgnDesc()
        region.startAddr = start
        region.size = end - start
        return call.nucleus.rgnFree(&actor, &region)
    }

    @Sendable static func munmap(_ call: Call) throws(Errno) -> Outcome {
        guard call[1] > 0 else { throw .EINVAL }
        let bounds: (UInt64, UInt64)
        do { bounds = try range(call[0], call[1]) } catch { throw .EINVAL }
        let space = call.process.memory
        let dropped = try space.lock.withLock { () throws(Errno) -> [MappedArea] in
            let areas = space.map.areas(in: bounds.0, bounds.1)
            if areas.isEmpty { return [] }
            guard !areas.contains(where: \.traits.isSealed) else { throw .EPERM }
            try call.manager.check(free(call, bounds.0, bounds.1))
            space.map.remove(bounds.0, bounds.1)
            return areas
        }
        // A file whose last mapping this was is closed by a message: not under the lock.
        withExtendedLifetime(dropped) {}
        return .zero
    }

    @Sendable static func mprotect(_ call: Call) throws(Errno) -> Outcome {
        let protection = call.process.readable(call.uint(2))
        let (growsDown, growsUp): (UInt32, UInt32) = (0x0100_0000, 0x0200_0000)
        guard protection & ~(accessMask | growsDown | growsUp) == 0 else { throw .EINVAL }
        var (start, end) = try range(call[0], call[1])
        if start == end { return .zero }
        let space = call.process.memory
        try space.lock.withLock { () throws(Errno) in
            if protection & (growsDown | growsUp) != 0 {
                // Of the stack, from its lower end on (mprotect(2)); nothing here grows upwards.
                guard let area = space.map.area(at: start) else { throw .ENOMEM }
                guard protection & growsUp == 0, area.label == .stack || area.traits.growsDown else {
                    throw .EINVAL
                }
                start = area.start
            }
            // Up to a hole it takes effect, and then it fails.
            let mapped = space.map.coveredEnd(start, end)
            guard mapped > start else { throw .ENOMEM }
            let areas = space.map.areas(in: start, mapped)
            guard !areas.contains(where: \.traits.isSealed) else { throw .EPERM }
            for area in areas where area.isShared && protection & 2 != 0 {
                if let file = area.file as? any MappedFile, !file.isWritable { throw .EACCES }
            }
            if protection & 2 != 0 {
                let more = areas.reduce(UInt64(0)) {
                    $1.isShared || $1.protection & 2 != 0 || $1.label == .stack ? $0 : $0 + ($1.end - $1.start)
                }
                guard more == 0 || space.map.data &+ more <= call.process.limits[.data].soft else { throw .ENOMEM }
            }
            var actor = call.process.actor
            var region = KnRgnDesc()
            region.startAddr = start
            region.size = mapped - start
            region.options = options(protection & accessMask)
            try call.manager.check(call.nucleus.rgnSetProtect(&actor, &region))
            for var area in areas {
                area.protection = protection & accessMask
                space.map.insert(area)
            }
            if mapped < end { throw .ENOMEM }
        }
        return .zero
    }

    /// pkeys(7), as on a processor without them: there is no key but -1, which stands for none.
    @Sendable private static func protectWithKey(_ call: Call) throws(Errno) -> Outcome {
        guard call.int(3) == -1 else { throw .EINVAL }
        return try mprotect(call)
    }
    @Sendable private static func allocateKey(_ call: Call) throws(Errno) -> Outcome {
        guard call[0] == 0, call[1] & ~3 == 0 else { throw .EINVAL }
        throw .ENOSPC
    }

    @Sendable static func msync(_ call: Call) throws(Errno) -> Outcome {
        let flags = call.int(2)
        guard flags & ~7 == 0, flags & 5 != 5 else { throw .EINVAL }
        let (start, end) = try range(call[0], call[1])
        let space = call.process.memory
        var hasHole = false
        let files = try space.lock.withLock { () throws(Errno) -> [any MappedFile] in
            if flags & MS_INVALIDATE != 0, space.map.areas(in: start, end).contains(where: \.traits.isLocked) {
                throw .EBUSY
            }
            hasHole = !space.map.covers(start, end)
            return space.map.areas(in: start, end).compactMap { $0.isShared ? $0.file as? any MappedFile : nil }
        }
        if flags & MS_SYNC != 0 { for file in files { try file.synchronize() } }
        // Holes are skipped, and told of at the end.
        if hasHole { throw .ENOMEM }
        return .zero
    }

    @Sendable static func mincore(_ call: Call) throws(Errno) -> Outcome {
        let (start, end) = try range(call[0], call[1])
        let space = call.process.memory
        guard space.lock.withLock({ space.map.covers(start, end) }) else { throw .ENOMEM }
        let pages = Int((end - start) / AddressSpace.page)
        guard pages <= 1 << 20 else { throw .ENOMEM }
        try call.copyOut([UInt8](repeating: 1, count: pages), to: call[2])
        return .zero
    }
}
