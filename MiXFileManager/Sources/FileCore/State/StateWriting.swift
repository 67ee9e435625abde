import CMiXFile

enum StateWriting {
    /// Once for each locked inode, under the number of one of its instances.
    private static func write(locks handles: [Handle], _ out: inout StateWriter) {
        var seen: Set<ObjectIdentifier> = []
        let locked = handles.filter { $0.inode.locks != nil && seen.insert(ObjectIdentifier($0.inode)).inserted }
        out.put(locked.count)
        for handle in locked {
            out.put(handle.id)
            for list in [handle.inode.locks?.records ?? [], handle.inode.locks?.whole ?? []] {
                out.put(list.count)
                for lock in list {
                    out.put(lock.owner)
                    out.put(Int64(lock.pid))
                    out.put(lock.isExclusive)
                    out.put(lock.start)
                    out.put(lock.end)
                }
            }
        }
    }

    static func write(_ server: FileServer, _ out: inout StateWriter, lent: inout [Segment]) {
        out.put(stateMagic)
        out.put(server.opens.secret.k0)
        out.put(server.opens.secret.k1)

        let devices = server.devices.numbers
        out.put(devices.count)
        for device in devices {
            out.put(device.type)
            out.put(device.rdev)
            out.put(device.binding.serverHead)
            out.put(device.binding.serverTail)
            out.put(device.binding.keyObject)
            out.put(device.binding.keyTag)
            out.put(device.binding.ino)
        }

        let mounts = server.names.all
        let handles = server.opens.all.filter { handle in mounts.contains { $0 === handle.place.mount } }
        var systems: [any FileSystem] = [server.devfs, server.procfs]
        for mount in mounts where !systems.contains(where: { $0 === mount.fs }) { systems.append(mount.fs) }
        var nodeNumbers: [ObjectIdentifier: Int] = [:]
        out.put(systems.count)
        for fs in systems {
            out.put(UInt64(fs.id))
            out.put(fs.typeName)
            let host = (fs as? HostDirectory) ?? (fs as? Overlay)?.lower
            out.put(host?.path ?? "")
            out.put(host?.readOnly ?? false)
            out.put(UInt64(host?.id ?? 0))
            guard let tree = fs as? Tmpfs else { continue }
            out.put(tree.options.size != nil)
            out.put(tree.options.size ?? 0)
            tree.lock.lock()
            let open = handles.compactMap { $0.inode as? TmpNode }.filter { $0.tree === tree }
            let roots = mounts.flatMap { [$0.root, $0.point] }.compactMap { $0 as? TmpNode }.filter { $0.tree === tree }
            let nodes = TreeState.nodes(of: tree, open: open + roots)
            for (i, node) in nodes.enumerated() { nodeNumbers[ObjectIdentifier(node)] = i }
            TreeState.write(nodes, &out, lent: &lent)
            tree.lock.unlock()
        }

        func put(_ inode: Inode, _ mount: Mount) {
            let number = nodeNumbers[ObjectIdentifier(inode)]
            out.put(number.map { $0 + 1 } ?? 0)
            if number != nil { return }
            if let host = inode as? HostInode {
                out.put(TreeState.path(host))
            } else {
                out.put(server.names.path(of: Location(mount, inode), root: Location(mount, mount.fs.root)) ?? [])
            }
        }
        out.put(mounts.count)
        for mount in mounts {
            out.put(systems.firstIndex { $0 === mount.fs } ?? 0)
            out.put(mounts.firstIndex { $0 === mount.parent }.map { $0 + 1 } ?? 0)
            put(mount.root, mount)
            if let parent = mount.parent, let point = mount.point { put(point, parent) }
            out.put(mount.source)
            out.put(mount.readOnly)
            out.put(mount.options)
            out.put(mount.restrictions)
        }

        out.put(handles.count)
        for handle in handles {
            out.put(handle.id)
            out.put(mounts.firstIndex { $0 === handle.place.mount } ?? 0)
            put(handle.inode, handle.place.mount)
            out.put(handle.flags)
            out.put(handle.references)
            out.put(handle.segment, lent: &lent)
            out.put(handle.text != nil)
            out.put(handle.text ?? [])
        }
        write(locks: handles, &out)
    }
}
