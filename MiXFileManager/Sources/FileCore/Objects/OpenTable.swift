import ActorKit
import CChorus
import CMiXFile

/// All open instances and their keys. A key is the handle's number with the file system's on top, and a keyed hash of it:
/// nobody can make one up, and one of a closed instance is told from a new one in its slot.
final class OpenTable: @unchecked Sendable {
    // Sendable: guarded by `lock`.
    private let lock = Lock()
    private let nucleus: Nucleus
    private(set) var secret: SipKey
    private var slots: [Handle?] = [nil]
    private var free: [Int] = []
    private var uses: [UInt64] = [0]
    private static let slotBits: UInt64 = 22
    private static let slotLimit = 1 << 22

    init(nucleus: Nucleus, secret: SipKey) {
        self.nucleus = nucleus
        self.secret = secret
    }

    func key(of handle: Handle) -> MixKey {
        let object = UInt64(handle.inode.fs.id) << 48 | handle.id
        return MixKey(object: object, tag: secret.tag(object, 0))
    }

    /// ETXTBSY where one would run what another may write (open(2), execve(2)). Held until the instance is closed, or given
    /// back by `unclaim`.
    func claim(_ inode: Inode, _ flags: UInt32) throws(Errno) {
        lock.lock()
        defer { lock.unlock() }
        guard flags & Handle.runs != 0 || flags & Linux.O_ACCMODE != 0 else { return }
        if (flags & Handle.runs != 0 ? inode.writers : inode.runners) > 0 { throw .ETXTBSY }
        lockedCount(inode, flags, 1)
    }

    func unclaim(_ inode: Inode, _ flags: UInt32) {
        lock.lock()
        lockedCount(inode, flags, -1)
        lock.unlock()
    }

    private func lockedCount(_ inode: Inode, _ flags: UInt32, _ change: Int) {
        guard inode.isRegular, flags & Linux.O_PATH == 0 else { return }
        if flags & Handle.runs != 0 {
            inode.runners += change
        } else if flags & Linux.O_ACCMODE != 0 {
            inode.writers += change
        }
    }

    /// An instance of a regular file takes over what was claimed with the same flags.
    func open(_ place: Location, flags: UInt32, segment: Segment?) throws(Errno) -> Handle {
        lock.lock()
        defer { lock.unlock() }
        let slot: Int
        if let reused = free.popLast() {
            slot = reused
        } else {
            if slots.count >= Self.slotLimit { throw .ENFILE }
            slot = slots.count
            slots.append(nil)
            uses.append(0)
        }
        uses[slot] = (uses[slot] + 1) & (1 << (48 - Self.slotBits) - 1)
        let handle = Handle(
            id: uses[slot] << Self.slotBits | UInt64(slot), place: place, flags: flags, segment: segment)
        slots[slot] = handle
        place.inode.opens += 1
        place.mount.opens += 1
        return handle
    }

    /// EBADF for a forged key, ESTALE for one whose instance is closed.
    func find(_ key: MixKey) throws(Errno) -> Handle {
        if key.tag != secret.tag(key.object, 0) { throw .EBADF }
        let id = key.object & (1 << 48 - 1)
        lock.lock()
        defer { lock.unlock() }
        return try lockedFind(id)
    }

    private func lockedFind(_ id: UInt64) throws(Errno) -> Handle {
        let slot = Int(id & (1 << Self.slotBits - 1))
        guard slot < slots.count, let handle = slots[slot], handle.id == id else { throw .ESTALE }
        return handle
    }

    func duplicate(_ handle: Handle) throws(Errno) {
        lock.lock()
        defer { lock.unlock() }
        _ = try lockedFind(handle.id)
        handle.references += 1
    }

    /// Drops one reference. The inode is returned where this was its last instance and could write.
    func close(_ key: MixKey, owner: UInt64, pid: Int32) throws(Errno) -> Inode? {
        let handle = try find(key)
        lock.lock()
        guard handle.references > 0 else {
            lock.unlock()
            throw .ESTALE
        }
        handle.references -= 1
        var woken: [FileLocks.Watch] = []
        var written: Inode?
        let inode = handle.inode
        if inode.locks != nil {
            if inode.locks?.release(owner: owner, pid: pid) == true { woken = inode.locks?.watches ?? [] }
            if woken.isEmpty { inode.locks?.watches.removeAll { $0.owner == owner } } else { inode.locks?.watches = [] }
        }
        if handle.references == 0 {
            let slot = Int(handle.id & (1 << Self.slotBits - 1))
            slots[slot] = nil
            free.append(slot)
            inode.opens -= 1
            lockedCount(inode, handle.flags, -1)
            handle.place.mount.opens -= 1
            if inode.opens == 0 { inode.locks = nil }
            if inode.opens == 0, handle.canWrite { written = inode }
        }
        if inode.locks?.isEmpty == true { inode.locks = nil }
        lock.unlock()
        wake(woken)
        return written
    }

    func isBusy(_ mount: Mount) -> Bool {
        lock.lock()
        defer { lock.unlock() }
        return mount.opens > 0
    }

    var count: Int {
        lock.lock()
        defer { lock.unlock() }
        return slots.reduce(0) { $0 + ($1 == nil ? 0 : 1) }
    }

    // MARK: State

    var all: [Handle] {
        lock.lock()
        defer { lock.unlock() }
        return slots.compactMap { $0 }
    }

    func restore(secret: SipKey) {
        lock.lock()
        self.secret = secret
        lock.unlock()
    }

    /// Puts an instance of an earlier server back under its number, so that keys stay good.
    func restore(id: UInt64, place: Location, flags: UInt32, segment: Segment?, references: Int, text: [UInt8]?)
        throws(Errno)
    {
        let slot = Int(id & (1 << Self.slotBits - 1))
        guard slot > 0, references > 0, slot < Self.slotLimit else { throw .EINVAL }
        lock.lock()
        defer { lock.unlock() }
        while slots.count <= slot {
            if slots.count != slot { free.append(slots.count) }
            slots.append(nil)
            uses.append(0)
        }
        guard slots[slot] == nil else { throw .EEXIST }
        free.removeAll { $0 == slot }
        uses[slot] = id >> Self.slotBits
        let handle = Handle(id: id, place: place, flags: flags, segment: segment)
        handle.references = references
        handle.text = text
        slots[slot] = handle
        lockedCount(place.inode, flags, 1)
        place.inode.opens += 1
        place.mount.opens += 1
    }

    /// Locks on the file of an instance; without the instance they are nobody's.
    func restore(locks: FileLocks, id: UInt64) {
        lock.lock()
        defer { lock.unlock() }
        guard let handle = try? lockedFind(id), !locks.isEmpty else { return }
        handle.inode.locks = locks
    }

    /// Every watch fires: who waits is to ask again.
    func fireWatches() {
        lock.lock()
        var woken: [FileLocks.Watch] = []
        for case let handle? in slots {
            woken += handle.inode.locks?.watches ?? []
            handle.inode.locks?.watches = []
            if handle.inode.locks?.isEmpty == true { handle.inode.locks = nil }
        }
        lock.unlock()
        wake(woken)
    }

    // MARK: Locks

    /// Takes, tests or releases a lock; a conflict is returned.
    func lock(_ inode: Inode, _ wanted: FileLocks.Record, flags: UInt32) throws(Errno) -> FileLocks.Record? {
        let flock = flags & MIX_LOCK_FLOCK != 0
        let unlock = flags & MIX_LOCK_TYPE == MIX_LOCK_UNLOCK
        lock.lock()
        var locks = inode.locks ?? FileLocks()
        if !unlock, let other = locks.conflict(wanted, flock: flock) {
            lock.unlock()
            return other
        }
        if flags & MIX_LOCK_TEST != 0 {
            lock.unlock()
            return nil
        }
        if locks.records.count > 65536 {
            lock.unlock()
            throw Errno(37)  // ENOLCK
        }
        let released = flock ? locks.setWhole(wanted, unlock: unlock) : locks.set(wanted, unlock: unlock)
        let woken = released ? locks.watches : []
        if released { locks.watches = [] }
        inode.locks = locks.isEmpty ? nil : locks
        lock.unlock()
        wake(woken)
        return nil
    }

    /// Every inode on which there are locks.
    var locked: [(inode: Inode, locks: FileLocks)] {
        lock.lock()
        defer { lock.unlock() }
        var seen: Set<ObjectIdentifier> = []
        return slots.compactMap { handle in
            guard let inode = handle?.inode, let locks = inode.locks, seen.insert(ObjectIdentifier(inode)).inserted
            else { return nil }
            return (inode, locks)
        }
    }

    func watch(_ inode: Inode, owner: UInt64, event: KnUniqueId?) {
        lock.lock()
        defer { lock.unlock() }
        inode.locks?.watches.removeAll { $0.owner == owner }
        if let event {
            if inode.locks == nil { inode.locks = FileLocks() }
            inode.locks?.watches.append(FileLocks.Watch(owner: owner, head: event.uiHead, tail: event.uiTail))
        } else if inode.locks?.isEmpty == true {
            inode.locks = nil
        }
    }

    private func wake(_ watches: [FileLocks.Watch]) {
        for watch in watches {
            var event = KnUniqueId(uiHead: watch.head, uiTail: watch.tail)
            _ = nucleus.eventPost(&event, MIX_POLL_LOCK)
        }
    }
}
