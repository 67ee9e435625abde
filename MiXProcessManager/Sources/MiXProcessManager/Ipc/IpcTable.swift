/// The objects of one System V mechanism by number and by key.
final class IpcTable<Object: IpcObject>: @unchecked Sendable {
    // Sendable: guarded by `lock`.
    private struct Slot {
        var object: Object?
        /// Removed, but still in use and found by its number (shared memory).
        weak var leaving: Object?
        var sequence: Int32 = 0
        var current: Object? { object ?? leaving }
    }
    private let lock = Lock()
    private var slots: [Slot] = []
    private var keys: [Int32: Object] = [:]
    private let most: Int

    init(most: Int) { self.most = most }

    /// semget(2) and its kin. `check` looks at what is there already; `make` makes another.
    func get(
        key: Int32, flags: UInt32, _ who: Credentials, check: (Object) throws(Errno) -> Void,
        make: (Int32, IpcPermission) throws(Errno) -> Object
    ) throws(Errno) -> Int32 {
        try lock.withLock { () throws(Errno) in
            if key != 0, let known = keys[key] {
                guard flags & (Ipc.create | Ipc.exclusive) != Ipc.create | Ipc.exclusive else { throw .EEXIST }
                try check(known)
                try known.lock.withLock { () throws(Errno) in try known.permission.check(who, flags) }
                return known.id
            }
            guard key == 0 || flags & Ipc.create != 0 else { throw .ENOENT }
            let index = slots.firstIndex { $0.current == nil } ?? slots.count
            guard index < most else { throw .ENOSPC }
            let sequence = index < slots.count ? slots[index].sequence : 0
            let object = try make(
                sequence << 15 | Int32(index), IpcPermission(key: key, mode: flags, creator: who))
            if index == slots.count { slots.append(Slot()) }
            slots[index].object = object
            slots[index].sequence = (sequence + 1) & 0x7fff
            if key != 0 { keys[key] = object }
            return object.id
        }
    }

    func find(_ id: Int32) throws(Errno) -> Object {
        guard id >= 0 else { throw .EINVAL }
        let found = lock.withLock { () -> Object? in
            let index = Int(id & 0x7fff)
            return index < slots.count ? slots[index].current : nil
        }
        guard let found, found.id == id else { throw .EINVAL }
        return found
    }

    /// By place in the table (SHM_STAT and the like).
    func at(_ index: Int32) throws(Errno) -> Object {
        let found = lock.withLock { index >= 0 && Int(index) < slots.count ? slots[Int(index)].current : nil }
        guard let found else { throw .EINVAL }
        return found
    }

    /// IPC_RMID; `stays`: its number means it until the last reference goes.
    func remove(_ object: Object, stays: Bool = false) {
        let isFirst = lock.withLock { () -> Bool in
            let index = Int(object.id & 0x7fff)
            guard slots[index].object === object else { return false }
            slots[index].object = nil
            if stays { slots[index].leaving = object }
            object.lock.withLock {
                if keys[object.permission.key] === object { keys[object.permission.key] = nil }
                object.isRemoved = true
            }
            return true
        }
        if isFirst { object.removed() }
    }

    var all: [Object] { lock.withLock { slots.compactMap(\.current) } }
    /// The highest place in use, which IPC_INFO returns; 0 when there is none.
    var highest: Int { lock.withLock { max(0, slots.lastIndex { $0.current != nil } ?? 0) } }
}

/// Interprocess communication of the whole site.
final class IpcState: Sendable {
    let segments = IpcTable<SharedSegment>(most: 4096)
    let semaphores = IpcTable<SemaphoreSet>(most: 32000)
    let messages = IpcTable<MessageQueue>(most: 32000)
    let queues = PosixQueues()
}
