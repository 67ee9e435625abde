/// A node of Overlay: a lower file, or one that was made here, or a lower one with changes on top.
final class OverlayNode: TmpNode, @unchecked Sendable {
    // Sendable: fields are guarded by `tree.lock`.
    private let overlay: Overlay
    let lower: HostInode?
    private(set) var ownsMeta: Bool
    private(set) var ownsData: Bool
    /// Names of the lower directory that are gone.
    private(set) var whiteouts: Set<Name> = []
    /// Lower names are cookies above this bit, so that they follow the upper ones.
    private static let lowerCookie: UInt64 = 1 << 40

    init(overlay: Overlay, _ new: NewNode, ino: UInt64? = nil) {
        self.overlay = overlay
        lower = nil
        ownsMeta = true
        ownsData = true
        super.init(tree: overlay, ino: ino ?? overlay.newIno(), new)
    }

    init(overlay: Overlay, lower: HostInode) {
        self.overlay = overlay
        self.lower = lower
        ownsMeta = false
        ownsData = false
        super.init(tree: overlay, ino: lower.ino, NewNode(mode: lower.type, uid: 0, gid: 0, rdev: lower.stat.rdev))
    }

    /// Puts back what a state export wrote down.
    func restore(ownsMeta: Bool, ownsData: Bool, whiteouts: [Name]) {
        self.ownsMeta = ownsMeta
        self.ownsData = ownsData
        self.whiteouts = Set(whiteouts)
    }

    /// Forgetting this node would lose something.
    var isChanged: Bool { lower == nil || ownsMeta || ownsData || !whiteouts.isEmpty || !entries.isEmpty }

    // MARK: Attributes and data

    override func permissions() throws(Errno) -> Permissions {
        tree.lock.lock()
        defer { tree.lock.unlock() }
        if !ownsMeta, let lower {
            let a = try lower.attributes()
            return Permissions(mode: a.mode, uid: a.uid, gid: a.gid)
        }
        return Permissions(mode: mode, uid: uid, gid: gid)
    }

    override func lockedAttributes() throws(Errno) -> Attributes {
        guard let lower else { return try ownAttributes() }
        var a: Attributes
        if ownsMeta {
            a = try ownAttributes()
            if isDirectory {
                a.nlink = isRemoved ? 0 : 1
                a.size = 4096
            }
            if !ownsData, isRegular || isSymlink {
                let below = try lower.attributes()
                a.size = below.size
                a.blocks = below.blocks
            }
        } else {
            a = try lower.attributes()
            if isDirectory { a.nlink = 1 }  // as overlayfs: a merged directory does not count its children
        }
        a.dev = tree.dev
        a.ino = ino
        return a
    }

    override func lockedExtended() throws(Errno) -> ExtendedAttributes {
        if let extended { return extended }
        return try lower?.extendedAttributes() ?? ExtendedAttributes()
    }

    override func lockedOwnMeta() throws(Errno) {
        guard !ownsMeta, let lower else { return }
        let a = try lower.attributes()
        mode = a.mode
        uid = a.uid
        gid = a.gid
        nlink = a.nlink
        atime = a.atime
        mtime = a.mtime
        ctime = a.ctime
        btime = a.btime
        ownsMeta = true
    }

    override func lockedOwnData() throws(Errno) {
        try lockedCopyUp(limit: .max)
    }

    private func lockedCopyUp(limit: UInt64) throws(Errno) {
        guard !ownsData, let lower else { return }
        try lockedOwnMeta()
        let source = try lower.data(writing: false)
        let size = min(limit, try source.stat().size)
        let copy = try Segment(nucleus: tree.nucleus, name: "overlay", size: 0)
        if size > 0 { try copy.copy(from: source, size: size) }
        writesSeen = try copy.stat().writes  // the copy is no modification
        segment = copy
        ownsData = true
    }

    override func lockedData() throws(Errno) -> Segment {
        if !ownsData, let lower { return try lower.data(writing: false) }
        return try ownData()
    }

    override func lockedTruncate(_ size: UInt64) throws(Errno) {
        try lockedCopyUp(limit: size)  // what will be cut need not be copied
        ownsData = true
        try super.lockedTruncate(size)
    }

    override func readLink(_ caller: Caller) throws(Errno) -> [UInt8] {
        guard let lower else { return try super.readLink(caller) }
        return try lower.readLink(caller)
    }

    override func lockedLastNameGone() {
        if let lower { overlay.lockedForget(lower) }
    }

    // MARK: Names

    override func lockedFind(_ name: Name) throws(Errno) -> TmpNode? {
        if let node = entries[name] { return node }
        guard let lower, isDirectory, whiteouts.isEmpty || !whiteouts.contains(name) else { return nil }
        lower.tree.lock.lock()
        defer { lower.tree.lock.unlock() }
        try lower.lockedValidate()
        let generation = lower.generation
        if let dentry = overlay.lockedCached(self, name, generation: generation) { return dentry.node }
        let host = try lower.lockedFind(name)
        let node = host.map { overlay.lockedNode($0, in: self, name) }
        overlay.lockedCache(self, name, node, generation: generation)
        return node
    }

    override func lockedDrop(_ name: Name) {
        entries.remove(name)
        guard let lower else { return }
        overlay.lockedUncache(self, name)
        lower.tree.lock.lock()
        defer { lower.tree.lock.unlock() }
        if (try? lower.lockedFind(name)) != nil { whiteouts.insert(name) }
    }

    override func lockedPut(_ name: Name, _ node: TmpNode) {
        entries.set(name, node)
        whiteouts.remove(name)
    }

    override func lockedIsEmpty() throws(Errno) -> Bool {
        if !entries.isEmpty { return false }
        guard let lower else { return true }
        lower.tree.lock.lock()
        defer { lower.tree.lock.unlock() }
        var isEmpty = true
        try lower.lockedList(after: 0) { name, _, _, _ in
            if !whiteouts.contains(name) { isEmpty = false }
            return isEmpty
        }
        return isEmpty
    }

    override func lockedList(after cookie: UInt64, _ sink: DirectorySink) throws(Errno) {
        var full = false
        if cookie < Self.lowerCookie {
            try super.lockedList(after: cookie) { name, ino, type, cookie in
                full = !sink(name, ino, type, cookie)
                return !full
            }
        }
        guard !full, let lower else { return }
        lower.tree.lock.lock()
        defer { lower.tree.lock.unlock() }
        let from = cookie < Self.lowerCookie ? 0 : cookie - Self.lowerCookie
        try lower.lockedList(after: from) { name, ino, type, cookie in
            if entries.contains(name) || whiteouts.contains(name) { return true }
            return sink(name, ino, type, cookie + Self.lowerCookie)
        }
    }
}
