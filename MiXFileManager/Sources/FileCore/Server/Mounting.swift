import CMiXFile

/// FILE_MOUNT, FILE_UMOUNT, FILE_MOUNTS and device nodes.
extension FileServer {
    func mount(_ request: Request) throws(Errno) {
        if !request.caller.isRoot { throw .EPERM }
        let flags = request.arg2
        let place = try findOwn(request, try request.string(1), key: request.key, root: request.rootKey, follow: true)
        let type = String(decoding: try request.string(2), as: UTF8.self)
        let options = String(decoding: try request.string(3), as: UTF8.self)
        let readOnly = flags & Linux.MS_RDONLY != 0
        let restrictions = flags & (Linux.MS_NOSUID | Linux.MS_NODEV | Linux.MS_NOEXEC)
        if flags & Linux.MS_PROPAGATION != 0 { return }  // there is one name space only
        if flags & Linux.MS_MOVE != 0 { throw .EINVAL }
        if flags & Linux.MS_REMOUNT != 0 {
            guard place.inode === place.mount.root else { throw .EINVAL }
            place.mount.readOnly = readOnly
            place.mount.restrictions = restrictions
            return
        }
        if flags & Linux.MS_BIND != 0 {
            let source = try findOwn(
                request, try request.string(0), key: request.key, root: request.rootKey, follow: true)
            if source.inode.isDirectory != place.inode.isDirectory { throw .ENOTDIR }
            names.mount(
                source.mount.fs, root: source.inode, source: source.mount.source, at: place,
                readOnly: readOnly || source.mount.readOnly, options: source.mount.options
            ).restrictions = source.mount.restrictions
            return
        }
        guard place.inode.isDirectory else { throw .ENOTDIR }
        let named = Array(try request.string(0))
        let fs = try fileSystem(type, options)
        let shown = fs is Devfs || fs is Procfs || fs is Sysfs ? "" : options
        names.mount(
            fs, source: named.isEmpty ? Array(fs.typeName.utf8) : named, at: place, readOnly: readOnly, options: shown
        ).restrictions = restrictions
    }

    /// A file system that needs no source.
    func fileSystem(_ type: String, _ options: String) throws(Errno) -> any FileSystem {
        switch type {
        case "tmpfs", "ramfs":
            return Tmpfs.make(
                id: names.newFileSystemId(), nucleus: nucleus, options: try TmpfsOptions(parsing: options))
        case "proc": return procfs
        case "sysfs": return Sysfs(id: names.newFileSystemId())
        case "devtmpfs", "devfs": return devfs
        default: throw .ENODEV
        }
    }

    func unmount(_ request: Request) throws(Errno) {
        if !request.caller.isRoot { throw .EPERM }
        let flags = request.arg2
        let place = try findOwn(
            request, try request.string(), key: request.key, root: request.rootKey,
            follow: flags & Linux.UMOUNT_NOFOLLOW == 0)
        guard place.inode === place.mount.root else { throw .EINVAL }
        try names.unmount(place.mount, detach: flags & Linux.MNT_DETACH != 0) { opens.isBusy($0) }
    }

    func mounts(_ request: Request, _ reply: inout Reply) throws(Errno) {
        let text = names.mountsText()
        let from = Int(min(request.offset, UInt64(text.count)))
        let count = min(text.count - from, request.room.count)
        text.withUnsafeBytes {
            request.room.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[from..<from + count]))
        }
        reply.bodySize = count
        reply.annex.diag = Int64(count)
    }

    func registerDevice(_ request: Request) throws(Errno) {
        let mode = UInt32(truncatingIfNeeded: request.arg0)
        let type = mode & Linux.S_IFMT
        guard type == Linux.S_IFCHR || type == Linux.S_IFBLK, request.caller.isRoot else { throw .EINVAL }
        let name = Array(try request.string())
        let node = try devfs.register(
            name, NewNode(mode: mode, uid: request.caller.uid, gid: request.caller.gid, rdev: request.arg1))
        devices.set(
            type: type, rdev: request.arg1,
            DeviceBinding(
                serverHead: UInt32(truncatingIfNeeded: request.arg2),
                serverTail: UInt32(truncatingIfNeeded: request.arg3),
                keyObject: request.key.object, keyTag: request.key.tag, ino: node.ino))
    }

    func unregisterDevice(_ request: Request) throws(Errno) {
        if let node = try devfs.unregister(Array(try request.string())) {
            devices.set(type: node.type, rdev: node.rdev, nil)
        }
    }
}
