import CMiXFile

/// FILE_OPEN and OBJ_OPEN (open(2), openat2(2)).
extension FileServer {
    func open(_ request: Request, _ reply: inout Reply) throws(Errno) {
        let path = try request.string()
        let flags = request.flags
        let resolve = request.arg3 & 0xffff_ffff
        if resolve & ~0x3f != 0 { throw .EINVAL }
        if flags & Linux.O_TMPFILE_BIT != 0, flags & Linux.O_PATH == 0 {
            return try openTemporary(request, path, &reply)
        }
        if flags & Linux.O_CREAT != 0, flags & Linux.O_PATH == 0 {
            return try openCreating(request, path, resolve, &reply)
        }
        let follow = flags & Linux.O_NOFOLLOW == 0
        switch try find(
            request, path, key: request.key, root: request.rootKey, follow: follow,
            emptyPath: request.arg3 & FILE_EXEC_BIT != 0, resolve: resolve)
        {
        case .found(let place): try openExisting(request, place, flags, &reply)
        case .foreign(let other): openForeign(other, &reply)
        case .parent: throw .EINVAL
        }
    }

    func reopen(_ request: Request, _ reply: inout Reply) throws(Errno) {
        try openExisting(request, try opens.find(request.key).place, request.flags, &reply)
    }

    private func openCreating(
        _ request: Request, _ path: UnsafeRawBufferPointer, _ resolve: UInt64, _ reply: inout Reply
    ) throws(Errno) {
        let flags = request.flags
        if flags & Linux.O_DIRECTORY != 0 { throw .EINVAL }
        var walk = try walk(
            request, key: request.key, root: request.rootKey, WalkOptions(wantParent: true, resolve: resolve))
        var result = try walk.run(path)
        for _ in 0...(Linux.maxLinks + 8) {
            guard case .parent(let directory, let name, let slash, _) = result else { throw .EINVAL }
            // A name that ends in a slash can only be a directory, whether it is there or not.
            guard let name, !slash else { throw name == nil && flags & Linux.O_EXCL != 0 ? .EEXIST : .EISDIR }
            guard directory.inode.isDirectory else { throw .ENOTDIR }
            if let place = try existing(directory, name, request.caller) {
                if flags & Linux.O_EXCL != 0 { throw .EEXIST }
                if place.mount !== directory.mount, resolve & Linux.RESOLVE_NO_XDEV != 0 { throw .EXDEV }
                guard place.inode.isSymlink, flags & Linux.O_NOFOLLOW == 0 else {
                    return try openExisting(request, place, flags, &reply)
                }
                if place.inode.isMagic {
                    if resolve & (Linux.RESOLVE_NO_MAGICLINKS | Linux.RESOLVE_NO_SYMLINKS) != 0 { throw .ELOOP }
                    if resolve & (Linux.RESOLVE_BENEATH | Linux.RESOLVE_IN_ROOT) != 0 { throw .EXDEV }
                    switch try place.inode.magicTarget(request.caller) {
                    case .object(let target): return try openExisting(request, target, flags, &reply)
                    case .foreign(let other): return openForeign(other, &reply)
                    }
                }
                result = try walk.resume(in: directory, link: place.inode)
                continue
            }
            try checkWritable(directory, request.caller)
            let mode = Linux.S_IFREG | UInt32(truncatingIfNeeded: request.arg2) & 0o7777
            let new = try newNode(mode, in: directory, request.caller)
            do throws(Errno) {
                let inode = try directory.inode.make(name, new)
                let place = Location(directory.mount, inode, directory: directory.inode, name: name)
                return try finishRegular(place, flags & ~(Linux.O_TRUNC | Handle.runs), &reply)
            } catch {
                if error != .EEXIST || flags & Linux.O_EXCL != 0 { throw error }  // somebody was faster: look again
            }
        }
        throw .ELOOP
    }

    private func openTemporary(
        _ request: Request, _ path: UnsafeRawBufferPointer, _ reply: inout Reply
    ) throws(Errno) {
        let flags = request.flags
        guard flags & Linux.O_DIRECTORY != 0, flags & Linux.O_ACCMODE != 0, flags & Linux.O_CREAT == 0 else {
            throw .EINVAL
        }
        let directory = try findOwn(request, path, key: request.key, root: request.rootKey, follow: true)
        if !directory.inode.isDirectory { throw .ENOTDIR }
        try checkWritable(directory, request.caller)
        let mode = Linux.S_IFREG | UInt32(truncatingIfNeeded: request.arg2) & 0o7777
        let inode = try directory.inode.makeTemporary(
            try newNode(mode, in: directory, request.caller), linkable: flags & Linux.O_EXCL == 0)
        let place = Location(directory.mount, inode, directory: directory.inode)
        try finishRegular(place, flags & ~Handle.runs, &reply)
    }

    func openExisting(_ request: Request, _ place: Location, _ flags: UInt32, _ reply: inout Reply) throws(Errno) {
        let inode = place.inode
        let caller = request.caller
        var flags = flags & ~Handle.runs
        if flags & Linux.O_DIRECTORY != 0, !inode.isDirectory { throw .ENOTDIR }
        if inode.isSymlink, flags & Linux.O_PATH == 0 { throw .ELOOP }
        if request.op == FILE_OPEN, request.arg3 & FILE_EXEC_BIT != 0 {
            let isSearch = inode.isDirectory && flags & (Linux.O_DIRECTORY | Linux.O_PATH) != 0
            if !inode.isRegular && !isSearch { throw .EACCES }
            if inode.isRegular, place.mount.restrictions & Linux.MS_NOEXEC != 0 { throw .EACCES }
            if !caller.may(1, try inode.permissions()) { throw .EACCES }
            if inode.isRegular { flags = Handle.runs }
        } else if flags & Linux.O_PATH == 0 {
            var mask: UInt32 = [4, 2, 6, 6][Int(flags & Linux.O_ACCMODE)]
            if flags & Linux.O_TRUNC != 0 { mask |= 2 }
            if inode.isDirectory, mask & 2 != 0 || flags & Linux.O_CREAT != 0 { throw .EISDIR }
            if !caller.isRoot, !caller.may(mask, try inode.permissions()) { throw .EACCES }
            if mask & 2 != 0, inode.isRegular, place.mount.readOnly { throw .EROFS }
        }
        if flags & Linux.O_PATH != 0 || inode.isDirectory {
            let a = try inode.attributes()
            return finish(try opens.open(place, flags: flags, segment: nil), a, &reply)
        }
        switch inode.type {
        case Linux.S_IFREG:
            try finishRegular(place, flags, &reply)
            if flags & Handle.runs != 0, place.mount.restrictions & Linux.MS_NOSUID != 0 {
                reply.annex.mode &= ~(Linux.S_ISUID | Linux.S_ISGID)
            }
        case Linux.S_IFCHR, Linux.S_IFBLK:
            let a = try inode.attributes()
            if place.mount.restrictions & Linux.MS_NODEV != 0 { throw .EACCES }
            guard let binding = devices.find(type: inode.type, rdev: a.rdev) else { throw .ENXIO }
            reply.annex.mode = a.mode
            reply.annex.devMajor = UInt32(truncatingIfNeeded: a.rdev >> 32)
            reply.annex.devMinor = UInt32(truncatingIfNeeded: a.rdev)
            reply.annex.serverHead = binding.serverHead
            reply.annex.serverTail = binding.serverTail
            reply.annex.key = MixKey(object: binding.keyObject, tag: binding.keyTag)
            reply.annex.ino = a.ino
        case Linux.S_IFIFO:
            let a = try inode.attributes()
            reply.annex.mode = a.mode
            // Unique over all file systems: two readers of one FIFO meet by this number.
            reply.annex.ino = UInt64(inode.fs.id) << 48 ^ a.ino
        default: throw .ENXIO
        }
    }

    private func finishRegular(_ place: Location, _ flags: UInt32, _ reply: inout Reply) throws(Errno) {
        let inode = place.inode
        try opens.claim(inode, flags)
        do throws(Errno) {
            var segment: Segment?
            if !inode.isGenerated {
                if flags & Linux.O_TRUNC != 0 { try cut(inode, 0) }
                segment = try inode.data(writing: flags & Linux.O_ACCMODE != 0)
            }
            let a = try inode.attributes()
            finish(try opens.open(place, flags: flags, segment: segment), a, &reply)
        } catch {
            opens.unclaim(inode, flags)
            throw error
        }
    }

    /// Cutting is writing, whatever the instance may do.
    func cut(_ inode: Inode, _ size: UInt64) throws(Errno) {
        try opens.claim(inode, Linux.O_WRONLY)
        defer { opens.unclaim(inode, Linux.O_WRONLY) }
        try inode.truncate(size)
    }

    private func finish(_ handle: Handle, _ a: Attributes, _ reply: inout Reply) {
        reply.annex.key = opens.key(of: handle)
        reply.annex.mode = a.mode
        reply.annex.size = a.size
        reply.annex.ino = a.ino
        if a.mode & Linux.S_IFMT == Linux.S_IFREG || a.mode & Linux.S_IFMT == Linux.S_IFDIR {
            reply.annex.events = Linux.POLLIN | Linux.POLLOUT | Linux.POLLRDNORM | Linux.POLLWRNORM
        }
        put(handle.segment, &reply)
    }

    func put(_ segment: Segment?, _ reply: inout Reply) {
        guard let segment else { return }
        reply.annex.segUiHead = segment.cap.ui.uiHead
        reply.annex.segUiTail = segment.cap.ui.uiTail
        reply.annex.segKeyHead = segment.cap.key.keyHead
        reply.annex.segKeyTail = segment.cap.key.keyTail
    }

    /// The object is another server's: the client sends OBJ_OPEN there.
    private func openForeign(_ other: MixObjReply, _ reply: inout Reply) {
        reply.annex = other
        reply.annex.diag = 0
    }
}

/// FILE_EXEC of mixFile.h, whose shift Swift does not import.
let FILE_EXEC_BIT: UInt64 = 1 << 32
