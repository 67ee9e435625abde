import CChorus

/// An inode of Tmpfs, of any type. Methods named `locked…` run under the tree's lock.
class TmpNode: Inode, @unchecked Sendable {
    // Sendable: fields are guarded by `tree.lock`.
    let tree: Tmpfs
    var mode: UInt32
    var uid: UInt32
    var gid: UInt32
    var nlink: UInt64
    let rdev: UInt64
    let target: [UInt8]
    var atime: FileTime
    var mtime: FileTime
    var ctime: FileTime
    var btime: FileTime

    var entries = EntryList<TmpNode>()
    /// The directory this node was last linked in: a cycle with its entries, broken by unlink or discard.
    var parent: TmpNode?
    var name: Name?
    var subdirectories: UInt64 = 0
    var isRemoved = false
    /// Made by O_TMPFILE without O_EXCL: the one file without a name that may get one, once (open(2)).
    var isLinkable = false

    /// nil: nobody set any here; Overlay then shows those of the lower file.
    var extended: ExtendedAttributes?

    var segment: Segment?
    /// Count of writes the segment had when mtime was set by hand; a later write makes the segment's time count.
    var writesSeen: UInt64 = 0

    init(tree: Tmpfs, ino: UInt64, _ new: NewNode) {
        self.tree = tree
        mode = new.mode
        uid = new.uid
        gid = new.gid
        rdev = new.rdev
        target = new.target
        nlink = new.type == Linux.S_IFDIR ? 2 : 1
        let now = FileTime.now
        atime = now
        mtime = now
        ctime = now
        btime = now
        super.init(fs: tree, ino: ino, type: new.type)
    }

    override var isUnlinked: Bool { isRemoved || nlink == 0 }
    override var parentDirectory: Inode {
        tree.lock.lock()
        defer { tree.lock.unlock() }
        return parent ?? self
    }
    override var nameInParent: Name? {
        tree.lock.lock()
        defer { tree.lock.unlock() }
        return name
    }

    // MARK: What Overlay changes

    /// The entry `name` under the tree's lock, or nil.
    func lockedFind(_ name: Name) throws(Errno) -> TmpNode? { entries[name] }
    /// The name goes; Overlay leaves a whiteout where the lower directory has it.
    func lockedDrop(_ name: Name) { entries.remove(name) }
    func lockedPut(_ name: Name, _ node: TmpNode) { entries.set(name, node) }
    func lockedIsEmpty() throws(Errno) -> Bool { entries.isEmpty }
    /// Called before metadata changes: copy-up.
    func lockedOwnMeta() throws(Errno) {}
    /// Called before data changes: copy-up.
    func lockedOwnData() throws(Errno) {}
    func lockedLastNameGone() {}
    func lockedExtended() throws(Errno) -> ExtendedAttributes { extended ?? ExtendedAttributes() }
    func lockedAttributes() throws(Errno) -> Attributes { try ownAttributes() }
    func lockedData() throws(Errno) -> Segment { try ownData() }

    // MARK: Attributes

    override func attributes() throws(Errno) -> Attributes {
        tree.lock.lock()
        defer { tree.lock.unlock() }
        return try lockedAttributes()
    }

    override func permissions() throws(Errno) -> Permissions {
        tree.lock.lock()
        defer { tree.lock.unlock() }
        return Permissions(mode: mode, uid: uid, gid: gid)
    }

    final func ownAttributes() throws(Errno) -> Attributes {
        var a = Attributes()
        a.dev = tree.dev
        a.ino = ino
        a.rdev = rdev
        a.mode = mode
        a.uid = uid
        a.gid = gid
        a.nlink = isDirectory ? (isRemoved ? 0 : 2 + subdirectories) : nlink
        a.atime = atime
        a.mtime = mtime
        a.ctime = ctime
        a.btime = btime
        switch type {
        case Linux.S_IFDIR: a.size = UInt64(40 + 20 * entries.count)
        case Linux.S_IFLNK: a.size = UInt64(target.count)
        case Linux.S_IFREG:
            guard let segment else { break }
            let s = try segment.stat()
            a.size = s.size
            a.blocks = (s.resident + 511) / 512
            if s.writes != writesSeen, s.modifiedSec != 0 {
                a.mtime = FileTime(s.modifiedSec, UInt32(truncatingIfNeeded: s.modifiedNsec))
                a.ctime = FileTime.latest(ctime, a.mtime)
            }
        default: break
        }
        return a
    }

    override func change(_ change: AttributeChange) throws(Errno) {
        tree.lock.lock()
        defer { tree.lock.unlock() }
        try lockedOwnMeta()
        if let mode = change.mode { self.mode = type | (mode & 0o7777) }
        if let uid = change.uid { self.uid = uid }
        if let gid = change.gid { self.gid = gid }
        if let atime = change.atime { self.atime = atime }
        if let mtime = change.mtime { try setModified(mtime) }
        ctime = .now
    }

    override func extendedAttributes() throws(Errno) -> ExtendedAttributes {
        tree.lock.lock()
        defer { tree.lock.unlock() }
        return try lockedExtended()
    }

    override func setExtendedAttribute(
        _ name: [UInt8], _ value: [UInt8]?, _ must: ExtendedAttributes.Presence
    ) throws(Errno) {
        tree.lock.lock()
        defer { tree.lock.unlock() }
        var all = try lockedExtended()
        try all.set(name, value, must)
        try lockedOwnMeta()
        extended = all
        ctime = .now
    }

    /// From here on `time` counts, until the segment is written again.
    final func setModified(_ time: FileTime) throws(Errno) {
        mtime = time
        if let segment { writesSeen = try segment.stat().writes }
    }

    // MARK: Data

    override func data(writing: Bool) throws(Errno) -> Segment {
        guard isRegular else { throw .ENODEV }
        tree.lock.lock()
        defer { tree.lock.unlock() }
        if writing { try lockedOwnData() }
        return try lockedData()
    }

    final func ownData() throws(Errno) -> Segment {
        if let segment { return segment }
        let new = try Segment(nucleus: tree.nucleus, name: "tmpfs", size: 0)
        segment = new
        writesSeen = (try? new.stat().writes) ?? 0
        return new
    }

    /// An empty file needs no segment, which is a descriptor of the host's: there may be more files than those. Whoever is
    /// about to open it holds the segment already, and it stays.
    override func rest() {
        guard isRegular else { return }
        tree.lock.lock()
        defer { tree.lock.unlock() }
        guard let stat = try? segment?.stat(), stat.size == 0, isKnownUniquelyReferenced(&segment) else { return }
        if stat.writes != writesSeen, stat.modifiedSec != 0 {
            mtime = FileTime(stat.modifiedSec, UInt32(truncatingIfNeeded: stat.modifiedNsec))
            ctime = FileTime.latest(ctime, mtime)
        }
        segment = nil
    }

    override func truncate(_ size: UInt64) throws(Errno) {
        if isDirectory { throw .EISDIR }
        guard isRegular else { throw .EINVAL }
        if size > Linux.maxFileSize { throw .EFBIG }
        tree.lock.lock()
        defer { tree.lock.unlock() }
        try lockedTruncate(size)
        try setModified(.now)
        ctime = mtime
    }

    func lockedTruncate(_ size: UInt64) throws(Errno) {
        if segment == nil, size == 0 { return }
        try ownData().truncate(size)
    }

    override func readLink(_ caller: Caller) throws(Errno) -> [UInt8] {
        guard isSymlink else { throw .EINVAL }
        return target
    }

    // MARK: Directories

    override func lookup(_ name: Name, _ caller: Caller) throws(Errno) -> Inode {
        guard isDirectory else { throw .ENOTDIR }
        tree.lock.lock()
        defer { tree.lock.unlock() }
        guard let node = try lockedFind(name) else { throw .ENOENT }
        return node
    }

    override func make(_ name: Name, _ new: NewNode) throws(Errno) -> Inode {
        guard isDirectory else { throw .ENOTDIR }
        tree.lock.lock()
        defer { tree.lock.unlock() }
        return try lockedMake(name, new)
    }

    override func makeTemporary(_ new: NewNode, linkable: Bool) throws(Errno) -> Inode {
        guard isDirectory else { throw .ENOTDIR }
        tree.lock.lock()
        defer { tree.lock.unlock() }
        if isRemoved { throw .ENOENT }
        let node = tree.newNode(new)
        node.nlink = 0
        node.isLinkable = linkable
        return node
    }

    override func link(_ name: Name, _ inode: Inode) throws(Errno) {
        tree.lock.lock()
        defer { tree.lock.unlock() }
        try lockedLink(name, inode)
    }

    override func remove(_ name: Name, directory: Bool) throws(Errno) {
        guard isDirectory else { throw .ENOTDIR }
        tree.lock.lock()
        defer { tree.lock.unlock() }
        try lockedRemove(name, directory: directory)
    }

    override func rename(_ name: Name, to directory: Inode, _ newName: Name, flags: UInt32) throws(Errno) {
        guard let other = directory as? TmpNode, other.tree === tree else { throw .EXDEV }
        tree.lock.lock()
        defer { tree.lock.unlock() }
        try lockedRename(name, to: other, newName, flags: flags)
    }

    override func list(after cookie: UInt64, _ caller: Caller, _ sink: DirectorySink) throws(Errno) {
        guard isDirectory else { throw .ENOTDIR }
        tree.lock.lock()
        defer { tree.lock.unlock() }
        try lockedList(after: cookie, sink)
    }

    func lockedList(after cookie: UInt64, _ sink: DirectorySink) throws(Errno) {
        withoutActuallyEscaping(sink) { sink in
            entries.forEach(after: cookie) { name, node, cookie in
                sink(name, node.ino, Linux.direntType(node.type), cookie)
            }
        }
    }
}
