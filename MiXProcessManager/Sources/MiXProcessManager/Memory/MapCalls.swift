import CChorus
import Glibc

/// What is to be mapped, and where.
struct MapRequest {
    var hint: UInt64
    var size: UInt64
    /// MAP_* that choose the place, and MAP_POPULATE.
    var flags: UInt32
    var protection: UInt32
    var isShared: Bool
    var file: (any MappedFile)?
    var offset: UInt64 = 0
    /// MAP_LOCKED: how much the process may have locked.
    var lockRoom: UInt64?
    var growsDown = false
}

extension MemoryCalls {
    static let fixed: UInt32 = 0x10, fixedNoReplace: UInt32 = 0x10_0000
    private static let shared: UInt32 = 1, privateMap: UInt32 = 2, sharedValidate: UInt32 = 3
    private static let anonymous: UInt32 = 0x20, low32: UInt32 = 0x40, growsDown: UInt32 = 0x100
    private static let locked: UInt32 = 0x2000, populate: UInt32 = 0x8000, hugePages: UInt32 = 0x4_0000
    /// What MAP_SHARED_VALIDATE lets through: all but MAP_SYNC, which no file here has.
    private static let known: UInt32 = 0x7f_ffff & ~0x8_0000 | 0xfc00_0000

    @Sendable static func mmap(_ call: Call) throws(Errno) -> Outcome {
        let flags = call.uint(3)
        let protection = call.process.readable(call.uint(2)) & accessMask
        guard call[5] % AddressSpace.page == 0 else { throw .EINVAL }
        let description = flags & anonymous == 0 ? try call.openDescription(4) : nil
        guard call[1] > 0 else { throw .EINVAL }
        guard let size = AddressSpace.pageUp(call[1]), size <= AddressSpace.highest else { throw .ENOMEM }
        let kind = flags & 3
        let isShared = kind != privateMap
        var file: (any MappedFile)?
        if let description {
            guard call[5].addingReportingOverflow(size).overflow == false else { throw .EOVERFLOW }
            // Where it would go comes first, whether it may be mapped second, whether it can be last.
            if flags & (fixed | fixedNoReplace) != 0 { try checkPlace(call[0], size) }
            guard kind != 0 else { throw .EINVAL }
            if kind == sharedValidate, flags & ~known != 0 { throw .EOPNOTSUPP }
            if isShared, protection & 2 != 0, (description as? MemoryFile)?.isWriteSealed ?? false { throw .EPERM }
            if isShared && protection & 2 != 0 && !description.isWritable { throw .EACCES }
            guard description.isReadable else { throw .EACCES }
            // Linux mounts what pipes, events and the like come from with noexec.
            let isAnonymous = description.remote == nil && !(description is MemoryFile)
            if protection & 4 != 0, isAnonymous { throw .EPERM }
            file = try call.manager.mappedFile(call, description)
        }
        guard kind == shared || kind == privateMap || kind == sharedValidate && description != nil else {
            throw .EINVAL
        }
        // None are set aside (/proc/sys/vm/nr_hugepages).
        if flags & hugePages != 0, flags & anonymous != 0 { throw .ENOMEM }
        if flags & growsDown != 0, isShared { throw .EINVAL }
        let lockRoom = flags & locked != 0 ? try LockCalls.room(call.process) : nil
        return .done(
            value: try map(
                call,
                MapRequest(
                    hint: call[0], size: size, flags: flags, protection: protection, isShared: isShared, file: file,
                    offset: file == nil ? 0 : call[5], lockRoom: lockRoom, growsDown: flags & growsDown != 0)))
    }

    /// Where it went. Whatever was there is gone.
    static func map(_ call: Call, _ request: MapRequest) throws(Errno) -> UInt64 {
        let process = call.process
        let space = process.memory
        let (size, protection, isShared) = (request.size, request.protection, request.isShared)
        var dropped: [MappedArea] = []
        let address = try space.lock.withLock { () throws(Errno) -> UInt64 in
            let limit = process.limits[.addressSpace].soft
            if limit != Limits.infinity, space.map.total &+ size > limit { throw .ENOMEM }
            let dataLimit = process.limits[.data].soft
            if dataLimit != Limits.infinity, !isShared, protection & 2 != 0, space.map.data &+ size > dataLimit {
                throw .ENOMEM
            }
            let isLocked = request.lockRoom != nil || space.locksFuture
            if isLocked {
                let room = if let given = request.lockRoom { given } else { try LockCalls.room(process) }
                guard space.map.locked &+ size <= room else { throw .EAGAIN }
            }
            let address = try choose(space, request.hint, size, request.flags)
            guard !space.map.hasSealed(address, address + size) else { throw .EPERM }
            dropped = space.map.areas(in: address, address + size)
            var region = KnRgnDesc()
            region.startAddr = address
            region.size = size
            region.options = options(protection)
            if request.flags & populate != 0 && protection != 0 { region.options |= K_NODEMAND }
            var actor = process.actor
            if let file = request.file {
                var object = KnObjDesc(dataObject: file.mappedSegment, startOffset: request.offset, size: size)
                if isShared {
                    region.options |= K_INHERITSHARE
                    if file.isWritable { region.options |= 0x1000 }  // K_MAYWRITE
                    try call.manager.check(call.nucleus.rgnMap(&actor, &region, &object))
                } else {
                    try call.manager.check(call.nucleus.rgnInit(&actor, &region, &object))
                }
            } else {
                region.options |= K_FILLZERO | (isShared ? K_INHERITSHARE : 0)
                try call.manager.check(call.nucleus.rgnAllocate(&actor, &region))
            }
            var area = MappedArea(
                start: address, end: address + size, protection: protection, isShared: isShared, file: request.file,
                offset: request.offset)
            area.traits.isLocked = isLocked
            area.traits.growsDown = request.growsDown
            space.map.insert(area)
            return address
        }
        withExtendedLifetime(dropped) {}
        return address
    }

    private static func checkPlace(_ address: UInt64, _ size: UInt64) throws(Errno) {
        guard address % AddressSpace.page == 0 else { throw .EINVAL }
        guard address >= AddressSpace.lowest else { throw .EPERM }
        guard address <= AddressSpace.highest, size <= AddressSpace.highest - address else { throw .ENOMEM }
    }

    private static func choose(
        _ space: AddressSpace, _ hint: UInt64, _ size: UInt64, _ flags: UInt32
    ) throws(Errno) -> UInt64 {
        if flags & (fixed | fixedNoReplace) != 0 {
            try checkPlace(hint, size)
            if flags & fixedNoReplace != 0, !space.map.isFree(hint, hint + size) { throw .EEXIST }
            return hint
        }
        let wanted = AddressSpace.pageDown(hint)
        if wanted >= AddressSpace.lowest, wanted < AddressSpace.highest, size <= AddressSpace.highest - wanted,
            space.map.isFree(wanted, wanted + size)
        {
            return wanted
        }
        let top = flags & low32 != 0 ? min(space.mmapTop, 0x8000_0000) : space.mmapTop
        if let address = space.map.gap(size, low: AddressSpace.lowest, high: top) { return address }
        if let address = space.map.gap(size, low: AddressSpace.lowest, high: AddressSpace.highest) { return address }
        throw .ENOMEM
    }
}
