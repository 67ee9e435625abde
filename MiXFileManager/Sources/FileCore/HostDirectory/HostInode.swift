import CFileHost
import Glibc

/// A file of the host, known by an O_PATH descriptor that may be closed and opened again by name from its parent.
final class HostInode: Inode, @unchecked Sendable {
    // Sendable: fields are guarded by `tree.lock`.
    let tree: HostDirectory
    let hostId: HostId
    fileprivate(set) var stat: FmHostStat
    private var statTime: UInt64
    /// Where it was found last; directories have one place only.
    private(set) var parent: HostInode?
    private(set) var name: Name?
    var descriptor: Int32 = -1
    var recent = false
    var isPinned = false
    /// A mount point of the host's kernel interfaces: shown empty.
    var isHidden = false
    var isGone = false
    var segment: Segment?
    private var segmentWritable = false

    // Directories: names below are valid for this generation.
    private(set) var generation: UInt32 = 0
    private var validTime: UInt64
    private var listing = EntryList<(ino: UInt64, type: UInt8)>()
    private var listingGeneration: UInt32?

    init(tree: HostDirectory, stat: FmHostStat, parent: HostInode?, name: Name?) {
        self.tree = tree
        self.stat = stat
        self.parent = parent
        self.name = name
        hostId = HostId(stat)
        statTime = fm_coarse_nanoseconds()
        validTime = statTime
        super.init(fs: tree, ino: tree.inoOf(stat), type: stat.mode & Linux.S_IFMT)
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    override var isUnlinked: Bool { isGone }
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

    /// An O_PATH descriptor, opened again where it was given up. ESTALE where the host put something else there.
    func lockedDescriptor() throws(Errno) -> Int32 {
        recent = true
        if descriptor >= 0 { return descriptor }
        guard let parent, let name, !isGone else { throw .ESTALE }
        let above = try parent.lockedDescriptor()
        let flags = UInt64(FM_O_PATH) | UInt64(Linux.O_NOFOLLOW)
        let fd = name.withCString { fm_open_beneath(above, $0, flags, 0) }
        if fd < 0 { throw fd == -ENOENT ? .ESTALE : Errno(-fd) }
        var s = FmHostStat()
        if fm_stat(fd, "", Int32(FM_AT_EMPTY_PATH), &s) < 0 || HostId(s) != hostId {
            close(fd)
            throw .ESTALE
        }
        tree.lockedHold(self, fd)
        return fd
    }

    /// What stat(2) says, at most `trust` old.
    func lockedStat() throws(Errno) -> FmHostStat {
        let now = fm_coarse_nanoseconds()
        if now - statTime < tree.trust { return stat }
        if isHidden { return stat }
        let fd = try lockedDescriptor()
        var s = FmHostStat()
        _ = try check(fm_stat(fd, "", Int32(FM_AT_EMPTY_PATH), &s))
        stat = s
        statTime = now
        return s
    }

    func forgetStat() { statTime = 0 }

    override func attributes() throws(Errno) -> Attributes {
        tree.lock.lock()
        defer { tree.lock.unlock() }
        return try lockedAttributes()
    }

    func lockedAttributes() throws(Errno) -> Attributes {
        let s = try lockedStat()
        var a = Attributes()
        a.dev = tree.dev
        a.ino = ino
        a.rdev = s.rdev
        a.size = s.size
        a.blocks = s.blocks
        a.nlink = s.nlink
        a.mode = isHidden ? Linux.S_IFDIR | 0o555 : s.mode
        a.uid = s.uid
        a.gid = s.gid
        a.blksize = s.blksize
        a.atime = FileTime(s.atimeSec, s.atimeNsec)
        a.mtime = FileTime(s.mtimeSec, s.mtimeNsec)
        a.ctime = FileTime(s.ctimeSec, s.ctimeNsec)
        a.btime = FileTime(s.btimeSec, s.btimeNsec)
        return a
    }

    /// Those that a program of the host's may make, and what a program may do; the rest is the host's own business.
    override func extendedAttributes() throws(Errno) -> ExtendedAttributes {
        var all = ExtendedAttributes()
        guard isRegular || isDirectory else { return all }
        tree.lock.lock()
        defer { tree.lock.unlock() }
        if isHidden { return all }
        let fd: Int32
        do throws(Errno) {
            fd = try lockedOpen(O_RDONLY)
        } catch {
            if error == .EACCES { return all }  // the host does not show them to us
            throw error
        }
        defer { close(fd) }
        var room = [UInt8](repeating: 0, count: ExtendedAttributes.most)
        let size = room.withUnsafeMutableBytes { fm_list_attributes(fd, $0.baseAddress, UInt64($0.count)) }
        guard size > 0 else { return all }  // also where the host's file system has none
        let names = room[..<Int(size)].split(separator: 0).map(Array.init)
        for name in names where ExtendedAttributes.isShown(name) {
            let count = (name + [0]).withUnsafeBytes { name in
                room.withUnsafeMutableBytes { value in
                    fm_get_attribute(
                        fd, name.baseAddress?.assumingMemoryBound(to: CChar.self), value.baseAddress,
                        UInt64(value.count))
                }
            }
            if count >= 0 { try all.set(name, Array(room[..<Int(count)]), .either) }
        }
        return all
    }

    override func readLink(_ caller: Caller) throws(Errno) -> [UInt8] {
        guard isSymlink else { throw .EINVAL }
        tree.lock.lock()
        defer { tree.lock.unlock() }
        return try lockedReadLink()
    }

    func lockedReadLink() throws(Errno) -> [UInt8] {
        let fd = try lockedDescriptor()
        var size = 0
        let text = [UInt8](unsafeUninitializedCapacity: Linux.PATH_MAX) { buffer, count in
            buffer.withMemoryRebound(to: CChar.self) { chars in
                if let base = chars.baseAddress { size = readlinkat(fd, "", base, chars.count) }
            }
            count = max(0, size)
        }
        if size < 0 { throw .EIO }
        return text
    }

    override func data(writing: Bool) throws(Errno) -> Segment {
        tree.lock.lock()
        defer { tree.lock.unlock() }
        return try lockedData(writing: writing)
    }

    func lockedData(writing: Bool) throws(Errno) -> Segment {
        guard isRegular else { throw .ENODEV }
        if writing, tree.readOnly { throw .EROFS }
        if let segment, !writing || segmentWritable { return segment }
        let fd = try lockedOpen(writing ? O_RDWR : O_RDONLY)
        defer { close(fd) }
        let new = try Segment(nucleus: tree.nucleus, adopting: fd, readOnly: !writing)
        segment = new
        segmentWritable = writing
        tree.lockedKeepSegment(self)
        return new
    }

    /// A real descriptor of this very file: opened by name below the parent, then compared.
    func lockedOpen(_ flags: Int32) throws(Errno) -> Int32 {
        let fd: Int32
        if let parent, let name {
            let above = try parent.lockedDescriptor()
            let all = UInt64(UInt32(bitPattern: flags)) | UInt64(Linux.O_NOFOLLOW) | UInt64(Linux.O_NONBLOCK) | 0o400
            fd = try check(name.withCString { fm_open_beneath(above, $0, all, 0) })
        } else {
            fd = try check(fm_open_beneath(try lockedDescriptor(), ".", UInt64(UInt32(bitPattern: flags)), 0))
        }
        var s = FmHostStat()
        if fm_stat(fd, "", Int32(FM_AT_EMPTY_PATH), &s) < 0 || HostId(s) != hostId {
            close(fd)
            throw .ESTALE
        }
        return fd
    }

    // MARK: Names

    override func lookup(_ name: Name, _ caller: Caller) throws(Errno) -> Inode {
        guard isDirectory else { throw .ENOTDIR }
        tree.lock.lock()
        defer { tree.lock.unlock() }
        guard let inode = try lockedFind(name) else { throw .ENOENT }
        return inode
    }

    /// Names seen before are believed while the directory's times stand; they are looked at once in `trust`.
    func lockedValidate() throws(Errno) {
        let now = fm_coarse_nanoseconds()
        if now - validTime < tree.trust { return }
        if isHidden { return }
        let before = stat
        statTime = 0
        let s = try lockedStat()
        validTime = now
        if s.mtimeSec != before.mtimeSec || s.mtimeNsec != before.mtimeNsec || s.ctimeSec != before.ctimeSec
            || s.ctimeNsec != before.ctimeNsec
        {
            generation &+= 1
        }
    }

    func lockedFind(_ name: Name) throws(Errno) -> HostInode? {
        if isHidden { return nil }
        try lockedValidate()
        let key = HostDirectory.DentryKey(directory: ObjectIdentifier(self), name: name)
        if tree.trust > 0, let dentry = tree.dentries[key], dentry.generation == generation { return dentry.inode }
        let inode = try lockedSearch(name)
        if tree.trust == 0 { return inode }  // others write here too: time stamps are too coarse to rely on
        if tree.dentries.count > 131_072 { tree.lockedSweep() }
        tree.dentries[key] = HostDirectory.Dentry(directory: self, inode: inode, generation: generation)
        return inode
    }

    private func lockedSearch(_ name: Name) throws(Errno) -> HostInode? {
        let above = try lockedDescriptor()
        let fd = name.withCString { fm_open_beneath(above, $0, UInt64(FM_O_PATH) | UInt64(Linux.O_NOFOLLOW), 0) }
        if fd == -ENOENT { return nil }
        if fd < 0 { throw Errno(-fd) }
        var s = FmHostStat()
        let result = fm_stat(fd, "", Int32(FM_AT_EMPTY_PATH), &s)
        if result < 0 {
            close(fd)
            throw Errno(-result)
        }
        let isDirectory = s.mode & Linux.S_IFMT == Linux.S_IFDIR
        var hidden = isDirectory && s.mountId != stat.mountId && HostDirectory.isSystem(fd)
        if tree.hidesSystem, self === tree.rootHost, isDirectory {
            hidden = hidden || name == Name("proc") || name == Name("sys") || name == Name("dev")
        }
        let inode = tree.lockedInode(s, descriptor: fd, parent: self, name: name, hidden: hidden)
        inode.stat = s
        inode.statTime = fm_coarse_nanoseconds()
        inode.parent = self
        inode.name = name
        inode.isGone = false
        return inode
    }

    override func list(after cookie: UInt64, _ caller: Caller, _ sink: DirectorySink) throws(Errno) {
        guard isDirectory else { throw .ENOTDIR }
        tree.lock.lock()
        defer { tree.lock.unlock() }
        try lockedList(after: cookie, sink)
    }

    func lockedList(after cookie: UInt64, _ sink: DirectorySink) throws(Errno) {
        if isHidden { return }
        try lockedRefreshListing(rewind: cookie <= 2)
        withoutActuallyEscaping(sink) { sink in
            listing.forEach(after: cookie) { name, value, cookie in sink(name, value.ino, value.type, cookie) }
        }
    }

    /// Names of the directory as listed; names that stay keep their cookies.
    private func lockedRefreshListing(rewind: Bool) throws(Errno) {
        if listingGeneration != nil, !rewind { return }
        try lockedValidate()
        if listingGeneration == generation, tree.trust > 0 { return }
        let fd = try lockedOpen(O_RDONLY | O_DIRECTORY)
        defer { close(fd) }
        var seen: Set<Name> = []
        let size = 32768
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 8)
        defer { buffer.deallocate() }
        while true {
            let count = fm_getdents(fd, buffer.baseAddress, UInt64(size))
            if count < 0 { throw Errno(Int32(-count)) }
            if count == 0 { break }
            var at = 0
            while at + 19 <= Int(count) {  // struct linux_dirent64
                let length = Int(buffer.loadUnaligned(fromByteOffset: at + 16, as: UInt16.self))
                guard length >= 20, at + length <= Int(count) else { break }
                var end = at + 19
                while end < at + length, buffer[end] != 0 { end += 1 }
                let bytes = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[(at + 19)..<end])
                let isDots = bytes.count <= 2 && bytes.allSatisfy { $0 == 0x2e }
                if !isDots, bytes.count > 0 {
                    let name = Name(bytes)
                    seen.insert(name)
                    let ino = buffer.loadUnaligned(fromByteOffset: at, as: UInt64.self)
                    listing.set(name, (ino, buffer[at + 18]))
                }
                at += length
            }
        }
        for name in listing.names where !seen.contains(name) { listing.remove(name) }
        listingGeneration = generation
    }

    func lockedHas(_ name: Name) throws(Errno) -> Bool { try lockedFind(name) != nil }

    // MARK: Read-write trees (HostWriting.swift)

    override func make(_ name: Name, _ new: NewNode) throws(Errno) -> Inode { try hostMake(name, new) }
    override func link(_ name: Name, _ inode: Inode) throws(Errno) { try hostLink(name, inode) }
    override func remove(_ name: Name, directory: Bool) throws(Errno) { try hostRemove(name, directory: directory) }
    override func rename(_ name: Name, to directory: Inode, _ newName: Name, flags: UInt32) throws(Errno) {
        try hostRename(name, to: directory, newName, flags: flags)
    }
    override func change(_ change: AttributeChange) throws(Errno) { try hostChange(change) }
    override func truncate(_ size: UInt64) throws(Errno) { try hostTruncate(size) }

    func lockedMoved(to parent: HostInode, _ name: Name) {
        self.parent = parent
        self.name = name
    }

    func lockedChanged() {
        generation &+= 1
        statTime = 0
        listingGeneration = nil
    }

    func lockedGone(_ nlink: UInt64) {
        statTime = 0
        isGone = nlink == 0
    }
}
