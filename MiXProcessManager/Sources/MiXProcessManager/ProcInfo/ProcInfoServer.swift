import CChorus
import CMiXFile

/// What the File Manager's procfs asks (mix/mixProcInfo.h).
extension ProcessManager {
    /// Answers PROC_LIST … PROC_WRITE: fills `reply` and `room` and returns the bytes in `room`; nil: not such a request.
    /// Called without locks.
    func serveProcessInfo(
        _ request: MixObjRequest, body: UnsafeRawBufferPointer, reply: inout MixObjReply,
        room: UnsafeMutableRawBufferPointer
    ) -> Int? {
        guard (PROC_LIST...PROC_WRITE).contains(request.op) else { return nil }
        do throws(Errno) {
            let bytes = try processInfo(request, body, &reply)
            let skipped = request.op == PROC_FILE ? min(Int(clamping: request.offset), bytes.count) : 0
            let size = min(bytes.count - skipped, room.count)
            bytes.withUnsafeBytes {
                room.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[skipped..<skipped + size]))
            }
            if request.op != PROC_KEY && request.op != PROC_OWNER { reply.diag = Int64(size) }
            return size
        } catch {
            reply.diag = error.result
            return 0
        }
    }

    private func processInfo(
        _ request: MixObjRequest, _ body: UnsafeRawBufferPointer, _ reply: inout MixObjReply
    ) throws(Errno) -> [UInt8] {
        switch request.op {
        case PROC_LIST:
            return Self.bytes([1] + tree.withLock { processes.values.filter { $0.state != .reaped }.map(\.pid) })
        case PROC_FILE where request.arg.0 == 0: return try siteText(UInt32(truncatingIfNeeded: request.arg.2))
        default: break
        }
        if request.arg.0 == 1 { return try managerInfo(request, &reply) }
        guard let process = process(Int32(truncatingIfNeeded: request.arg.0)), process.state != .reaped else {
            throw .ESRCH
        }
        switch request.op {
        case PROC_TASKS:
            return Self.bytes(tree.withLock { process.isZombie ? [process.pid] : process.tasks.map(\.tid) })
        case PROC_FDS:
            try checkMayLook(request.cred, process)
            return Self.bytes(process.isZombie ? [] : process.files.open)
        case PROC_FILE: return try fileText(request, process)
        case PROC_LINK:
            try checkMayLook(request.cred, process)
            return try linkText(request, process)
        case PROC_KEY:
            try checkMayLook(request.cred, process)
            try findKey(request, process, &reply)
            return []
        case PROC_OWNER:
            let credentials = tree.withLock { process.credentials }
            reply.value.0 = UInt64(credentials.euid)
            reply.value.1 = UInt64(credentials.egid)
            reply.value.2 = (bootRealTime &+ (process.startTime &- bootTime)) / 1_000_000_000
            return []
        default: return try accept(request, process, body)
        }
    }

    private static func bytes(_ numbers: [Int32]) -> [UInt8] { numbers.sorted().withUnsafeBytes { Array($0) } }

    /// ptrace access (ptrace(2)) as far as it is about users.
    private func checkMayLook(_ cred: MixCred, _ process: Process) throws(Errno) {
        if cred.capabilities & MIX_CAP_ROOT != 0 || cred.pid == process.pid { return }
        let owner = tree.withLock { (process.credentials, process.dumpable) }
        let same = [owner.0.uid, owner.0.euid, owner.0.suid].allSatisfy { $0 == cred.uid }
        guard same && owner.1 else { throw .EACCES }
    }

    // MARK: Texts

    private func fileText(_ request: MixObjRequest, _ process: Process) throws(Errno) -> [UInt8] {
        let kind = UInt32(truncatingIfNeeded: request.arg.2)
        let tid = Int32(truncatingIfNeeded: request.arg.1)
        switch kind {
        case PROC_F_STAT: return Array(StatText.stat(ProcessSnapshot(self, process, thread: tid)).utf8)
        case PROC_F_STATM: return Array(StatText.statm(ProcessSnapshot(self, process, thread: tid)).utf8)
        case PROC_F_STATUS: return Array(StatusText.status(ProcessSnapshot(self, process, thread: tid)).utf8)
        case PROC_F_CMDLINE: return StringsText.commandLine(self, process)
        case PROC_F_LIMITS: return Array(LimitsText.limits(tree.withLock { process.limits }).utf8)
        case PROC_F_COMM: return Array((ProcessSnapshot(self, process, thread: tid).command + "\n").utf8)
        case PROC_F_OOM: return Array("\(process.oomScoreAdjust)\n".utf8)
        case PROC_F_COREDUMP: return Array(Text.hex(UInt64(process.coredumpFilter), 8).utf8) + [0x0a]
        case PROC_F_CHILDREN:
            let children = tree.withLock { tid == process.pid ? process.children.map(\.pid) : [] }
            return Array(children.map { "\($0) " }.joined().utf8)
        case PROC_F_WCHAN: return Array(waitReason(process, tid).utf8)
        default: break
        }
        try checkMayLook(request.cred, process)
        switch kind {
        case PROC_F_ENVIRON: return StringsText.environment(self, process)
        case PROC_F_AUXV: return process.isZombie ? [] : process.auxiliary
        case PROC_F_MAPS: return MapsText.maps(process, withSizes: false)
        case PROC_F_SMAPS: return MapsText.maps(process, withSizes: true)
        case PROC_F_ROLLUP:
            return MapsText.rollup(process, ProcessSnapshot(self, process, thread: tid).resident)
        case PROC_F_FDINFO:
            let fd = Int(Int32(truncatingIfNeeded: request.arg.3))
            guard !process.isZombie, let description = process.files.lookup(fd) else { throw .ENOENT }
            return Array(
                DescriptorText.info(description, closeOnExec: (try? process.files.closeOnExec(fd)) ?? false).utf8)
        default: throw .EINVAL
        }
    }

    private func waitReason(_ process: Process, _ tid: Int32) -> String {
        let task = tree.withLock { process.tasks.first { tid == 0 || $0.tid == tid } }
        return task?.park.withLock { task?.parkState == .parked ? task?.parkWait?.reason.description : nil } ?? "0"
    }

    private func siteText(_ kind: UInt32) throws(Errno) -> [UInt8] {
        if kind == PROC_F_UNAME { return systemNames.flatMap { $0 + [0] } }
        let counts = SiteCounts(self)
        switch kind {
        case PROC_F_LOADAVG:
            return Array(counts.loadText(loadAverage()).utf8)
        case PROC_F_SYSSTAT: return Array(counts.statText.utf8)
        case PROC_F_SYSVSHM: return Array(IpcText.segments(self).utf8)
        case PROC_F_SYSVSEM: return Array(IpcText.semaphores(self).utf8)
        case PROC_F_SYSVMSG: return Array(IpcText.queues(self).utf8)
        default: throw .EINVAL
        }
    }

    // MARK: Links

    private func linkText(_ request: MixObjRequest, _ process: Process) throws(Errno) -> [UInt8] {
        if process.isZombie { throw .ENOENT }
        switch UInt32(truncatingIfNeeded: request.arg.2) {
        case PROC_L_EXE:
            guard let file = process.executable else { throw .ENOENT }
            return (try? path(of: file.key, file.server)) ?? file.path
        case PROC_L_CWD: return try path(of: process.cwd.current)
        case PROC_L_ROOT: return try path(of: process.root.current)
        case PROC_L_FD:
            guard let description = process.files.lookup(Int(Int32(truncatingIfNeeded: request.arg.3))) else {
                throw .ENOENT
            }
            return description.linkText(MixKey())
        default: throw .EINVAL
        }
    }

    private func path(of directory: DirectoryHandle) throws(Errno) -> [UInt8] {
        if directory.key.object == 0 && directory.key.tag == 0 { return [UInt8(ascii: "/")] }
        return try path(of: directory.key, directory.server)
    }

    private func path(of key: MixKey, _ server: KnUniqueId) throws(Errno) -> [UInt8] {
        var request = MixObjRequest()
        request.op = OBJ_PATH
        request.key = key
        return try objectCall(server, request, body: [], room: 4096).1
    }

    private func findKey(_ request: MixObjRequest, _ process: Process, _ reply: inout MixObjReply) throws(Errno) {
        if process.isZombie { throw .ENOENT }
        let server: KnUniqueId
        switch UInt32(truncatingIfNeeded: request.arg.2) {
        case PROC_L_EXE:
            guard let file = process.executable else { throw .ENOENT }
            (reply.key, server) = (file.key, file.server)
            reply.mode = FileMode.regular
        case PROC_L_CWD, PROC_L_ROOT:
            let place = UInt32(truncatingIfNeeded: request.arg.2) == PROC_L_CWD ? process.cwd : process.root
            let handle = place.current
            (reply.key, server) = (handle.key, handle.server)
            reply.mode = FileMode.directory
        case PROC_L_FD:
            let fd = Int32(truncatingIfNeeded: request.arg.3)
            guard let description = process.files.lookup(Int(fd)) else { throw .ENOENT }
            reply.mode = description.mode
            if let remote = description.remote {
                (reply.key, server) = (remote.key, remote.server)
                reply.ino = remote.inode
            } else {
                // An object of ours: open(2) finds it again by descriptor and number.
                reply.key = LocalKey.key(process.pid, fd, description)
                reply.ino = description.number
                server = group.ui
            }
        default: throw .EINVAL
        }
        reply.serverHead = server.uiHead
        reply.serverTail = server.uiTail
    }

    // MARK: Writable entries

    private func accept(
        _ request: MixObjRequest, _ process: Process, _ body: UnsafeRawBufferPointer
    ) throws(Errno) -> [UInt8] {
        try checkMayLook(request.cred, process)
        var text = String(decoding: body, as: UTF8.self)
        while text.last == "\n" { text.removeLast() }
        switch UInt32(truncatingIfNeeded: request.arg.2) {
        case PROC_F_COMM:
            let name = String(decoding: text.utf8.prefix(15), as: UTF8.self)
            let tid = Int32(truncatingIfNeeded: request.arg.1)
            tree.withLock {
                if tid == 0 || tid == process.pid { process.command = name }
                process.tasks.first { $0.tid == (tid == 0 ? process.pid : tid) }?.name = name
            }
        case PROC_F_OOM:
            guard let value = Int32(text), -1000...1000 ~= value else { throw .EINVAL }
            tree.withLock { process.oomScoreAdjust = value }
        case PROC_F_COREDUMP:
            let digits = text.hasPrefix("0x") ? UInt32(text.dropFirst(2), radix: 16) : UInt32(text)
            guard let value = digits else { throw .EINVAL }
            tree.withLock { process.coredumpFilter = value & 0x1ff }
        default: throw .EINVAL
        }
        return []
    }
}

/// How an object of the Process Manager is named to the File Manager: process and descriptor, and which description.
enum LocalKey {
    static func key(_ pid: Int32, _ fd: Int32, _ description: OpenDescription) -> MixKey {
        MixKey(object: UInt64(UInt32(bitPattern: pid)) << 32 | UInt64(UInt32(bitPattern: fd)), tag: description.number)
    }

    static func find(_ manager: ProcessManager, _ key: MixKey) -> OpenDescription? {
        let process = manager.process(Int32(truncatingIfNeeded: key.object >> 32))
        let found = process?.files.lookup(Int(Int32(truncatingIfNeeded: key.object)))
        return found?.number == key.tag ? found : nil
    }
}
