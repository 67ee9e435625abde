/// What a system-call handler ends with.
enum Outcome {
    /// The value, or -errno, for rax.
    case done(Int64)
    /// Not yet: run the handler again when one of the queues is woken, or at the deadline, or on a signal.
    case park(Wait)
    /// The registers are already what the thread resumes with (execve, rt_sigreturn).
    case context
    /// The thread is no more.
    case gone

    static let zero = Outcome.done(0)
    static func done<T: BinaryInteger>(value: T) -> Outcome { .done(Int64(truncatingIfNeeded: value)) }
}

/// What a signal does to a call that waits (kernel: ERESTARTSYS, ERESTARTNOHAND, ERESTART_RESTARTBLOCK).
enum RestartClass {
    /// Restarted under SA_RESTART, else EINTR.
    case restart
    /// Restarted after every handler.
    case always
    /// EINTR whenever a handler runs; goes on waiting where none does. With a time limit kept as the absolute deadline
    /// of the first entry, so the remaining time is right without a restart block.
    case interrupt
    /// Signals do not end it (vfork's parent): only death does.
    case killable
}

/// Why and how a task waits.
struct Wait {
    /// Queues to be on. Best enlisted already (`Call.enlist`) under the lock of the condition; those that are not are
    /// enlisted by the dispatcher, which then runs the handler once more so that no wake-up is lost.
    var queues: [WaitQueue]
    /// CLOCK_MONOTONIC nanoseconds at which the handler runs again with `Call.timedOut`; nil: never. Kept for the
    /// whole system call: the first one counts (see `Call.deadline(after:)`).
    var deadline: UInt64?
    var restart: RestartClass
    /// For /proc/PID/wchan and `chorus ps`.
    var reason: StaticString

    init(
        on queues: [WaitQueue] = [], until deadline: UInt64? = nil, restart: RestartClass = .restart,
        for reason: StaticString
    ) {
        self.queues = queues
        self.deadline = deadline
        self.restart = restart
        self.reason = reason
    }
}
