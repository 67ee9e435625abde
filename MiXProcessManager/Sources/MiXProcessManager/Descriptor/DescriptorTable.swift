import CMiXFile
import Synchronization

/// The descriptors of a process, or of several that CLONE_FILES joins.
///
/// Looking one up takes the lock for a few loads; what a call then does with the description happens outside of it.
final class DescriptorTable: Sendable {
    fileprivate struct Slot {
        var description: OpenDescription
        var closeOnExec: Bool
    }

    fileprivate struct State {
        var slots: [Slot?] = []
        /// No free number lies below it.
        var lowestFree = 0
        /// Who took POSIX locks through this table: closes must release them (fcntl(2)).
        var locker: MixCred?
    }

    /// Linux' ceiling of RLIMIT_NOFILE (fs.nr_open).
    static let ceiling = 1 << 20

    private let state: Mutex<State>

    init() { state = Mutex(State()) }

    private init(copying copied: sending State) { state = Mutex(copied) }

    // MARK: Copies

    /// A table of its own with the same open descriptions (fork, unshare).
    func fork() -> DescriptorTable {
        let copied = state.withLock { now in
            var copied = State()
            copied.slots = now.slots
            copied.lowestFree = now.lowestFree
            for slot in now.slots { slot?.description.hold() }
            return copied
        }
        return DescriptorTable(copying: copied)
    }

    // MARK: Looking up

    func lookup(_ fd: Int) -> OpenDescription? {
        state.withLock { now in
            fd >= 0 && fd < now.slots.count ? now.slots[fd]?.description : nil
        }
    }

    /// The description behind `fd`, or EBADF.
    func description(_ fd: Int) throws(Errno) -> OpenDescription {
        guard let found = lookup(fd) else { throw .EBADF }
        return found
    }

    /// Numbers from here on are free.
    var slotCount: Int { state.withLock { $0.slots.count } }

    var open: [Int32] {
        state.withLock { now in now.slots.indices.filter { now.slots[$0] != nil }.map { Int32($0) } }
    }

    // MARK: Putting in

    /// The lowest free number from `first` on; takes over the caller's hold. EMFILE at the limit.
    func insert(
        _ description: OpenDescription, closeOnExec: Bool, from first: Int = 0, limit: UInt64
    ) throws(Errno) -> Int {
        let ceiling = Int(min(limit, UInt64(Self.ceiling)))
        let number: Int? = state.withLock { now in
            var number = max(first, now.lowestFree)
            while number < now.slots.count && now.slots[number] != nil { number += 1 }
            guard number < ceiling else { return nil }
            if first <= now.lowestFree { now.lowestFree = number + 1 }
            now.set(number, Slot(description: description, closeOnExec: closeOnExec))
            return number
        }
        guard let number else { throw .EMFILE }
        return number
    }

    /// Puts `description` at `fd`, taking over the caller's hold, and closes what was there (dup2).
    func replace(
        _ fd: Int, with description: OpenDescription, closeOnExec: Bool, limit: UInt64
    ) throws(Errno) {
        guard fd >= 0, fd < Int(min(limit, UInt64(Self.ceiling))) else { throw .EBADF }
        let (old, locked) = state.withLock { now in
            let old = fd < now.slots.count ? now.slots[fd]?.description : nil
            now.set(fd, Slot(description: description, closeOnExec: closeOnExec))
            return (old, now.locker)
        }
        old?.drop(releasingLocksOf: locked)
    }

    /// EMFILE before anything is created for a descriptor that would have no place.
    func checkRoom(limit: UInt64) throws(Errno) {
        let ceiling = Int(min(limit, UInt64(Self.ceiling)))
        let full = state.withLock { now in
            now.lowestFree >= ceiling
                || now.slots.count >= ceiling && !now.slots[now.lowestFree..<ceiling].contains { $0 == nil }
        }
        if full { throw .EMFILE }
    }

    // MARK: Flags

    func closeOnExec(_ fd: Int) throws(Errno) -> Bool {
        let flag = state.withLock { fd >= 0 && fd < $0.slots.count ? $0.slots[fd]?.closeOnExec : nil }
        guard let flag else { throw .EBADF }
        return flag
    }

    func setCloseOnExec(_ fd: Int, _ on: Bool) throws(Errno) {
        let found = state.withLock { now in
            guard fd >= 0, fd < now.slots.count, now.slots[fd] != nil else { return false }
            now.slots[fd]?.closeOnExec = on
            return true
        }
        if !found { throw .EBADF }
    }

    func markLocked(by cred: MixCred) { state.withLock { $0.locker = cred } }

    // MARK: Closing

    func close(_ fd: Int) throws(Errno) {
        let (old, locked) = state.withLock { now in (now.take(fd), now.locker) }
        guard let old else { throw .EBADF }
        old.drop(releasingLocksOf: locked)
    }

    /// close_range(2): `mark` sets close-on-exec instead.
    func closeRange(_ first: Int, _ last: Int, mark: Bool) {
        let (gone, locked) = state.withLock { now -> ([OpenDescription], MixCred?) in
            var gone: [OpenDescription] = []
            let end = min(last, now.slots.count - 1)
            guard first <= end else { return (gone, nil) }
            for fd in first...end where now.slots[fd] != nil {
                if mark {
                    now.slots[fd]?.closeOnExec = true
                } else if let old = now.take(fd) {
                    gone.append(old)
                }
            }
            return (gone, now.locker)
        }
        for description in gone { description.drop(releasingLocksOf: locked) }
    }

    /// The last process that used the table is gone.
    func closeAll() { closeRange(0, Self.ceiling, mark: false) }

    /// What execve closes. The caller has made the table its own before.
    func closeOnExec() {
        let (gone, locked) = state.withLock { now -> ([OpenDescription], MixCred?) in
            var gone: [OpenDescription] = []
            for fd in now.slots.indices where now.slots[fd]?.closeOnExec == true {
                if let old = now.take(fd) { gone.append(old) }
            }
            return (gone, now.locker)
        }
        for description in gone { description.drop(releasingLocksOf: locked) }
    }

}

extension DescriptorTable.State {
    fileprivate mutating func set(_ fd: Int, _ slot: DescriptorTable.Slot) {
        while slots.count <= fd { slots.append(nil) }
        slots[fd] = slot
    }

    fileprivate mutating func take(_ fd: Int) -> OpenDescription? {
        guard fd >= 0, fd < slots.count, let slot = slots[fd] else { return nil }
        slots[fd] = nil
        lowestFree = min(lowestFree, fd)
        return slot.description
    }
}

extension OpenDescription {
    fileprivate final func drop(releasingLocksOf locker: MixCred?) {
        if let locker { releaseLocks(of: locker) }
        drop()
    }
}
