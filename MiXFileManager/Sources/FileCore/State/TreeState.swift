/// Export and import of trees in memory: metadata, names, and the capabilities of the segments that hold the data.
enum TreeState {
    /// Nodes of a tree: from the root down, those changed over a lower layer, and `open` ones that have no name.
    static func nodes(of tree: Tmpfs, open: [TmpNode]) -> [TmpNode] {
        var all: [TmpNode] = []
        var seen: Set<ObjectIdentifier> = []
        var stack = (tree.top.map { [$0] } ?? []) + open
        if let overlay = tree as? Overlay { stack += overlay.lockedChanged as [TmpNode] }
        stack.reverse()
        while let node = stack.popLast() {
            guard seen.insert(ObjectIdentifier(node)).inserted else { continue }
            all.append(node)
            stack += node.entries.values
            if let parent = node.parent { stack.append(parent) }
        }
        return all
    }

    static func write(_ nodes: [TmpNode], _ out: inout StateWriter, lent: inout [Segment]) {
        var index: [ObjectIdentifier: Int] = [:]
        for (i, node) in nodes.enumerated() { index[ObjectIdentifier(node)] = i }
        out.put(nodes.count)
        for node in nodes {
            let over = node as? OverlayNode
            out.put(over?.lower != nil)
            if let lower = over?.lower { out.put(path(lower)) }
            out.put(over?.ownsMeta ?? true)
            out.put(over?.ownsData ?? true)
            for value in [
                node.ino, UInt64(node.mode | node.type), UInt64(node.uid), UInt64(node.gid), node.nlink, node.rdev,
            ] {
                out.put(value)
            }
            out.put(node.target)
            for time in [node.atime, node.mtime, node.ctime, node.btime] { out.put(time) }
            out.put(node.isRemoved)
            out.put(node.isLinkable)
            out.put(node.writesSeen)
            out.put(node.segment, lent: &lent)
            out.put(node.extended != nil)
            let extended = node.extended?.all ?? []
            out.put(extended.count)
            for one in extended {
                out.put(one.name)
                out.put(one.value)
            }
        }
        for node in nodes {
            out.put(node.parent.flatMap { index[ObjectIdentifier($0)] }.map { $0 + 1 } ?? 0)
            out.put(node.name?.bytes ?? [])
            var entries: [(Name, Int, UInt64)] = []
            node.entries.forEach(after: 0) { name, child, cookie in
                if let i = index[ObjectIdentifier(child)] { entries.append((name, i, cookie)) }
                return true
            }
            out.put(node.entries.cookieBound)
            out.put(entries.count)
            for (name, i, cookie) in entries {
                out.put(name.bytes)
                out.put(i)
                out.put(cookie)
            }
            let whiteouts = (node as? OverlayNode).map { Array($0.whiteouts) } ?? []
            out.put(whiteouts.count)
            for name in whiteouts { out.put(name.bytes) }
        }
    }

    /// Fills an empty tree; its first node becomes the root.
    static func read(into tree: Tmpfs, _ input: inout StateReader, _ segments: SegmentPool) throws(Errno) -> [TmpNode] {
        var nodes: [TmpNode] = []
        var owns: [(meta: Bool, data: Bool)] = []
        for _ in 0..<(try input.count()) {
            var lower: HostInode?
            if try input.flag() {
                let path = try input.data()
                guard let overlay = tree as? Overlay else { throw .EINVAL }
                lower = try find(overlay.lower, path)
            }
            owns.append((try input.flag(), try input.flag()))
            let ino = try input.word()
            var new = NewNode(mode: try input.half(), uid: try input.half(), gid: try input.half())
            let nlink = try input.word()
            new.rdev = try input.word()
            new.target = try input.data()
            let node: TmpNode
            if let overlay = tree as? Overlay {
                if let lower {
                    let over = OverlayNode(overlay: overlay, lower: lower)
                    overlay.lockedAdopt(over, lower)
                    node = over
                } else {
                    node = OverlayNode(overlay: overlay, new, ino: ino)
                }
            } else {
                node = TmpNode(tree: tree, ino: ino, new)
            }
            if lower == nil { tree.reserveInos(through: ino) }
            (node.mode, node.uid, node.gid, node.nlink) = (new.mode, new.uid, new.gid, nlink)
            node.atime = try input.time()
            node.mtime = try input.time()
            node.ctime = try input.time()
            node.btime = try input.time()
            node.isRemoved = try input.flag()
            node.isLinkable = try input.flag()
            node.writesSeen = try input.word()
            node.segment = try segments.read(&input)
            let hasExtended = try input.flag()
            var extended = ExtendedAttributes()
            for _ in 0..<(try input.count()) { try extended.set(try input.data(), try input.data(), .either) }
            if hasExtended { node.extended = extended }
            nodes.append(node)
        }
        for (i, node) in nodes.enumerated() {
            let parent = try input.count()
            guard parent <= nodes.count else { throw .EINVAL }
            let name = try input.data()
            if parent > 0, !name.isEmpty {
                node.parent = nodes[parent - 1]
                node.name = Name(name)
            }
            let bound = try input.word()
            for _ in 0..<(try input.count()) {
                let name = try input.name()
                let child = try input.count()
                guard child < nodes.count, node.entries.restore(name, nodes[child], cookie: try input.word()) else {
                    throw .EINVAL
                }
                if nodes[child].isDirectory { node.subdirectories += 1 }
            }
            node.entries.restoreBound(min(bound, 1 << 40))
            var whiteouts: [Name] = []
            for _ in 0..<(try input.count()) { whiteouts.append(try input.name()) }
            (node as? OverlayNode)?.restore(ownsMeta: owns[i].meta, ownsData: owns[i].data, whiteouts: whiteouts)
        }
        guard let root = nodes.first, root.isDirectory else { throw .EINVAL }
        tree.plant(root)
        return nodes
    }

    /// Path of a host file below its tree's root.
    static func path(_ inode: HostInode) -> [UInt8] {
        var parts: [[UInt8]] = []
        var at: HostInode? = inode
        while let here = at, let name = here.name {
            parts.append(name.bytes)
            at = here.parent
        }
        return Array(parts.reversed().joined(separator: [0x2f]))
    }

    static func find(_ tree: HostDirectory, _ path: [UInt8]) throws(Errno) -> HostInode {
        tree.lock.lock()
        defer { tree.lock.unlock() }
        guard var at = tree.rootHost else { throw .ESTALE }
        for part in path.split(separator: 0x2f) {
            guard part.count <= Linux.NAME_MAX, at.isDirectory, let next = try at.lockedFind(Name(Array(part))) else {
                throw .ESTALE
            }
            at = next
        }
        return at
    }
}
