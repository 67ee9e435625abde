import ActorKit
import CChorus

/// A device that a server registered: who serves it and the key the server wants.
struct DeviceBinding: Sendable {
    var serverHead: UInt32
    var serverTail: UInt32
    var keyObject: UInt64
    var keyTag: UInt64
    /// Of its node in devfs, by which a device that was opened is known again (ttyname(3)).
    var ino: UInt64
}

/// Which server serves a device number. Any node with that number leads there, in whatever file system it lies.
final class DeviceTable: @unchecked Sendable {
    // Sendable: guarded by `lock`.
    private struct Number: Hashable {
        let type: UInt32
        let rdev: UInt64
    }

    private let lock = Lock()
    private var table: [Number: DeviceBinding] = [:]

    func set(type: UInt32, rdev: UInt64, _ binding: DeviceBinding?) {
        lock.lock()
        defer { lock.unlock() }
        table[Number(type: type, rdev: rdev)] = binding
    }

    func find(type: UInt32, rdev: UInt64) -> DeviceBinding? {
        lock.lock()
        defer { lock.unlock() }
        return table[Number(type: type, rdev: rdev)]
    }

    /// "major name" lines of /proc/devices.
    var numbers: [(type: UInt32, rdev: UInt64, binding: DeviceBinding)] {
        lock.lock()
        defer { lock.unlock() }
        return table.map { ($0.key.type, $0.key.rdev, $0.value) }.sorted { ($0.0, $0.1) < ($1.0, $1.1) }
    }
}

/// The tree of device nodes: a Tmpfs that servers put nodes into. All mounts of the type show the one tree.
final class Devfs: Tmpfs, @unchecked Sendable {
    // Sendable: as Tmpfs.
    static func make(id: UInt16, nucleus: Nucleus) throws(Errno) -> Devfs {
        let tree = Devfs(id: id, nucleus: nucleus)
        let root = TmpNode(tree: tree, ino: tree.newIno(), NewNode(mode: Linux.S_IFDIR | 0o755, uid: 0, gid: 0))
        tree.plant(root)
        for (name, mode) in [("pts", UInt32(0o755)), ("shm", 0o1777)] {
            _ = try root.make(Name(name), NewNode(mode: Linux.S_IFDIR | mode, uid: 0, gid: 0))
        }
        let links = [
            ("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"),
            ("stderr", "/proc/self/fd/2"),
        ]
        for (name, target) in links {
            let new = NewNode(mode: Linux.S_IFLNK | 0o777, uid: 0, gid: 0, target: Array(target.utf8))
            _ = try root.make(Name(name), new)
        }
        return tree
    }

    override var typeName: String { "devtmpfs" }
    override var isShared: Bool { true }

    /// Puts a node at `path`, making directories on the way. One of the same device gets the new mode and owner; another is
    /// replaced.
    func register(_ path: [UInt8], _ new: NewNode) throws(Errno) -> Inode {
        let (directory, name) = try locate(path, making: true)
        if let known = renew(directory, name, new) { return known }
        do throws(Errno) { try directory.remove(name, directory: false) } catch {
            if error != .ENOENT { throw error }
        }
        return try directory.make(name, new)
    }

    private func renew(_ directory: TmpNode, _ name: Name, _ new: NewNode) -> TmpNode? {
        lock.lock()
        defer { lock.unlock() }
        guard let node = try? directory.lockedFind(name), node.type == new.type, node.rdev == new.rdev else {
            return nil
        }
        (node.mode, node.uid, node.gid, node.ctime) = (new.mode, new.uid, new.gid, .now)
        return node
    }

    func unregister(_ path: [UInt8]) throws(Errno) -> TmpNode? {
        let (directory, name) = try locate(path, making: false)
        lock.lock()
        let node = try? directory.lockedFind(name)
        lock.unlock()
        try directory.remove(name, directory: false)
        return node
    }

    private func locate(_ path: [UInt8], making: Bool) throws(Errno) -> (TmpNode, Name) {
        let parts = path.split(separator: 0x2f, omittingEmptySubsequences: false)
        guard parts.count <= 8, let last = parts.last, var directory = top else { throw .EINVAL }
        for part in parts {
            if part.isEmpty || part.count > Linux.NAME_MAX || part.contains(0) || part.elementsEqual([0x2e])
                || part.elementsEqual([0x2e, 0x2e])
            {
                throw .EINVAL
            }
        }
        for part in parts.dropLast() {
            let name = Name(Array(part))
            lock.lock()
            var next = try? directory.lockedFind(name)
            if next == nil, making {
                next = try? directory.lockedMake(name, NewNode(mode: Linux.S_IFDIR | 0o755, uid: 0, gid: 0))
            }
            lock.unlock()
            guard let next, next.isDirectory else { throw next == nil ? .ENOENT : .ENOTDIR }
            directory = next
        }
        return (directory, Name(Array(last)))
    }
}
