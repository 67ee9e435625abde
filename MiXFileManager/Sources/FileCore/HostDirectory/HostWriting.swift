import CFileHost
import Glibc

/// Operations of a host directory that is mounted read-write. The host's own permissions for the File Manager's user
/// apply besides the guest's.
extension HostInode {
    func hostMake(_ name: Name, _ new: NewNode) throws(Errno) -> Inode {
        guard isDirectory else { throw .ENOTDIR }
        if tree.readOnly { throw .EROFS }
        tree.lock.lock()
        defer { tree.lock.unlock() }
        let above = try lockedDescriptor()
        let mode = new.mode & 0o7777
        var result: Int32
        switch new.type {
        case Linux.S_IFREG:
            let flags = UInt64(O_RDWR | O_CREAT | O_EXCL) | UInt64(Linux.O_NOFOLLOW)
            let fd = try check(name.withCString { fm_open_beneath(above, $0, flags, UInt64(mode)) })
            fchmod(fd, mode)
            close(fd)
            result = 0
        case Linux.S_IFDIR:
            result = name.withCString { mkdirat(above, $0, mode) }
        case Linux.S_IFLNK:
            let target = new.target.map { CChar(bitPattern: $0) } + [0]
            result = name.withCString { symlinkat(target, above, $0) }
        case Linux.S_IFIFO:
            result = name.withCString { mkfifoat(above, $0, mode) }
        default: throw .EPERM  // no device nodes on the host
        }
        if result < 0 { throw Errno(errno) }
        lockedChanged()
        guard let inode = try lockedFind(name) else { throw .EIO }
        return inode
    }

    func hostRemove(_ name: Name, directory: Bool) throws(Errno) {
        if tree.readOnly { throw .EROFS }
        tree.lock.lock()
        defer { tree.lock.unlock() }
        guard let inode = try lockedFind(name) else { throw .ENOENT }
        if inode.mountsHere.load(ordering: .relaxed) > 0 || inode.isHidden { throw .EBUSY }
        let above = try lockedDescriptor()
        if name.withCString({ unlinkat(above, $0, directory ? 0x200 : 0) }) < 0 { throw Errno(errno) }
        let left = inode.isDirectory ? 0 : inode.stat.nlink > 1 ? inode.stat.nlink - 1 : 0
        inode.lockedGone(left)
        lockedChanged()
    }

    func hostLink(_ name: Name, _ inode: Inode) throws(Errno) {
        guard let other = inode as? HostInode, other.tree === tree else { throw .EXDEV }
        if tree.readOnly { throw .EROFS }
        tree.lock.lock()
        defer { tree.lock.unlock() }
        guard let from = other.parent, let oldName = other.name else { throw .EPERM }
        let source = try from.lockedDescriptor()
        let above = try lockedDescriptor()
        let result = oldName.withCString { old in name.withCString { linkat(source, old, above, $0, 0) } }
        if result < 0 { throw Errno(errno) }
        other.forgetStat()
        lockedChanged()
    }

    func hostRename(_ name: Name, to directory: Inode, _ newName: Name, flags: UInt32) throws(Errno) {
        guard let other = directory as? HostInode, other.tree === tree else { throw .EXDEV }
        if tree.readOnly { throw .EROFS }
        tree.lock.lock()
        defer { tree.lock.unlock() }
        guard let inode = try lockedFind(name) else { throw .ENOENT }
        let old = try other.lockedFind(newName)
        if inode.mountsHere.load(ordering: .relaxed) > 0 || (old?.mountsHere.load(ordering: .relaxed) ?? 0) > 0 {
            throw .EBUSY
        }
        let from = try lockedDescriptor()
        let to = try other.lockedDescriptor()
        let result = name.withCString { a in newName.withCString { fm_rename(from, a, to, $0, flags) } }
        _ = try check(result)
        inode.lockedMoved(to: other, newName)
        inode.forgetStat()
        if let old, old !== inode {
            if flags & Linux.RENAME_EXCHANGE != 0 {
                old.lockedMoved(to: self, name)
            } else {
                old.lockedGone(old.isDirectory || old.stat.nlink <= 1 ? 0 : old.stat.nlink - 1)
            }
        }
        lockedChanged()
        other.lockedChanged()
    }

    func hostChange(_ change: AttributeChange) throws(Errno) {
        if tree.readOnly { throw .EROFS }
        tree.lock.lock()
        defer { tree.lock.unlock() }
        defer { forgetStat() }
        if let mode = change.mode {
            // An O_PATH descriptor cannot be changed (open(2)); a link has no mode of its own.
            if isSymlink { throw .EOPNOTSUPP }
            let fd = try lockedOpen(isDirectory ? O_RDONLY | O_DIRECTORY : O_RDONLY)
            defer { close(fd) }
            if fchmod(fd, mode & 0o7777) < 0 { throw Errno(errno) }
        }
        let fd = try lockedDescriptor()
        if change.uid != nil || change.gid != nil {
            let uid = change.uid ?? uid_t.max
            let gid = change.gid ?? gid_t.max
            if fchownat(fd, "", uid, gid, Int32(FM_AT_EMPTY_PATH)) < 0 { throw Errno(errno) }
        }
        if change.atime != nil || change.mtime != nil {
            func pair(_ t: FileTime?) -> (Int64, Int64) {
                guard let t else { return (0, Linux.UTIME_OMIT) }
                return (t.seconds, Int64(t.nanoseconds))
            }
            let a = pair(change.atime)
            let m = pair(change.mtime)
            _ = try check(fm_utimens(fd, [a.0, a.1, m.0, m.1]))
        }
    }

    func hostTruncate(_ size: UInt64) throws(Errno) {
        if isDirectory { throw .EISDIR }
        if tree.readOnly { throw .EROFS }
        if size > Linux.maxFileSize { throw .EFBIG }
        try data(writing: true).truncate(size)
        tree.lock.lock()
        forgetStat()
        tree.lock.unlock()
    }
}
