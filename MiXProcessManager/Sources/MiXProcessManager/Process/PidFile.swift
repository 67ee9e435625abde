import CMiXFile

/// pidfd_open(2): a process by descriptor, whose number nobody else can come to have.
final class PidFile: OpenDescription, @unchecked Sendable {
    // Sendable: constant.
    let process: Process

    init(_ process: Process, flags: UInt32) {
        self.process = process
        super.init(process.manager, flags: FileFlags.readWrite | flags)
    }

    override var mode: UInt32 { 0o600 }
    override func seek(_ offset: Int64, _ whence: Int32) throws(Errno) -> Int64 { Self.noPosition }
    override var isPollable: Bool { true }
    /// Readable from the end of the process on, hung up once nobody can wait for it any more.
    override func poll(_ mask: UInt32, arm: Bool) -> UInt32 {
        switch manager.tree.withLock({ process.state }) {
        case .zombie: PollBits.readable & mask
        case .reaped: PollBits.readable & mask | PollBits.hangUp
        case .running, .stopped: 0
        }
    }
    override func forEachSource(_ body: (PollSource) -> Void) { body(process.endSource) }

    override func stat(_ cred: MixCred) throws(Errno) -> MixStat { .anonymous(number, mode: mode) }
    override func linkText(_ root: MixKey) -> [UInt8] { [UInt8]("anon_inode:[pidfd]".utf8) }
    override var infoLines: String {
        let isThere = manager.tree.withLock { process.state != .reaped }
        return "Pid:\t\(isThere ? process.pid : -1)\nNSpid:\t\(isThere ? process.pid : -1)\n"
    }

    /// The process behind a descriptor; ESRCH once it has been waited for.
    static func process(_ call: Call, _ fd: Int32, orDirectory: Bool = false) throws(Errno) -> Process {
        let description = try call.openDescription(number: fd)
        guard let file = description as? PidFile else {
            guard orDirectory else { throw .EBADF }
            return try process(call, directory: description)
        }
        guard call.manager.tree.withLock({ file.process.state != .reaped }) else { throw .ESRCH }
        return file.process
    }

    /// A directory /proc/PID serves as well (pidfd_send_signal(2)).
    private static func process(_ call: Call, directory: OpenDescription) throws(Errno) -> Process {
        guard directory.mode & FileMode.typeMask == FileMode.directory else { throw .EBADF }
        let path = String(decoding: directory.linkText(call.process.root.key), as: UTF8.self)
        guard path.hasPrefix("/proc/"), let pid = Int32(path.dropFirst(6)) else { throw .EBADF }
        guard let process = call.manager.process(pid) else { throw .ESRCH }
        return process
    }
}

/// pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2).
enum PidFileCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (424, "pidfd_send_signal", sendSignal), (434, "pidfd_open", open), (438, "pidfd_getfd", getDescriptor),
    ]

    @Sendable private static func open(_ call: Call) throws(Errno) -> Outcome {
        let flags = call.uint(1)
        guard flags & ~FileFlags.nonBlocking == 0, call.int(0) > 0 else { throw .EINVAL }
        let process = try call.manager.tree.withLock { () throws(Errno) -> Process in
            if let process = call.manager.processes[call.int(0)] { return process }
            // A thread that leads no group.
            throw call.manager.tasks[call.int(0)] != nil ? .EINVAL : .ESRCH
        }
        return .done(value: try call.install(PidFile(process, flags: flags), closeOnExec: true))
    }

    @Sendable private static func sendSignal(_ call: Call) throws(Errno) -> Outcome {
        guard call.uint(3) == 0 else { throw .EINVAL }
        let process = try PidFile.process(call, call.int(0), orDirectory: true)
        let signal = call.int(1)
        guard signal == 0 || Signal.isValid(signal) else { throw .EINVAL }
        var info = SignalInfo.from(call.process, signal)
        if call[2] != 0 {
            let bytes = try call.copyIn(call[2], count: SignalInfo.size)
            let named = bytes.withUnsafeBytes { $0.load(as: Int32.self) }
            guard named == signal else { throw .EINVAL }
            info = SignalInfo(bytes: bytes, signal: signal)
            // As rt_sigqueueinfo(2): nobody may pretend to be the kernel or kill(2) towards another process.
            if (info.code >= 0 || info.code == SignalInfo.thread) && process !== call.process { throw .EPERM }
        }
        try call.manager.withTree { () throws(Errno) in
            guard SignalCalls.maySignal(call.process, process, signal) else { throw .EPERM }
            if signal != 0, !call.manager.postLocked(info, to: process) { throw .EAGAIN }
        }
        return .zero
    }

    @Sendable private static func getDescriptor(_ call: Call) throws(Errno) -> Outcome {
        guard call.uint(2) == 0 else { throw .EINVAL }
        let process = try PidFile.process(call, call.int(0))
        let (mayLook, isAlive) = call.manager.tree.withLock {
            (mayTrace(call.process, process), process.state == .running || process.state == .stopped)
        }
        guard mayLook else { throw .EPERM }
        guard isAlive else { throw .ESRCH }
        let description = try process.files.description(Int(call.int(1)))
        description.hold()
        return .done(value: try call.install(description, closeOnExec: true))
    }

    /// Under the tree lock: ptrace access with the real ids (ptrace(2), PTRACE_MODE_ATTACH_REALCREDS).
    private static func mayTrace(_ from: Process, _ to: Process) -> Bool {
        if from === to || from.credentials.has(Credentials.capSysPtrace) { return true }
        let (own, theirs) = (from.credentials, to.credentials)
        return [theirs.uid, theirs.euid, theirs.suid].allSatisfy { $0 == own.uid }
            && [theirs.gid, theirs.egid, theirs.sgid].allSatisfy { $0 == own.gid } && to.dumpable
    }
}
