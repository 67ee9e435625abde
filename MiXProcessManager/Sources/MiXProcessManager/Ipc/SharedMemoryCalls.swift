import CChorus
import Synchronization

/// shmget(2), shmat(2), shmdt(2), shmctl(2).
enum SharedMemoryCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (29, "shmget", get), (30, "shmat", attach), (31, "shmctl", control), (67, "shmdt", detach),
    ]
    /// Whether there has ever been a segment: the end of a process need not look for one.
    static let isUsed = Atomic<Bool>(false)

    private static let hugePages: UInt32 = 0o4000
    private static let readOnly: UInt32 = 0o10000, round: UInt32 = 0o20000, remap: UInt32 = 0o40000
    private static let execute: UInt32 = 0o100000
    private static let largest = UInt64.max - (1 << 24)  // SHMMAX

    @Sendable private static func get(_ call: Call) throws(Errno) -> Outcome {
        let size = call[1]
        let flags = call.uint(2)
        let manager = call.manager
        let id = try manager.ipc.segments.get(key: call.int(0), flags: flags, call.process.credentials) {
            (known) throws(Errno) in
            guard size <= known.size else { throw .EINVAL }
        } make: { (id, permission) throws(Errno) in
            guard size > 0, size <= largest else { throw .EINVAL }
            // No huge pages are set aside (shmget(2), SHM_HUGETLB).
            guard flags & hugePages == 0, size <= AddressSpace.highest else { throw .ENOMEM }
            return try SharedSegment(manager, id: id, permission: permission, size: size, creator: call.process.pid)
        }
        isUsed.store(true, ordering: .relaxed)
        return .done(value: id)
    }

    @Sendable private static func attach(_ call: Call) throws(Errno) -> Outcome {
        let flags = call.uint(2)
        guard call.int(0) >= 0 else { throw .EINVAL }
        var address = call[1]
        if address % AddressSpace.page != 0 {
            guard flags & round != 0 else { throw .EINVAL }
            address = AddressSpace.pageDown(address)
            if address == 0, flags & remap != 0 { throw .EINVAL }
        } else if address == 0, flags & remap != 0 {
            throw .EINVAL
        }
        let segment = try call.manager.ipc.segments.find(call.int(0))
        let isReadOnly = flags & readOnly != 0
        try segment.lock.withLock { () throws(Errno) in
            var wanted = isReadOnly ? Ipc.read : Ipc.read | Ipc.write
            if flags & execute != 0 { wanted |= 0o111 }
            try segment.permission.check(call.process.credentials, wanted)
        }
        guard let size = AddressSpace.pageUp(segment.size) else { throw .ENOMEM }
        let place = MapRequest(
            hint: address, size: size,
            flags: address == 0 ? 0 : flags & remap != 0 ? MemoryCalls.fixed : MemoryCalls.fixedNoReplace,
            protection: isReadOnly ? 1 : 3 | (flags & execute != 0 ? 4 : 0), isShared: true,
            file: SharedMapping(segment, isWritable: !isReadOnly))
        let start: UInt64
        do {
            start = try MemoryCalls.map(call, place)
        } catch {
            throw error == .EEXIST ? .EINVAL : error
        }
        segment.lock.withLock {
            segment.attached = IpcObject.now()
            segment.lastPid = call.process.pid
        }
        return .done(value: start)
    }

    @Sendable private static func detach(_ call: Call) throws(Errno) -> Outcome {
        let address = call[0]
        guard address % AddressSpace.page == 0 else { throw .EINVAL }
        let space = call.process.memory
        // What is left of one attachment lies where it was put, however it has been cut since.
        let areas = try space.lock.withLock { () throws(Errno) -> [MappedArea] in
            let belongs = { (area: MappedArea) in
                area.file is SharedMapping && area.start >= area.offset && area.start - area.offset == address
            }
            guard let first = space.map.areas.first(where: belongs) else { throw .EINVAL }
            let areas = space.map.areas.filter {
                belongs($0) && ($0.file as? SharedMapping)?.segment === (first.file as? SharedMapping)?.segment
            }
            for area in areas {
                try call.manager.check(MemoryCalls.free(call, area.start, area.end))
                space.map.remove(area.start, area.end)
            }
            return areas
        }
        (areas.first?.file as? SharedMapping)?.segment.noteDetached(by: call.process.pid)
        withExtendedLifetime(areas) {}
        return .zero
    }

    // MARK: shmctl

    @Sendable private static func control(_ call: Call) throws(Errno) -> Outcome {
        let table = call.manager.ipc.segments
        let who = call.process.credentials
        switch call.int(1) {
        case Ipc.info:
            let words: [UInt64] = [largest, 1, 4096, 4096, largest, 0, 0, 0, 0]
            try call.copyOut(words.withUnsafeBytes { Array($0) }, to: call[2])
            return .done(value: table.highest)
        case 14:  // SHM_INFO: struct shm_info
            let all = table.all
            let pages = all.reduce(0) { $0 + ($1.size + 4095) / 4096 }
            let words: [UInt64] = [UInt64(all.count), pages, pages, 0, 0, 0]
            try call.copyOut(words.withUnsafeBytes { Array($0) }, to: call[2])
            return .done(value: table.highest)
        case 13, 15:  // SHM_STAT, SHM_STAT_ANY
            let segment = try table.at(call.int(0))
            if call.int(1) == 13 { try check(segment, who) }
            try call.copyOut(describe(segment), to: call[2])
            return .done(value: segment.id)
        case Ipc.stat:
            let segment = try table.find(call.int(0))
            try check(segment, who)
            try call.copyOut(describe(segment), to: call[2])
        case Ipc.set:
            let given = try call.copyIn(call[2], count: 112)
            let segment = try table.find(call.int(0))
            try segment.lock.withLock { () throws(Errno) in
                try segment.permission.checkOwner(who)
                segment.permission.take(from: given)
                segment.changed = IpcObject.now()
            }
        case Ipc.remove:
            let segment = try table.find(call.int(0))
            try segment.lock.withLock { () throws(Errno) in
                try segment.permission.checkOwner(who)
                segment.permission.mode |= IpcPermission.doomed
            }
            table.remove(segment, stays: true)
            segment.lock.withLock { segment.permission.key = 0 }
        case 11, 12:  // SHM_LOCK, SHM_UNLOCK: nothing is ever swapped out; SHM_LOCKED shows
            let segment = try table.find(call.int(0))
            try segment.lock.withLock { () throws(Errno) in
                if !who.has(Credentials.capIpcLock) {
                    guard who.euid == segment.permission.uid || who.euid == segment.permission.creatorUid else {
                        throw .EPERM
                    }
                    if call.int(1) == 11, call.process.limits[.lockedMemory].soft == 0 { throw .EPERM }
                }
                segment.permission.mode = segment.permission.mode & ~0o2000 | (call.int(1) == 11 ? 0o2000 : 0)
            }
        default: throw .EINVAL
        }
        return .zero
    }

    private static func check(_ segment: SharedSegment, _ who: Credentials) throws(Errno) {
        try segment.lock.withLock { () throws(Errno) in try segment.permission.check(who, Ipc.read) }
    }

    /// `struct shmid64_ds`.
    private static func describe(_ segment: SharedSegment) -> [UInt8] {
        let attachments = segment.attachments()
        return segment.lock.withLock {
            var bytes = [UInt8](repeating: 0, count: 112)
            segment.permission.write(to: &bytes, id: segment.id)
            bytes.withUnsafeMutableBytes {
                $0.storeBytes(of: segment.size, toByteOffset: 48, as: UInt64.self)
                $0.storeBytes(of: segment.attached, toByteOffset: 56, as: Int64.self)
                $0.storeBytes(of: segment.detached, toByteOffset: 64, as: Int64.self)
                $0.storeBytes(of: segment.changed, toByteOffset: 72, as: Int64.self)
                $0.storeBytes(of: segment.creator, toByteOffset: 80, as: Int32.self)
                $0.storeBytes(of: segment.lastPid, toByteOffset: 84, as: Int32.self)
                $0.storeBytes(of: attachments, toByteOffset: 88, as: UInt64.self)
            }
            return bytes
        }
    }
}
