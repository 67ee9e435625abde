import CMiXFile

/// A file system, or a subtree of one, at a place of the name space.
final class Mount: @unchecked Sendable {
    // Sendable: mutable fields are guarded by the lock of NameSpace, except where noted.
    let id: UInt64
    let fs: any FileSystem
    let root: Inode
    let source: [UInt8]
    let parent: Mount?
    /// The directory (or file) of `parent` that this mount covers.
    let point: Inode?
    /// Name of the mount point where it is not a directory (its inode cannot tell).
    let pointPlace: Location?
    var readOnly: Bool
    /// MS_NOSUID, MS_NODEV, MS_NOEXEC.
    var restrictions: UInt64 = 0
    var options: String
    var isDetached = false
    /// Open instances on this mount; guarded by the lock of OpenTable.
    var opens = 0

    init(
        id: UInt64, fs: any FileSystem, root: Inode, source: [UInt8], at place: Location?, readOnly: Bool,
        options: String
    ) {
        self.id = id
        self.fs = fs
        self.root = root
        self.source = source
        self.parent = place?.mount
        self.point = place?.inode
        self.pointPlace = place
        self.readOnly = readOnly
        self.options = options
    }
}

/// An inode as reached through a mount. For what is not a directory the directory and the name it was found under come
/// along, so that its path can be told later.
struct Location: Sendable {
    var mount: Mount
    var inode: Inode
    var directory: Inode?
    var name: Name?

    init(_ mount: Mount, _ inode: Inode, directory: Inode? = nil, name: Name? = nil) {
        self.mount = mount
        self.inode = inode
        self.directory = directory
        self.name = name
    }

    static func == (a: Location, b: Location) -> Bool { a.mount === b.mount && a.inode === b.inode }
}
