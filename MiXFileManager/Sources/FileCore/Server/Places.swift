import CMiXFile

/// Where requests start and what their paths lead to.
extension FileServer {
    /// The place a key names; zeros: the root of the name space.
    func place(_ key: MixKey) throws(Errno) -> Location {
        if key.object == 0, key.tag == 0 { return try names.root() }
        return try opens.find(key).place
    }

    func rootPlace(_ key: MixKey) throws(Errno) -> Location {
        let root = try place(key)
        if !root.inode.isDirectory { throw .ENOTDIR }
        return root
    }

    func walk(
        _ request: Request, key: MixKey, root: MixKey, _ options: WalkOptions
    ) throws(Errno) -> Walk {
        Walk(names, request.caller, start: try place(key), root: try rootPlace(root), options)
    }

    /// An existing file. An empty path with `emptyPath` is the key's own object.
    func find(
        _ request: Request, _ path: UnsafeRawBufferPointer, key: MixKey, root: MixKey, follow: Bool,
        emptyPath: Bool = false,
        resolve: UInt64 = 0
    ) throws(Errno) -> WalkResult {
        if path.isEmpty, emptyPath { return .found(try place(key)) }
        var walk = try walk(request, key: key, root: root, WalkOptions(followLast: follow, resolve: resolve))
        return try walk.run(path)
    }

    /// The same where only an object of this server will do.
    func findOwn(
        _ request: Request, _ path: UnsafeRawBufferPointer, key: MixKey, root: MixKey, follow: Bool,
        emptyPath: Bool = false
    ) throws(Errno) -> Location {
        guard
            case .found(let place) = try find(request, path, key: key, root: root, follow: follow, emptyPath: emptyPath)
        else { throw .EPERM }
        return place
    }

    struct Parent {
        var directory: Location
        var name: Name?
        var slash: Bool
        var dots: Int
    }

    /// The directory and last name of a path.
    func parent(_ request: Request, _ path: UnsafeRawBufferPointer, key: MixKey, root: MixKey) throws(Errno) -> Parent {
        var walk = try walk(request, key: key, root: root, WalkOptions(wantParent: true))
        guard case .parent(let directory, let name, let slash, let dots) = try walk.run(path) else { throw .EINVAL }
        return Parent(directory: directory, name: name, slash: slash, dots: dots)
    }

    /// What `name` in a directory is, with what is mounted on it; nil where there is nothing.
    func existing(_ directory: Location, _ name: Name, _ caller: Caller) throws(Errno) -> Location? {
        do throws(Errno) {
            let inode = try directory.inode.lookup(name, caller)
            return names.top(
                Location(directory.mount, inode, directory: inode.isDirectory ? nil : directory.inode, name: name))
        } catch {
            if error == .ENOENT { return nil }
            throw error
        }
    }

    /// A name may be made in or taken from this directory.
    func checkWritable(_ directory: Location, _ caller: Caller) throws(Errno) {
        if directory.mount.readOnly { throw .EROFS }
        if !caller.isRoot, !caller.may(3, try directory.inode.permissions()) { throw .EACCES }
    }

    /// Sticky directories: only the owner of the file or the directory takes a name out (unlink(2)).
    func checkSticky(_ directory: Location, _ inode: Inode, _ caller: Caller) throws(Errno) {
        if caller.isRoot { return }
        let p = try directory.inode.permissions()
        if p.mode & Linux.S_ISVTX == 0 || caller.uid == p.uid { return }
        if try inode.permissions().uid != caller.uid { throw .EPERM }
    }

    /// Owner, group and mode of a new file: set-group-ID directories pass their group on (inode(7)).
    func newNode(_ mode: UInt32, in directory: Location, _ caller: Caller) throws(Errno) -> NewNode {
        let p = try directory.inode.permissions()
        var new = NewNode(mode: mode, uid: caller.uid, gid: caller.gid)
        if p.mode & Linux.S_ISGID != 0 {
            new.gid = p.gid
            if new.type == Linux.S_IFDIR {
                new.mode |= Linux.S_ISGID
            } else if mode & (Linux.S_ISGID | 0o010) == Linux.S_ISGID | 0o010, !caller.isRoot,
                !caller.isMember(of: p.gid)
            {
                new.mode &= ~Linux.S_ISGID
            }
        }
        return new
    }
}
