import ActorKit
import CChorus

/// The Process Manager's instance: all its state hangs here.
final class ProcessManager: @unchecked Sendable {
    // Sendable: tables are guarded by `tree` and `taskLock`; the rest is set up before the first trap.
    let nucleus: Nucleus
    let clock = Clock()
    let timers: TimerQueue
    let ready = ReadyList()
    let systemCalls: SystemCallTable
    /// The process tree: relations, states, credentials, limits and all signal state.
    let tree = Lock()
    var processes: [Int32: Process] = [:]
    var tasks: [Int32: Task] = [:]
    var lastPid: Int32 = 0
    var forks: UInt64 = 0
    var load: LoadAverage
    let stamping = Lock()
    let taskTable = TaskTable()
    let futexes = FutexTable()
    let inotify = InotifyTable()
    let files: FileState
    let ipc = IpcState()
    let rights = RightsTable()
    /// Marked under `tree`, kicked when it is free.
    var kicks: [Task] = []
    /// SIGKILLed under `tree`, ended when it is free: not left to the guest, which may be stuck beyond any signal.
    var killed: [Process] = []
    var groups = ServerGroups()
    let bootTime: UInt64
    let bootRealTime: UInt64
    @Guarded var hostName: [UInt8] = Array("chorus".utf8)
    @Guarded var domainName: [UInt8] = Array("(none)".utf8)
    var port: KnPortLid = 0
    var portUi = KnUniqueId()
    var group = KnCap()

    init(_ nucleus: Nucleus) {
        self.nucleus = nucleus
        timers = TimerQueue(clock: clock)
        files = FileState(seed: clock.realTime() &* 0x9E37_79B9_7F4A_7C15)
        bootTime = clock.monotonic()
        load = LoadAverage(since: bootTime)
        bootRealTime = clock.realTime()
        nucleus.grpName(K_STAMP_FILE, &groups.file)
        nucleus.grpName(K_STAMP_DEVICE, &groups.device)
        nucleus.grpName(K_STAMP_SOCKET, &groups.socket)
        var table = SystemCallTable()
        CoreCalls.register(&table)
        FileSystemCalls.register(&table)
        systemCalls = table
    }

    func log(_ level: Int32, _ line: String) { nucleus.sysLog(level, line) }

    func random<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type = T.self) -> T {
        var value: T = 0
        withUnsafeMutableBytes(of: &value) { _ = nucleus.sysRandom($0.baseAddress, UInt32($0.count)) }
        return value
    }
}

/// Sending names of the servers it calls, looked up once.
struct ServerGroups {
    var file = KnUniqueId()
    var device = KnUniqueId()
    var socket = KnUniqueId()
}
