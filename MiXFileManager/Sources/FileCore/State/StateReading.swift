import CMiXFile

enum StateReading {
    static func read(_ server: FileServer, _ input: inout StateReader) throws(Errno) {
        guard try input.word() == stateMagic else { throw .EINVAL }
        server.opens.restore(secret: SipKey(k0: try input.word(), k1: try input.word()))
        let segments = SegmentPool(nucleus: server.nucleus)

        for _ in 0..<(try input.count()) {
            let type = try input.half()
            let rdev = try input.word()
            let binding = DeviceBinding(
                serverHead: try input.half(), serverTail: try input.half(), keyObject: try input.word(),
                keyTag: try input.word(), ino: try input.word())
            server.devices.set(type: type, rdev: rdev, binding)
        }

        var systems: [any FileSystem] = []
        var nodes: [[TmpNode]] = []
        for _ in 0..<(try input.count()) {
            let (fs, filled) = try system(server, &input, segments)
            systems.append(fs)
            nodes.append(filled)
        }

        var mounts: [(mount: Mount, system: Int)] = []
        func inode(_ system: Int) throws(Errno) -> Inode {
            let number = try input.count()
            if number > 0 {
                guard number <= nodes[system].count else { throw .EINVAL }
                return nodes[system][number - 1]
            }
            return try find(server, systems[system], try input.data())
        }
        server.names.clear()
        for _ in 0..<(try input.count()) {
            let index = try input.count()
            let above = try input.count()
            guard index < systems.count, above <= mounts.count else { throw .EINVAL }
            let root = try inode(index)
            var place: Location?
            if above > 0 {
                let parent = mounts[above - 1]
                place = Location(parent.mount, try inode(parent.system))
            }
            let source = try input.data()
            let mount = server.names.mount(
                systems[index], root: root, source: source, at: place, readOnly: try input.flag(),
                options: try input.text())
            mount.restrictions = try input.word()
            mounts.append((mount, index))
        }

        for _ in 0..<(try input.count()) {
            let id = try input.word()
            let index = try input.count()
            guard index < mounts.count else { throw .EINVAL }
            var found: Inode?
            do throws(Errno) { found = try inode(mounts[index].system) } catch {
                if error == .EINVAL { throw error }  // a file that is gone: its key will be stale
            }
            let flags = try input.half()
            let references = try input.count()
            let segment = try segments.read(&input)
            let hasText = try input.flag()
            let text = try input.data()
            guard let found else { continue }
            try server.opens.restore(
                id: id, place: Location(mounts[index].mount, found), flags: flags, segment: segment,
                references: references, text: hasText ? text : nil)
        }
        for _ in 0..<(try input.count()) {
            let id = try input.word()
            let records = try locks(&input)
            let whole = try locks(&input)
            server.opens.restore(locks: FileLocks(records: records, whole: whole), id: id)
        }
    }

    private static func locks(_ input: inout StateReader) throws(Errno) -> [FileLocks.Record] {
        var list: [FileLocks.Record] = []
        for _ in 0..<(try input.count()) {
            let owner = try input.word()
            guard let pid = Int32(exactly: Int64(bitPattern: try input.word())) else { throw .EINVAL }
            let isExclusive = try input.flag()
            let (start, end) = (try input.word(), try input.word())
            guard start < end else { throw .EINVAL }
            list.append(FileLocks.Record(owner: owner, pid: pid, isExclusive: isExclusive, start: start, end: end))
        }
        return list
    }

    private static func system(
        _ server: FileServer, _ input: inout StateReader, _ segments: SegmentPool
    ) throws(Errno) -> (any FileSystem, [TmpNode]) {
        guard let id = UInt16(exactly: try input.word()) else { throw .EINVAL }
        let type = try input.text()
        let path = try input.text()
        let readOnly = try input.flag()
        guard let lowerId = UInt16(exactly: try input.word()) else { throw .EINVAL }
        server.names.reserveFileSystemIds(through: max(id, lowerId))
        switch type {
        case "proc":
            server.procfs = Procfs(
                id: id, nucleus: server.nucleus, names: server.names, opens: server.opens, devices: server.devices)
            return (server.procfs, [])
        case "sysfs": return (Sysfs(id: id), [])
        case "devtmpfs":
            _ = try options(&input)
            server.devfs = Devfs(id: id, nucleus: server.nucleus)
            return (server.devfs, try TreeState.read(into: server.devfs, &input, segments))
        case "tmpfs":
            let tree = Tmpfs(id: id, nucleus: server.nucleus, options: try options(&input))
            return (tree, try TreeState.read(into: tree, &input, segments))
        case "overlay":
            let lower = try HostDirectory(id: lowerId, nucleus: server.nucleus, path: path, readOnly: true)
            _ = try options(&input)
            let tree = try Overlay(id: id, nucleus: server.nucleus, lower: lower)
            return (tree, try TreeState.read(into: tree, &input, segments))
        case "hostfs":
            return (try HostDirectory(id: id, nucleus: server.nucleus, path: path, readOnly: readOnly), [])
        default: throw .EINVAL
        }
    }

    private static func options(_ input: inout StateReader) throws(Errno) -> TmpfsOptions {
        var options = TmpfsOptions()
        let isLimited = try input.flag()
        let size = try input.word()
        options.size = isLimited ? size : nil
        return options
    }

    /// A file by its path below a file system's root.
    private static func find(_ server: FileServer, _ fs: any FileSystem, _ path: [UInt8]) throws(Errno) -> Inode {
        if let host = fs as? HostDirectory { return try TreeState.find(host, path) }
        var cred = MixCred()
        cred.capabilities = MIX_CAP_ROOT
        return try withUnsafePointer(to: &cred) { (cred) throws(Errno) -> Inode in
            var at = fs.root
            for part in path.split(separator: 0x2f) { at = try at.lookup(Name(Array(part)), Caller(cred: cred)) }
            return at
        }
    }
}
