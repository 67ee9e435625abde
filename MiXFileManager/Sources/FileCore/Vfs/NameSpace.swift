import CMiXFile
import Synchronization

/// The one name space of mounts.
final class NameSpace: @unchecked Sendable {
    // Sendable: guarded by `lock`.
    private struct Place: Hashable {
        let mount: UInt64
        let inode: ObjectIdentifier
    }

    private let lock = Lock()
    private var mounts: [Mount] = []
    private var table: [Place: Mount] = [:]
    private var nextId: UInt64 = 20
    private var nextFileSystem: UInt16 = 1
    /// Set once by the first mount.
    private(set) var rootMount: Mount?

    func newFileSystemId() -> UInt16 {
        lock.lock()
        defer { lock.unlock() }
        nextFileSystem &+= 1
        return nextFileSystem
    }

    /// The location at the root of the name space.
    func root() throws(Errno) -> Location {
        guard let rootMount else { throw .ENOENT }
        return top(Location(rootMount, rootMount.root))
    }

    /// `place`, or what is mounted over it.
    func top(_ place: Location) -> Location {
        var place = place
        while place.inode.mountsHere.load(ordering: .relaxed) > 0, let mount = mounted(on: place) {
            place = Location(mount, mount.root, directory: place.directory, name: place.name)
        }
        return place
    }

    private func mounted(on place: Location) -> Mount? {
        lock.lock()
        defer { lock.unlock() }
        return table[Place(mount: place.mount.id, inode: ObjectIdentifier(place.inode))]
    }

    @discardableResult
    func mount(
        _ fs: any FileSystem, root: Inode? = nil, source: [UInt8], at place: Location?, readOnly: Bool = false,
        options: String = ""
    ) -> Mount {
        lock.lock()
        defer { lock.unlock() }
        nextId += 1
        let mount = Mount(
            id: nextId, fs: fs, root: root ?? fs.root, source: source, at: place, readOnly: readOnly, options: options)
        mounts.append(mount)
        if let place {
            table[Place(mount: place.mount.id, inode: ObjectIdentifier(place.inode))] = mount
            place.inode.mountsHere.add(1, ordering: .relaxed)
        } else {
            rootMount = mount
        }
        return mount
    }

    /// Takes a mount out of the name space. `busy` is asked for its open instances unless `detach`.
    func unmount(_ mount: Mount, detach: Bool, busy: (Mount) -> Bool) throws(Errno) {
        lock.lock()
        guard let parent = mount.parent, let point = mount.point, !mount.isDetached else {
            lock.unlock()
            throw mount.parent == nil ? .EBUSY : .EINVAL
        }
        var gone = [mount]
        var i = 0
        while i < gone.count {  // with everything mounted below
            for other in mounts where other.parent === gone[i] { gone.append(other) }
            i += 1
        }
        if !detach, gone.count > 1 || busy(mount) {
            lock.unlock()
            throw .EBUSY
        }
        for one in gone {
            one.isDetached = true
            guard let oneParent = one.parent, let onePoint = one.point else { continue }
            table[Place(mount: oneParent.id, inode: ObjectIdentifier(onePoint))] = nil
            onePoint.mountsHere.subtract(1, ordering: .relaxed)
        }
        _ = (parent, point)
        mounts.removeAll { $0.isDetached }
        let left = mounts
        lock.unlock()
        for one in gone where !one.fs.isShared && !busy(one) && !left.contains(where: { $0.fs === one.fs }) {
            one.fs.discard()
        }
    }

    var all: [Mount] {
        lock.lock()
        defer { lock.unlock() }
        return mounts
    }

    /// Forgets every mount without giving anything back: before a state import.
    func clear() {
        lock.lock()
        defer { lock.unlock() }
        for mount in mounts { mount.point?.mountsHere.store(0, ordering: .relaxed) }
        mounts = []
        table = [:]
        rootMount = nil
    }

    func reserveFileSystemIds(through id: UInt16) {
        lock.lock()
        nextFileSystem = max(nextFileSystem, id)
        lock.unlock()
    }

    func discardAll() {
        for mount in all { mount.fs.discard() }
        lock.lock()
        mounts = []
        table = [:]
        lock.unlock()
    }

    /// The directory above a directory, crossing mounts, never above `root`.
    func above(_ place: Location, root: Location) -> Location {
        var place = place
        while true {
            if place == root { return place }
            if place.inode !== place.mount.root { break }
            guard let parent = place.mount.parent, let point = place.mount.point else { return place }
            place = Location(
                parent, point, directory: place.mount.pointPlace?.directory, name: place.mount.pointPlace?.name)
        }
        if !place.inode.isDirectory, let directory = place.directory { return top(Location(place.mount, directory)) }
        return top(Location(place.mount, place.inode.parentDirectory))
    }
}
