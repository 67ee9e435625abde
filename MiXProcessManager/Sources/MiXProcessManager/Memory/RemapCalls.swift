import CChorus

/// mremap(2), remap_file_pages(2).
extension MemoryCalls {
    @Sendable static func mremap(_ call: Call) throws(Errno) -> Outcome {
        let old = call[0]
        let flags = call.uint(3)
        let mayMove: UInt32 = 1
        let (isFixed, keepsOld): (UInt32, UInt32) = (2, 4)
        guard flags & ~7 == 0, flags & isFixed == 0 || flags & mayMove != 0, old % AddressSpace.page == 0 else {
            throw .EINVAL
        }
        guard let oldSize = AddressSpace.pageUp(call[1]), let size = AddressSpace.pageUp(call[2]), size > 0,
            size <= AddressSpace.highest, old < AddressSpace.highest, oldSize <= AddressSpace.highest - old
        else { throw .EINVAL }
        if flags & keepsOld != 0 { guard call[4] % AddressSpace.page == 0 else { throw .EINVAL } }
        if flags & isFixed != 0 {
            guard call[4] % AddressSpace.page == 0, call[4] >= AddressSpace.lowest, call[4] < AddressSpace.highest,
                size <= AddressSpace.highest - call[4], call[4] >= old + oldSize || call[4] + size <= old
            else { throw .EINVAL }
        }
        if flags & keepsOld != 0 { guard flags & mayMove != 0, size == oldSize else { throw .EINVAL } }
        if oldSize == 0 { return .done(value: try again(call, old, size, flags & isFixed != 0 ? call[4] : nil)) }
        let space = call.process.memory
        var dropped: [MappedArea] = []
        var left: MapRequest?
        let address = try space.lock.withLock { () throws(Errno) -> UInt64 in
            guard let area = space.map.area(at: old) else { throw .EFAULT }
            guard !space.map.hasSealed(old, old + oldSize) else { throw .EPERM }
            if flags & (isFixed | keepsOld) == 0 {
                if size == oldSize { return old }
                if size < oldSize {
                    var actor = call.process.actor
                    var region = KnRgnDesc()
                    region.startAddr = old + size
                    region.size = oldSize - size
                    try call.manager.check(call.nucleus.rgnFree(&actor, &region))
                    dropped = space.map.areas(in: old + size, old + oldSize)
                    space.map.remove(old + size, old + oldSize)
                    return old
                }
            }
            guard area.end - old >= oldSize else { throw .EFAULT }
            if flags & keepsOld != 0, area.file != nil {
                guard let file = area.file as? any MappedFile else { throw .EINVAL }
                left = MapRequest(
                    hint: old, size: oldSize, flags: fixed, protection: area.protection, isShared: area.isShared,
                    file: file, offset: area.offset + (old - area.start))
            }
            if size > oldSize { try checkGrowth(call, area, size - oldSize) }
            let target: UInt64
            if flags & isFixed != 0 {
                target = call[4]
            } else if flags & keepsOld == 0, area.end == old + oldSize, old + size <= AddressSpace.highest,
                space.map.isFree(old + oldSize, old + size)
            {
                target = old
            } else {
                guard flags & mayMove != 0 else { throw .ENOMEM }
                guard let free = space.map.gap(size, low: AddressSpace.lowest, high: space.mmapTop) else {
                    throw .ENOMEM
                }
                target = free
            }
            guard target == old || !space.map.hasSealed(target, target + size) else { throw .EPERM }
            dropped = space.map.areas(in: target, target + size)
            var actor = call.process.actor
            var from = KnRgnDesc()
            from.startAddr = old
            from.size = oldSize
            var now = KnRgnDesc()
            now.startAddr = target
            now.size = size
            now.options = options(area.protection)
            try call.manager.check(call.nucleus.rgnMove(&actor, &from, &now))
            var moved = area
            moved.start = target
            moved.end = target + size
            if area.file != nil { moved.offset = area.offset + (old - area.start) }
            space.map.remove(old, old + oldSize)
            space.map.insert(moved)
            if flags & keepsOld != 0, left == nil { try fillAgain(call, area, old, oldSize) }
            return target
        }
        withExtendedLifetime(dropped) {}
        // A file is mapped there once more, as nobody had touched it.
        if let left { _ = try map(call, left) }
        return .done(value: address)
    }

    /// RLIMIT_AS, RLIMIT_DATA and RLIMIT_MEMLOCK, under the space's lock.
    private static func checkGrowth(_ call: Call, _ area: MappedArea, _ more: UInt64) throws(Errno) {
        let (space, limits) = (call.process.memory, call.process.limits)
        guard space.map.total &+ more <= limits[.addressSpace].soft else { throw .ENOMEM }
        if !area.isShared, area.protection & 2 != 0, area.label != .stack {
            guard space.map.data &+ more <= limits[.data].soft else { throw .ENOMEM }
        }
        if area.traits.isLocked {
            guard try space.map.locked &+ more <= LockCalls.room(call.process) else { throw .EAGAIN }
        }
    }

    /// MREMAP_DONTUNMAP: empty memory where the old was.
    private static func fillAgain(
        _ call: Call, _ area: MappedArea, _ start: UInt64, _ size: UInt64
    ) throws(Errno) {
        var actor = call.process.actor
        var region = KnRgnDesc()
        region.startAddr = start
        region.size = size
        region.options = options(area.protection) | K_FILLZERO
        try call.manager.check(call.nucleus.rgnAllocate(&actor, &region))
        var left = area
        (left.start, left.end) = (start, start + size)
        left.traits.isLocked = false
        call.process.memory.map.insert(left)
    }

    /// Of length 0: what is shared there is mapped once more. Of memory without a file that is refused, like of private.
    private static func again(_ call: Call, _ old: UInt64, _ size: UInt64, _ target: UInt64?) throws(Errno) -> UInt64 {
        let space = call.process.memory
        guard let area = space.lock.withLock({ space.map.area(at: old) }) else { throw .EFAULT }
        guard area.isShared, let file = area.file as? any MappedFile else { throw .EINVAL }
        guard call.uint(3) & 1 != 0 else { throw .ENOMEM }
        return try map(
            call,
            MapRequest(
                hint: target ?? 0, size: size, flags: target == nil ? 0 : fixed, protection: area.protection,
                isShared: true, file: file, offset: area.offset + (old - area.start)))
    }

    /// remap_file_pages(2): other pages of the same file.
    @Sendable static func remapPages(_ call: Call) throws(Errno) -> Outcome {
        let (start, size) = (AddressSpace.pageDown(call[0]), AddressSpace.pageDown(call[1]))
        guard call[2] == 0, size > 0, start < AddressSpace.highest, size <= AddressSpace.highest - start,
            call[3] < 1 << 51
        else { throw .EINVAL }
        let space = call.process.memory
        let area = try space.lock.withLock { () throws(Errno) -> MappedArea in
            guard let area = space.map.area(at: start), area.isShared, area.file != nil else { throw .EINVAL }
            let all = space.map.areas(in: start, start + size)
            guard space.map.covers(start, start + size),
                all.allSatisfy({ $0.file === area.file && $0.protection == area.protection })
            else { throw .EINVAL }
            return area
        }
        guard let file = area.file as? any MappedFile else { throw .EINVAL }
        _ = try map(
            call,
            MapRequest(
                hint: start, size: size, flags: fixed, protection: area.protection, isShared: true, file: file,
                offset: call[3] * AddressSpace.page))
        return .zero
    }
}
