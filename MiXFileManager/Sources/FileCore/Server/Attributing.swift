import CMiXFile

/// Requests on what a file is: stat, access, readlink, attributes, size, statfs.
extension FileServer {
    func stat(_ request: Request, _ reply: inout Reply) throws(Errno) {
        switch try find(
            request, try request.string(), key: request.key, root: request.rootKey,
            follow: request.flags & Linux.AT_SYMLINK_NOFOLLOW == 0, emptyPath: request.flags & Linux.AT_EMPTY_PATH != 0)
        {
        case .found(let place): try put(try place.inode.attributes(), place, request, &reply)
        case .foreign(let other): try foreignStat(other, request, &reply)
        case .parent: throw .EINVAL
        }
    }

    func objectStat(_ request: Request, _ reply: inout Reply) throws(Errno) {
        let place = try opens.find(request.key).place
        try put(try place.inode.attributes(), place, request, &reply)
    }

    private func put(_ a: Attributes, _ place: Location, _ request: Request, _ reply: inout Reply) throws(Errno) {
        reply.annex.mode = a.mode
        reply.annex.size = a.size
        reply.annex.ino = a.ino
        try reply.put(struct: a.mixStat(mountId: place.mount.id), request)
    }

    func access(_ request: Request) throws(Errno) {
        let result = try find(
            request, try request.string(), key: request.key, root: request.rootKey,
            follow: request.flags & Linux.AT_SYMLINK_NOFOLLOW == 0, emptyPath: request.flags & Linux.AT_EMPTY_PATH != 0)
        guard case .found(let place) = result else { return }
        let mask = UInt32(truncatingIfNeeded: request.arg2)
        if mask & ~7 != 0 { throw .EINVAL }
        if mask == 0 { return }
        let inode = place.inode
        if mask & 2 != 0, place.mount.readOnly, inode.isRegular || inode.isDirectory || inode.isSymlink { throw .EROFS }
        if !request.caller.may(mask, try inode.permissions()) { throw .EACCES }
    }

    func readLink(_ request: Request, _ reply: inout Reply) throws(Errno) {
        let place = try findOwn(
            request, try request.string(), key: request.key, root: request.rootKey, follow: false, emptyPath: true)
        guard place.inode.isSymlink else { throw .EINVAL }
        let text = try place.inode.readLink(request.caller)
        let count = min(text.count, Int(min(request.size, UInt64(request.room.count))))
        if request.size == 0 { throw .EINVAL }
        text.withUnsafeBytes { request.room.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[0..<count])) }
        reply.bodySize = count
        reply.annex.diag = Int64(count)
    }

    func setAttributes(_ request: Request) throws(Errno) {
        let path = try request.string()
        let place = try findOwn(
            request, path, key: request.key, root: request.rootKey,
            follow: request.offset & UInt64(Linux.AT_SYMLINK_NOFOLLOW) == 0, emptyPath: true)
        try change(
            place, request, times: request.rest(behind: 1), mode: UInt32(truncatingIfNeeded: request.arg2),
            uid: UInt32(truncatingIfNeeded: request.arg3), gid: UInt32(truncatingIfNeeded: request.arg3 >> 32))
    }

    func objectSetAttributes(_ request: Request) throws(Errno) {
        try change(
            try opens.find(request.key).place, request, times: request.body,
            mode: UInt32(truncatingIfNeeded: request.arg0), uid: UInt32(truncatingIfNeeded: request.arg1),
            gid: UInt32(truncatingIfNeeded: request.arg1 >> 32))
    }

    /// chmod(2), chown(2) and utimensat(2) with their permission rules.
    private func change(
        _ place: Location, _ request: Request, times: UnsafeRawBufferPointer, mode: UInt32, uid: UInt32, gid: UInt32
    ) throws(Errno) {
        let flags = request.flags
        let caller = request.caller
        let inode = place.inode
        if flags & ~31 != 0 { throw .EINVAL }
        if flags == 0 { return }
        var change = AttributeChange()
        var needsOwner = false
        let p = try inode.permissions()
        if flags & (MIX_ATTR_ATIME | MIX_ATTR_MTIME) != 0 {
            guard times.count >= MemoryLayout<MixTimes>.size else { throw .EINVAL }
            let t = times.loadUnaligned(as: MixTimes.self)
            let now = FileTime.now
            var explicit = false
            func one(_ seconds: Int64, _ nanoseconds: Int64, _ bit: UInt32) throws(Errno) -> FileTime? {
                if flags & bit == 0 || nanoseconds == Linux.UTIME_OMIT { return nil }
                if nanoseconds == Linux.UTIME_NOW { return now }
                guard nanoseconds >= 0, nanoseconds < 1_000_000_000 else { throw .EINVAL }
                explicit = true
                return FileTime(seconds, UInt32(nanoseconds))
            }
            change.atime = try one(t.atimeSec, t.atimeNsec, MIX_ATTR_ATIME)
            change.mtime = try one(t.mtimeSec, t.mtimeNsec, MIX_ATTR_MTIME)
            if explicit || (change.atime == nil) != (change.mtime == nil) {
                needsOwner = true
            } else if change.atime != nil, !caller.owns(p), !caller.may(2, p) {
                throw .EACCES
            }
        }
        if flags & MIX_ATTR_MODE != 0 {
            if inode.isSymlink { throw .EOPNOTSUPP }
            needsOwner = true
            var mode = mode & 0o7777
            if !caller.isRoot, !inode.isDirectory, !caller.isMember(of: p.gid) { mode &= ~Linux.S_ISGID }
            change.mode = mode
        }
        if flags & (MIX_ATTR_UID | MIX_ATTR_GID) != 0 {
            let newUid = flags & MIX_ATTR_UID != 0 && uid != .max ? uid : nil
            let newGid = flags & MIX_ATTR_GID != 0 && gid != .max ? gid : nil
            if !caller.isRoot {
                if let newUid, newUid != p.uid || caller.uid != p.uid { throw .EPERM }
                if let newGid, caller.uid != p.uid || (newGid != p.gid && !caller.isMember(of: newGid)) { throw .EPERM }
            }
            change.uid = newUid
            change.gid = newGid
            if inode.isRegular, change.mode == nil, newUid != nil || newGid != nil {
                var mode = p.mode & 0o7777 & ~Linux.S_ISUID
                if mode & 0o010 != 0 { mode &= ~Linux.S_ISGID }
                if mode != p.mode & 0o7777 { change.mode = mode }
            }
        }
        if place.mount.readOnly { throw .EROFS }
        if needsOwner, !caller.owns(p) { throw .EPERM }
        if change.mode == nil, change.uid == nil, change.gid == nil, change.atime == nil, change.mtime == nil { return }
        try inode.change(change)
    }

    func truncate(_ request: Request) throws(Errno) {
        let place = try findOwn(request, try request.string(), key: request.key, root: request.rootKey, follow: true)
        if place.inode.isDirectory { throw .EISDIR }
        guard place.inode.isRegular else { throw .EINVAL }
        if !request.caller.may(2, try place.inode.permissions()) { throw .EACCES }
        if place.mount.readOnly { throw .EROFS }
        if place.inode.isGenerated { return }
        try cut(place.inode, request.size)
    }

    func objectTruncate(_ request: Request) throws(Errno) {
        let handle = try opens.find(request.key)
        guard handle.inode.isRegular, handle.canWrite else { throw .EINVAL }
        if handle.inode.isGenerated { return }
        try handle.inode.truncate(request.size)
    }

    func statistics(_ request: Request, _ reply: inout Reply) throws(Errno) {
        let place = try findOwn(
            request, try request.string(), key: request.key, root: request.rootKey, follow: true, emptyPath: true)
        var out = try place.inode.fs.statistics()
        if place.mount.readOnly { out.flags |= 1 }
        out.flags |= place.mount.restrictions  // ST_NOSUID and the others are the same bits
        out.flags |= 0x20  // ST_VALID
        try reply.put(struct: out, request)
    }
}
