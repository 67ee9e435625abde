import CMiXFile

/// The fixed part of /proc: directories and files that are not of a process.
final class ProcSystemNode: Inode, @unchecked Sendable {
    // Sendable: built once, then constant.
    typealias Maker = @Sendable (Procfs, Caller) -> [UInt8]

    private let proc: Procfs
    private let parent: ProcSystemNode?
    private let name: Name?
    private var children: [(name: Name, node: Inode)] = []
    private let maker: Maker?
    private let born = FileTime.now

    init(_ proc: Procfs, ino: UInt64, name: Name?, parent: ProcSystemNode?, maker: Maker?) {
        self.proc = proc
        self.name = name
        self.parent = parent
        self.maker = maker
        super.init(fs: proc, ino: ino, type: maker == nil ? Linux.S_IFDIR : Linux.S_IFREG)
    }

    static func tree(_ proc: Procfs) -> ProcSystemNode {
        var ino: UInt64 = 1
        let root = ProcSystemNode(proc, ino: ino, name: nil, parent: nil, maker: nil)
        for (path, maker) in ProcSystem.files {
            var at = root
            let parts = path.split(separator: "/")
            for (i, part) in parts.enumerated() {
                let name = Name(String(part))
                if let known = at.children.first(where: { $0.name == name })?.node as? ProcSystemNode {
                    at = known
                    continue
                }
                ino += 1
                let made = ProcSystemNode(
                    proc, ino: ino, name: name, parent: at, maker: i == parts.count - 1 ? maker : nil)
                at.children.append((name, made))
                at = made
            }
        }
        for (name, kind) in [("self", ProcLink.Kind.own), ("thread-self", .ownThread), ("mounts", .mounts)] {
            ino += 1
            root.children.append((Name(name), ProcLink(proc, ino: ino, name: Name(name), kind)))
        }
        return root
    }

    private var isRoot: Bool { parent == nil }
    override var isGenerated: Bool { maker != nil }
    override var parentDirectory: Inode { parent ?? self }
    override var nameInParent: Name? { name }

    override func attributes() throws(Errno) -> Attributes {
        var a = Attributes()
        a.dev = proc.dev
        a.ino = ino
        a.mode = type | (isDirectory ? 0o555 : 0o444)
        a.nlink = isDirectory ? 2 : 1
        a.blksize = 1024
        a.atime = born
        a.mtime = born
        a.ctime = born
        return a
    }

    override func lookup(_ name: Name, _ caller: Caller) throws(Errno) -> Inode {
        guard isDirectory else { throw .ENOTDIR }
        if let child = children.first(where: { $0.name == name }) { return child.node }
        if isRoot, let pid = name.number { return try ProcNode.process(proc, pid, caller) }
        throw .ENOENT
    }

    override func list(after cookie: UInt64, _ caller: Caller, _ sink: DirectorySink) throws(Errno) {
        guard isDirectory else { throw .ENOTDIR }
        for (i, child) in children.enumerated() where UInt64(i) + 3 > cookie {
            if !sink(child.name, child.node.ino, Linux.direntType(child.node.type), UInt64(i) + 3) { return }
        }
        guard isRoot else { return }
        // A process's cookie is its number: who comes and goes moves nobody else.
        let base: UInt64 = 1 << 20
        let pids = (try? proc.client.numbers(PROC_LIST, caller)) ?? []
        for pid in pids where pid > 0 && base + UInt64(pid) > cookie {
            let ino = ProcNode.ino(pid: pid, kind: .process, 0)
            if !sink(Name(String(pid)), ino, Linux.direntType(Linux.S_IFDIR), base + UInt64(pid)) { return }
        }
    }

    override func generate(_ caller: Caller) throws(Errno) -> [UInt8] {
        guard let maker else { throw .EISDIR }
        return maker(proc, caller)
    }
}

/// The links in /proc that depend on who looks.
final class ProcLink: Inode, @unchecked Sendable {
    // Sendable: constant.
    enum Kind { case own, ownThread, mounts }

    private let proc: Procfs
    private let kind: Kind
    private let name: Name
    private let born = FileTime.now

    init(_ proc: Procfs, ino: UInt64, name: Name, _ kind: Kind) {
        self.proc = proc
        self.kind = kind
        self.name = name
        super.init(fs: proc, ino: ino, type: Linux.S_IFLNK)
    }

    override var parentDirectory: Inode { proc.root }
    override var nameInParent: Name? { name }

    override func attributes() throws(Errno) -> Attributes {
        var a = Attributes()
        a.dev = proc.dev
        a.ino = ino
        a.mode = Linux.S_IFLNK | 0o777
        a.blksize = 1024
        a.atime = born
        a.mtime = born
        a.ctime = born
        return a
    }

    override func readLink(_ caller: Caller) throws(Errno) -> [UInt8] {
        switch kind {
        case .mounts: return Array("self/mounts".utf8)
        case .own:
            if caller.pid <= 0 { throw .ENOENT }
            return Array(String(caller.pid).utf8)
        case .ownThread:
            if caller.pid <= 0 { throw .ENOENT }
            return Array("\(caller.pid)/task/\(caller.thread > 0 ? caller.thread : caller.pid)".utf8)
        }
    }
}
