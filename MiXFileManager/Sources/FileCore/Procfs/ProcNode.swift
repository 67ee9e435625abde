import CMiXFile

/// A file or directory of one process. Made at each lookup: nothing is kept.
final class ProcNode: Inode, @unchecked Sendable {
    // Sendable: constant.
    enum Kind: UInt64 {
        case process = 0, tasks, task, fds, fdInfos, fd, fdInfo, exe, cwd, root
        case stat, statm, status, cmdline, environ, maps, limits, comm, auxv, smaps, oomScoreAdj, wchan
        case mounts, mountInfo, cgroup, oomScore, loginUid
        case smapsRollup, coredumpFilter, children, uidMap, gidMap, setGroups, sessionId, cpuset
        case net, netFile
    }

    static let entries: [(name: Name, kind: Kind)] = [
        (Name("task"), .tasks), (Name("fd"), .fds), (Name("fdinfo"), .fdInfos), (Name("exe"), .exe),
        (Name("cwd"), .cwd),
        (Name("root"), .root), (Name("stat"), .stat), (Name("statm"), .statm), (Name("status"), .status),
        (Name("cmdline"), .cmdline), (Name("environ"), .environ), (Name("maps"), .maps), (Name("limits"), .limits),
        (Name("comm"), .comm), (Name("auxv"), .auxv), (Name("smaps"), .smaps), (Name("oom_score_adj"), .oomScoreAdj),
        (Name("wchan"), .wchan), (Name("mounts"), .mounts), (Name("mountinfo"), .mountInfo), (Name("cgroup"), .cgroup),
        (Name("oom_score"), .oomScore), (Name("loginuid"), .loginUid), (Name("smaps_rollup"), .smapsRollup),
        (Name("coredump_filter"), .coredumpFilter), (Name("children"), .children), (Name("uid_map"), .uidMap),
        (Name("gid_map"), .gidMap), (Name("setgroups"), .setGroups), (Name("sessionid"), .sessionId),
        (Name("cpuset"), .cpuset), (Name("net"), .net),
    ]

    private let proc: Procfs
    private let pid: Int32
    private let tid: Int32  // 0: the process itself
    private let kind: Kind
    private let number: Int32
    private let uid: UInt32
    private let gid: UInt32
    private let born: FileTime

    private init(_ proc: Procfs, _ pid: Int32, _ tid: Int32, _ kind: Kind, _ number: Int32, like reply: MixObjReply) {
        self.proc = proc
        self.pid = pid
        self.tid = tid
        self.kind = kind
        self.number = number
        uid = UInt32(truncatingIfNeeded: reply.value.0)
        gid = UInt32(truncatingIfNeeded: reply.value.1)
        born = FileTime(Int64(bitPattern: reply.value.2), 0)
        let extra = UInt64(UInt32(bitPattern: tid)) << 24 ^ UInt64(UInt32(bitPattern: number))
        super.init(fs: proc, ino: Self.ino(pid: pid, kind: kind, extra), type: Self.type(kind))
    }

    private init(_ other: ProcNode, _ kind: Kind, tid: Int32? = nil, number: Int32 = 0) {
        proc = other.proc
        pid = other.pid
        self.tid = tid ?? other.tid
        self.kind = kind
        self.number = number
        uid = other.uid
        gid = other.gid
        born = other.born
        let extra = UInt64(UInt32(bitPattern: self.tid)) << 24 ^ UInt64(UInt32(bitPattern: number))
        super.init(fs: proc, ino: Self.ino(pid: pid, kind: kind, extra), type: Self.type(kind))
    }

    static func process(_ proc: Procfs, _ pid: Int32, _ caller: Caller) throws(Errno) -> ProcNode {
        do throws(Errno) {
            let owner = try proc.client.call(PROC_OWNER, caller, pid: pid)
            return ProcNode(proc, pid, 0, .process, 0, like: owner)
        } catch {
            throw error == .ESRCH ? .ENOENT : error
        }
    }

    static func ino(pid: Int32, kind: Kind, _ extra: UInt64) -> UInt64 {
        1 << 32 | (UInt64(UInt32(bitPattern: pid)) << 6 | kind.rawValue) << 33 ^ extra
    }

    private static func type(_ kind: Kind) -> UInt32 {
        switch kind {
        case .process, .tasks, .task, .fds, .fdInfos, .net: return Linux.S_IFDIR
        case .fd, .exe, .cwd, .root: return Linux.S_IFLNK
        default: return Linux.S_IFREG
        }
    }

    override var isGenerated: Bool { isRegular }
    override var isMagic: Bool { isSymlink }

    private var above: ProcNode? {
        switch kind {
        case .process: return nil
        case .tasks, .fds, .fdInfos: return ProcNode(self, tid == 0 || kind == .tasks ? .process : .task)
        case .task: return ProcNode(self, .tasks, tid: 0)
        case .fd: return ProcNode(self, .fds)
        case .fdInfo: return ProcNode(self, .fdInfos)
        case .netFile: return ProcNode(self, .net)
        default: return ProcNode(self, tid == 0 ? .process : .task)
        }
    }
    override var parentDirectory: Inode { above ?? proc.root }
    override var nameInParent: Name? {
        switch kind {
        case .process: return Name(String(pid))
        case .task: return Name(String(tid))
        case .fd, .fdInfo: return Name(String(number))
        case .netFile: return ProcNet.files[Int(number)]
        default: return Self.entries.first { $0.kind == kind }?.name
        }
    }

    override func attributes() throws(Errno) -> Attributes {
        var a = Attributes()
        a.dev = proc.dev
        a.ino = ino
        a.uid = uid
        a.gid = gid
        a.blksize = 1024
        a.atime = born
        a.mtime = born
        a.ctime = born
        a.nlink = isDirectory ? 2 : 1
        switch kind {
        case .process, .tasks, .task, .net: a.mode = type | 0o555
        case .fds, .fdInfos: a.mode = type | 0o500
        case .fd: a.mode = type | 0o700
        case .exe, .cwd, .root: a.mode = type | 0o777
        case .environ, .auxv: a.mode = type | 0o400
        case .comm, .oomScoreAdj, .loginUid, .coredumpFilter: a.mode = type | 0o644
        default: a.mode = type | 0o444
        }
        if isSymlink { a.size = 64 }
        return a
    }

    // MARK: Directories

    override func lookup(_ name: Name, _ caller: Caller) throws(Errno) -> Inode {
        switch kind {
        case .process, .task:
            guard let kind = Self.entries.first(where: { $0.name == name })?.kind, has(kind) else { throw .ENOENT }
            return ProcNode(self, kind)
        case .tasks:
            guard let tid = name.number, try numbers(PROC_TASKS, caller).contains(tid) else { throw .ENOENT }
            return ProcNode(self, .task, tid: tid)
        case .fds, .fdInfos:
            guard let fd = name.number, try numbers(PROC_FDS, caller).contains(fd) else { throw .ENOENT }
            return ProcNode(self, kind == .fds ? .fd : .fdInfo, number: fd)
        case .net:
            guard let index = ProcNet.files.firstIndex(of: name) else { throw .ENOENT }
            return ProcNode(self, .netFile, number: Int32(index))
        default: throw .ENOTDIR
        }
    }

    /// Threads are of the process alone, children of its threads.
    private func has(_ kind: Kind) -> Bool { kind == .tasks ? tid == 0 : kind != .children || tid != 0 }

    private func numbers(_ op: UInt32, _ caller: Caller) throws(Errno) -> [Int32] {
        do throws(Errno) { return try proc.client.numbers(op, caller, pid: pid) } catch {
            throw error == .ESRCH ? .ENOENT : error
        }
    }

    override func list(after cookie: UInt64, _ caller: Caller, _ sink: DirectorySink) throws(Errno) {
        switch kind {
        case .process, .task:
            for (i, entry) in Self.entries.enumerated() where UInt64(i) + 3 > cookie {
                if !has(entry.kind) { continue }
                let node = ProcNode(self, entry.kind)
                if !sink(entry.name, node.ino, Linux.direntType(node.type), UInt64(i) + 3) { return }
            }
        case .tasks, .fds, .fdInfos:
            for n in try numbers(kind == .tasks ? PROC_TASKS : PROC_FDS, caller) where n >= 0 && UInt64(n) + 3 > cookie
            {
                let node =
                    kind == .tasks
                    ? ProcNode(self, .task, tid: n) : ProcNode(self, kind == .fds ? .fd : .fdInfo, number: n)
                if !sink(Name(String(n)), node.ino, Linux.direntType(node.type), UInt64(n) + 3) { return }
            }
        case .net:
            for (index, name) in ProcNet.files.enumerated() where UInt64(index) + 3 > cookie {
                let node = ProcNode(self, .netFile, number: Int32(index))
                if !sink(name, node.ino, Linux.direntType(node.type), UInt64(index) + 3) { return }
            }
        default: throw .ENOTDIR
        }
    }

    // MARK: Links

    private var linkKind: UInt32 {
        switch kind {
        case .exe: return PROC_L_EXE
        case .cwd: return PROC_L_CWD
        case .root: return PROC_L_ROOT
        default: return PROC_L_FD
        }
    }

    override func readLink(_ caller: Caller) throws(Errno) -> [UInt8] {
        guard isSymlink else { throw .EINVAL }
        return try proc.client.link(caller, pid: pid, tid: tid, what: linkKind, fd: number)
    }

    override func magicTarget(_ caller: Caller) throws(Errno) -> MagicTarget {
        let reply = try proc.client.call(
            PROC_KEY, caller, pid: pid, tid: tid, what: UInt64(linkKind), fd: UInt64(UInt32(bitPattern: number)))
        return try proc.target(reply)
    }

    // MARK: Text

    private var fileKind: UInt32? {
        switch kind {
        case .stat: return PROC_F_STAT
        case .statm: return PROC_F_STATM
        case .status: return PROC_F_STATUS
        case .cmdline: return PROC_F_CMDLINE
        case .environ: return PROC_F_ENVIRON
        case .maps: return PROC_F_MAPS
        case .limits: return PROC_F_LIMITS
        case .comm: return PROC_F_COMM
        case .auxv: return PROC_F_AUXV
        case .smaps: return PROC_F_SMAPS
        case .oomScoreAdj: return PROC_F_OOM
        case .wchan: return PROC_F_WCHAN
        case .fdInfo: return PROC_F_FDINFO
        case .smapsRollup: return PROC_F_ROLLUP
        case .coredumpFilter: return PROC_F_COREDUMP
        case .children: return PROC_F_CHILDREN
        default: return nil
        }
    }

    override func generate(_ caller: Caller) throws(Errno) -> [UInt8] {
        if let fileKind { return try proc.client.text(caller, pid: pid, tid: tid, what: fileKind, fd: number) }
        switch kind {
        case .mounts: return proc.names.mountsText()
        case .mountInfo: return proc.names.mountInfoText()
        case .cgroup: return Array("0::/\n".utf8)
        case .oomScore: return Array("0\n".utf8)
        case .loginUid, .sessionId: return Array("4294967295".utf8)
        // There is one user name space (user_namespaces(7)).
        case .uidMap, .gidMap: return Array("         0          0 4294967295\n".utf8)
        case .setGroups: return Array("allow\n".utf8)
        case .cpuset: return Array("/\n".utf8)
        case .netFile: return try proc.client.network(ProcNet.files[Int(number)], caller)
        default: throw .EINVAL
        }
    }

    override func accept(_ bytes: UnsafeRawBufferPointer, _ caller: Caller) throws(Errno) -> Int {
        guard let fileKind, kind == .comm || kind == .oomScoreAdj || kind == .coredumpFilter else { throw .EINVAL }
        try proc.client.call(PROC_WRITE, caller, pid: pid, tid: tid, what: UInt64(fileKind), input: bytes)
        return bytes.count
    }
}
