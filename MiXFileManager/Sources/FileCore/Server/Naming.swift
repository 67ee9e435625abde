import CMiXFile

/// Requests that make and remove names.
extension FileServer {
    private func mode(_ request: Request, _ type: UInt32) -> UInt32 {
        type | UInt32(truncatingIfNeeded: request.arg2) & 0o7777
    }

    func makeDirectory(_ request: Request) throws(Errno) {
        let p = try parent(request, try request.string(), key: request.key, root: request.rootKey)
        guard let name = p.name else { throw .EEXIST }
        try make(request, p.directory, name, mode(request, Linux.S_IFDIR) & ~(Linux.S_ISUID | Linux.S_ISGID))
    }

    func makeNode(_ request: Request) throws(Errno) {
        var type = UInt32(truncatingIfNeeded: request.arg2) & Linux.S_IFMT
        if type == 0 { type = Linux.S_IFREG }
        switch type {
        case Linux.S_IFREG, Linux.S_IFIFO, Linux.S_IFSOCK: break
        case Linux.S_IFCHR, Linux.S_IFBLK: if !request.caller.isRoot { throw .EPERM }
        case Linux.S_IFDIR: throw .EPERM
        default: throw .EINVAL
        }
        let p = try parent(request, try request.string(), key: request.key, root: request.rootKey)
        guard let name = p.name else { throw .EEXIST }
        try make(request, p.directory, name, mode(request, type), rdev: request.arg3, slash: p.slash)
    }

    func symlink(_ request: Request) throws(Errno) {
        let target = try request.string(0)
        if target.isEmpty { throw .ENOENT }
        if target.count >= Linux.PATH_MAX { throw .ENAMETOOLONG }
        let p = try parent(request, try request.string(1), key: request.key, root: request.rootKey)
        guard let name = p.name else { throw .EEXIST }
        try make(request, p.directory, name, Linux.S_IFLNK | 0o777, target: Array(target), slash: p.slash)
    }

    private func make(
        _ request: Request, _ directory: Location, _ name: Name, _ mode: UInt32, rdev: UInt64 = 0, target: [UInt8] = [],
        slash: Bool = false
    ) throws(Errno) {
        let caller = request.caller
        guard directory.inode.isDirectory else { throw .ENOTDIR }
        if !caller.isRoot, !caller.may(1, try directory.inode.permissions()) { throw .EACCES }
        if try existing(directory, name, caller) != nil { throw .EEXIST }
        if slash { throw .ENOENT }
        try checkWritable(directory, caller)
        var new = try newNode(mode, in: directory, caller)
        let isDevice = new.type == Linux.S_IFCHR || new.type == Linux.S_IFBLK
        new.rdev = isDevice ? rdev : 0
        new.target = target
        _ = try directory.inode.make(name, new)
    }

    func unlink(_ request: Request) throws(Errno) {
        let isDirectory = request.flags & Linux.AT_REMOVEDIR != 0
        let p = try parent(request, try request.string(), key: request.key, root: request.rootKey)
        guard let name = p.name else {
            if !isDirectory { throw .EISDIR }
            throw p.dots == 1 ? .EINVAL : p.dots == 2 ? .ENOTEMPTY : .EBUSY
        }
        guard let place = try existing(p.directory, name, request.caller) else { throw .ENOENT }
        if p.slash, !isDirectory { throw place.inode.isDirectory ? .EISDIR : .ENOTDIR }
        try checkWritable(p.directory, request.caller)
        if place.mount !== p.directory.mount { throw .EBUSY }
        try checkSticky(p.directory, place.inode, request.caller)
        try p.directory.inode.remove(name, directory: isDirectory)
    }

    /// RENAME and LINK carry two directories and the root elsewhere (mixFile.h).
    private func secondKey(_ request: Request) -> MixKey { MixKey(object: request.arg2, tag: request.arg3) }
    private func pairRoot(_ request: Request) -> MixKey { MixKey(object: request.offset, tag: request.size) }

    func rename(_ request: Request) throws(Errno) {
        let flags = request.flags
        if flags & ~(Linux.RENAME_NOREPLACE | Linux.RENAME_EXCHANGE) != 0 || flags == 3 { throw .EINVAL }
        let root = pairRoot(request)
        let from = try parent(request, try request.string(0), key: request.key, root: root)
        let to = try parent(request, try request.string(1), key: secondKey(request), root: root)
        guard from.directory.mount === to.directory.mount else { throw .EXDEV }
        guard let name = from.name else { throw .EBUSY }
        guard let newName = to.name else { throw flags & Linux.RENAME_NOREPLACE != 0 ? .EEXIST : .EBUSY }
        let caller = request.caller
        guard let source = try existing(from.directory, name, caller) else { throw .ENOENT }
        let target = try existing(to.directory, newName, caller)
        if target != nil, flags & Linux.RENAME_NOREPLACE != 0 { throw .EEXIST }
        if flags & Linux.RENAME_EXCHANGE != 0 {
            guard let target else { throw .ENOENT }
            if to.slash, !target.inode.isDirectory { throw .ENOTDIR }
        }
        if !source.inode.isDirectory {
            if from.slash { throw .ENOTDIR }
            if to.slash, flags & Linux.RENAME_EXCHANGE == 0 { throw .ENOTDIR }
        }
        try checkWritable(from.directory, caller)
        try checkWritable(to.directory, caller)
        if source.mount !== from.directory.mount { throw .EBUSY }
        if let target, target.mount !== to.directory.mount { throw .EBUSY }
        try checkSticky(from.directory, source.inode, caller)
        if let target { try checkSticky(to.directory, target.inode, caller) }
        if !caller.isRoot, source.inode.isDirectory, from.directory.inode !== to.directory.inode,
            !caller.may(2, try source.inode.permissions())
        {
            throw .EACCES  // its ".." changes
        }
        try from.directory.inode.rename(name, to: to.directory.inode, newName, flags: flags)
    }

    func link(_ request: Request) throws(Errno) {
        if request.flags & ~(Linux.AT_SYMLINK_FOLLOW | Linux.AT_EMPTY_PATH) != 0 { throw .EINVAL }
        let root = pairRoot(request)
        let source = try findOwn(
            request, try request.string(0), key: request.key, root: root,
            follow: request.flags & Linux.AT_SYMLINK_FOLLOW != 0, emptyPath: request.flags & Linux.AT_EMPTY_PATH != 0)
        let to = try parent(request, try request.string(1), key: secondKey(request), root: root)
        guard let name = to.name else { throw .EEXIST }
        if try existing(to.directory, name, request.caller) != nil { throw .EEXIST }
        if to.slash { throw .ENOENT }
        guard source.mount === to.directory.mount else { throw .EXDEV }
        try checkWritable(to.directory, request.caller)
        if source.inode.isDirectory { throw .EPERM }
        try to.directory.inode.link(name, source.inode)
    }
}
