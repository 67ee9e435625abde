/// Making, linking, removing and renaming names; all under the tree's lock.
extension TmpNode {
    final func lockedMake(_ name: Name, _ new: NewNode) throws(Errno) -> TmpNode {
        if isRemoved { throw .ENOENT }
        if try lockedFind(name) != nil { throw .EEXIST }
        try lockedOwnMeta()
        let node = tree.newNode(new)
        attach(name, node)
        return node
    }

    final func lockedLink(_ name: Name, _ inode: Inode) throws(Errno) {
        guard let node = inode as? TmpNode, node.tree === tree else { throw .EXDEV }
        if node.isDirectory { throw .EPERM }
        if node.nlink == 0, !node.isLinkable { throw .ENOENT }
        if node.nlink >= 1 << 30 { throw .EMLINK }
        if isRemoved { throw .ENOENT }
        if try lockedFind(name) != nil { throw .EEXIST }
        try lockedOwnMeta()
        try node.lockedOwnMeta()
        node.nlink += 1
        node.isLinkable = false
        node.ctime = .now
        attach(name, node)
    }

    final func lockedRemove(_ name: Name, directory: Bool) throws(Errno) {
        guard let node = try lockedFind(name) else { throw .ENOENT }
        if directory {
            guard node.isDirectory else { throw .ENOTDIR }
            if node.mountsHere.load(ordering: .relaxed) > 0 { throw .EBUSY }
            if try !node.lockedIsEmpty() { throw .ENOTEMPTY }
        } else {
            if node.isDirectory { throw .EISDIR }
            if node.mountsHere.load(ordering: .relaxed) > 0 { throw .EBUSY }
        }
        try lockedOwnMeta()
        try node.lockedOwnMeta()
        lockedDrop(name)
        detach(node)
    }

    /// rename(2) and renameat2(2).
    final func lockedRename(_ name: Name, to other: TmpNode, _ newName: Name, flags: UInt32) throws(Errno) {
        guard isDirectory, other.isDirectory else { throw .ENOTDIR }
        guard let node = try lockedFind(name) else { throw .ENOENT }
        if other.isRemoved { throw .ENOENT }
        let old = try other.lockedFind(newName)
        if node.mountsHere.load(ordering: .relaxed) > 0 { throw .EBUSY }
        if node.isDirectory, isAbove(node, other) { throw .EINVAL }
        if flags & Linux.RENAME_EXCHANGE != 0 {
            guard let old else { throw .ENOENT }
            if old.mountsHere.load(ordering: .relaxed) > 0 { throw .EBUSY }
            if old.isDirectory, isAbove(old, self) { throw .EINVAL }
            if old === node { return }
            for one in [self, other, node, old] { try one.lockedOwnMeta() }
            lockedDrop(name)
            other.lockedDrop(newName)
            count(node, -1)
            other.count(old, -1)
            other.attach(newName, node)
            attach(name, old)
            node.ctime = .now
            old.ctime = node.ctime
            return
        }
        if let old {
            if flags & Linux.RENAME_NOREPLACE != 0 { throw .EEXIST }
            if old === node { return }  // two names of one file: nothing happens (rename(2))
            if old.mountsHere.load(ordering: .relaxed) > 0 { throw .EBUSY }
            if node.isDirectory {
                guard old.isDirectory else { throw .ENOTDIR }
                if try !old.lockedIsEmpty() { throw .ENOTEMPTY }
            } else if old.isDirectory {
                throw isAbove(old, self) ? .ENOTEMPTY : .EISDIR
            }
        }
        for one in [self, other, node] { try one.lockedOwnMeta() }
        if let old {
            try old.lockedOwnMeta()
            other.lockedDrop(newName)
            other.detach(old)
        }
        lockedDrop(name)
        count(node, -1)
        other.attach(newName, node)
        node.ctime = .now
        touch()
    }

    private func attach(_ name: Name, _ node: TmpNode) {
        lockedPut(name, node)
        node.parent = self
        node.name = name
        count(node, 1)
        touch()
    }

    /// `node` has lost its name in this directory.
    private func detach(_ node: TmpNode) {
        count(node, -1)
        if node.isDirectory {
            node.isRemoved = true
            node.nlink = 0
        } else if node.nlink > 0 {
            node.nlink -= 1
        }
        node.ctime = .now
        if node.nlink == 0 { node.lockedLastNameGone() }
        touch()
    }

    private func count(_ node: TmpNode, _ change: Int) {
        if node.isDirectory { subdirectories = UInt64(max(0, Int(subdirectories) + change)) }
    }

    private func touch() {
        mtime = .now
        ctime = mtime
    }

    /// Whether `node` is `below` or above it.
    private func isAbove(_ node: TmpNode, _ below: TmpNode) -> Bool {
        var at: TmpNode? = below
        while let here = at {
            if here === node { return true }
            at = here.parent
        }
        return false
    }
}
