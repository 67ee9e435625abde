import CChorus
import Synchronization

/// One UNIX thread.
final class Task: @unchecked Sendable {
    // Sendable: `park…` fields are guarded by `park`, signal fields by `manager.tree`, the rest is written only by the
    // system call the task is in.
    unowned let manager: ProcessManager
    let process: Process
    var tid: Int32
    /// The nucleus' thread; 0 until created.
    var thread: KnThreadLid = 0
    /// Slot and generation in the task table; the nucleus hands it back with every trap.
    var cookie: UInt64 = 0

    // The system call it is in.
    var frame = KnTrapFrame()
    /// Handler's own state of one system call across re-dispatches; released when the call ends. What must be undone
    /// when a task dies while waiting goes into its deinit.
    var kept: AnyObject?
    /// Absolute deadline of the current system call, fixed at its first entry.
    var deadline: UInt64?
    var redispatched = false
    var timedOut = false
    var interrupted = false

    // Parking.
    let park = Lock()
    var parkTicket: UInt64 = 1
    var parkState = ParkState.none
    var parkWoken = false
    var parkWait: Wait?
    var parkQueues: [WaitQueue] = []
    var parkTimer: TimerNode?
    /// The queue whose waking ended the last wait of this call.
    var wokenBy: WaitQueue?

    // Signals (guarded by manager.tree).
    var mask = SignalSet()
    var savedMask: SignalSet?
    var pending = SignalQueue()
    var altStack = AltStack()
    /// Something to look at before the guest runs on: a deliverable signal, a stop, or the end.
    let attention = Atomic<Bool>(false)
    /// In a trap, exception or abort handler or parked: no `threadAbort` is needed to get its attention.
    let inside = Atomic<Bool>(true)
    /// What it resumes with after a job-control stop.
    var held: CallResult?
    /// Handed to the ready list with what is held: not once more, whatever stops and continuations follow.
    var isResuming = false
    /// It, or its whole process, is ending: nothing of it may run on.
    let dying = Atomic<Bool>(false)

    /// Guarded by manager.tree.
    var schedule = Schedule()

    /// The process whose record lock it waits for; guarded by manager.tree.
    var lockBlocker: Int32 = 0

    /// Set by the thread itself, or under manager.tree by another of its process (SECCOMP_FILTER_FLAG_TSYNC).
    var seccomp = SeccompMode.none
    /// set_mempolicy(2).
    var memoryPolicy = MemoryPolicy()
    /// PR_SET_TIMERSLACK.
    var timerSlack = Task.usualSlack
    static let usualSlack: UInt64 = 50_000

    /// Looked up when its CPU time is asked for; 0 unknown.
    @Guarded var hostThread: Int32 = 0

    var clearChildTid: UInt64 = 0
    var robustList: UInt64 = 0
    var robustListSize: UInt64 = 0
    @Guarded var name: String

    init(manager: ProcessManager, process: Process, tid: Int32, name: String) {
        self.manager = manager
        self.process = process
        self.tid = tid
        self.name = name
    }

    /// What a new thread or process has of the thread that made it.
    func inherit(from maker: Task) {
        schedule = maker.schedule.inherited
        timerSlack = maker.timerSlack
        seccomp = maker.seccomp
        memoryPolicy = maker.memoryPolicy
    }
}

enum ParkState {
    case none
    /// The handler has enlisted but not yet returned `.park`.
    case preparing
    /// Handed to its wakers.
    case parked
}

/// A finished stay in the manager, before signals are looked at.
enum CallResult {
    case value(Int64)
    case interrupted(RestartClass)
    case context
}
