import CMiXFile

/// The top of /proc: what is not of a process is known beforehand, the processes come and go.
final class ProcRoot: FixedNode, @unchecked Sendable {
    // Sendable: constant.
    typealias Maker = @Sendable (Procfs, Caller) -> [UInt8]

    private unowned let proc: Procfs

    init(_ proc: Procfs) {
        self.proc = proc
        var ino: UInt64 = 1
        super.init(proc, ino: ino)
        for (path, maker) in ProcSystem.files {
            plant(path, .text { [unowned proc] caller in maker(proc, caller) }, ino: &ino)
        }
        for (path, text) in ProcNet.settings {
            let bytes = Array(text.utf8)
            plant("sys/net/" + path, .text { _ in bytes }, ino: &ino)
        }
        for path in ProcSystem.directories { plant(path, .directory, ino: &ino) }
        for (name, kind) in [
            ("self", ProcLink.Kind.own), ("thread-self", .ownThread), ("mounts", .mounts), ("net", .net),
        ] {
            ino += 1
            add(ProcLink(proc, ino: ino, name: Name(name), kind), as: Name(name))
        }
    }

    override func lookup(_ name: Name, _ caller: Caller) throws(Errno) -> Inode {
        if let pid = name.number { return try ProcNode.process(proc, pid, caller) }
        return try super.lookup(name, caller)
    }

    override func list(after cookie: UInt64, _ caller: Caller, _ sink: DirectorySink) throws(Errno) {
        // A process's cookie is its number: who comes and goes moves nobody else.
        let base: UInt64 = 1 << 20
        var full = false
        try super.list(after: cookie, caller) { name, ino, type, next in
            full = !sink(name, ino, type, next)
            return !full
        }
        if full { return }
        let pids = (try? proc.client.numbers(PROC_LIST, caller)) ?? []
        for pid in pids where pid > 0 && base + UInt64(pid) > cookie {
            let ino = ProcNode.ino(pid: pid, kind: .process, 0)
            if !sink(Name(String(pid)), ino, Linux.direntType(Linux.S_IFDIR), base + UInt64(pid)) { return }
        }
    }
}

/// The links in /proc that depend on who looks.
final class ProcLink: Inode, @unchecked Sendable {
    // Sendable: constant.
    enum Kind { case own, ownThread, mounts, net }

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
        case .net: return Array("self/net".utf8)
        case .own:
            if caller.pid <= 0 { throw .ENOENT }
            return Array(String(caller.pid).utf8)
        case .ownThread:
            if caller.pid <= 0 { throw .ENOENT }
            return Array("\(caller.pid)/task/\(caller.thread > 0 ? caller.thread : caller.pid)".utf8)
        }
    }
}
