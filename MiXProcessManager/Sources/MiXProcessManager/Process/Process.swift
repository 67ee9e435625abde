import CChorus
import Synchronization

/// One UNIX process.
///
/// Guarded by `manager.tree`: identity, relations, signals, task list, state, credentials, limits. `files`, `cwd` and
/// `root` are replaced only by the process' own system calls (and at its end) and locked inside themselves.
final class Process: @unchecked Sendable {
    // Sendable: see above.
    unowned let manager: ProcessManager
    let pid: Int32
    var parent: Process?
    var children: [Process] = []
    var pgrp: Int32
    var sid: Int32
    /// It gave up the terminal of its session (TIOCNOTTY), for itself and its children.
    var isWithoutTerminal: Bool
    var state = ProcessState.running

    var actor: KnCap
    /// Leader first.
    var tasks: [Task] = []

    // Files (the classes are locked inside themselves).
    @Guarded var files: DescriptorTable
    @Guarded var fileUsers = UserCount()
    var cwd: DirectoryRef
    var root: DirectoryRef
    var umask: UInt32 = 0o022

    @Guarded var credentials = Credentials()
    /// What the nucleus stamps on the process's messages; guarded by `manager.stamping`.
    var stamped = Stamp()
    @Guarded var limits = Limits()

    // Signals.
    var actions = [SignalAction](repeating: SignalAction(), count: 65)
    var pending = SignalQueue()
    /// Tasks in rt_sigtimedwait and watchers of signalfd.
    let signalSource = PollSource()
    var signalQueue: WaitQueue { signalSource.queue }
    /// Woken when a child changes state (wait4).
    let childQueue = WaitQueue()
    /// Polled by pidfds: the end, and the end of the zombie.
    let endSource = PollSource()
    /// A state change that wait4/waitid has not yet collected.
    var stopReport: Int32?
    var continueReport = false
    var exitSignal: Int32 = Signal.chld
    /// The parent's thread that made it (__WNOTHREAD).
    var maker: Int32 = 0
    var exitStatus: Int32 = 0
    var deathSignal: Int32 = 0
    var groupExiting = false
    var hasExecuted = false
    /// The child of a vfork that has neither executed nor ended: its parent's task waits here.
    var vforkDone: WaitQueue?
    /// PROC_SPAWN flags; the parent is the manager itself.
    var spawned: SpawnState?

    @Guarded var memory: AddressSpace
    @Guarded var executable: ExecutableFile?
    @Guarded var command = "?"
    @Guarded var commandLine: [UInt8] = []
    @Guarded var environment: [UInt8] = []
    @Guarded var auxiliary: [UInt8] = []
    /// CLOCK_MONOTONIC ns.
    let startTime: UInt64
    var accounting = Accounting()
    var timers = ProcessTimers()
    var dumpable = true
    var childSubreaper = false
    var noNewPrivileges = false
    /// Registered for MEMBARRIER_CMD_PRIVATE_EXPEDITED.
    var usesBarriers = false
    /// PR_SET_THP_DISABLE.
    var hasNoHugePages = false
    /// SEM_UNDO has been used.
    var undoesSemaphores = false
    var personality: UInt64 = 0
    var oomScoreAdjust: Int32 = 0
    var coredumpFilter: UInt32 = 0x33
    /// Unknown system calls already logged.
    var unknownCalls: Set<UInt64> = []

    init(
        manager: ProcessManager, pid: Int32, parent: Process?, actor: KnCap, files: DescriptorTable, cwd: DirectoryRef,
        root: DirectoryRef, memory: AddressSpace
    ) {
        self.manager = manager
        self.pid = pid
        self.parent = parent
        self.actor = actor
        self.files = files
        self.cwd = cwd
        self.root = root
        self.memory = memory
        pgrp = parent?.pgrp ?? pid
        sid = parent?.sid ?? pid
        isWithoutTerminal = parent?.isWithoutTerminal ?? false
        startTime = manager.clock.monotonic()
    }

    var leader: Task? { tasks.first }
    var isZombie: Bool { if case .zombie = state { true } else { false } }
}

enum ProcessState: Equatable {
    case running
    case stopped
    /// Ended; the wait status is `exitStatus`.
    case zombie
    /// Collected: about to vanish from the table.
    case reaped
}

/// What PROC_SPAWN asked for.
struct SpawnState {
    var isSiteProgram: Bool
    /// OBJ_WATCH on the process: events to post at its end.
    var watchers: [KnUniqueId] = []
}

/// CPU use in nanoseconds, and counts (getrusage(2)).
struct Accounting {
    var user: UInt64 = 0
    var system: UInt64 = 0
    var childUser: UInt64 = 0
    var childSystem: UInt64 = 0
    var maxResident: UInt64 = 0
    var childMaxResident: UInt64 = 0
    var systemCalls: UInt64 = 0

    var total: UInt64 { user &+ system &+ childUser &+ childSystem }
}
