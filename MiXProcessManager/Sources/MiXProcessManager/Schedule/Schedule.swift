import CChorus

/// How a thread wants to be scheduled (sched(7)); guarded by `manager.tree`, inherited by the threads it makes.
struct Schedule: Equatable {
    /// SCHED_OTHER, SCHED_BATCH or SCHED_IDLE.
    var policy: Int32 = 0
    var nice: Int32 = 0
    var resetOnFork = false
    /// Processors it may run on; nil: all.
    var affinity: [UInt8]?
    /// ioprio_set(2): class and level; 0 until set.
    var ioPriority: UInt16 = 0

    static let other: Int32 = 0, fifo: Int32 = 1, roundRobin: Int32 = 2, batch: Int32 = 3, idle: Int32 = 5
    static let deadline: Int32 = 6

    /// What a new thread or process begins with (SCHED_RESET_ON_FORK).
    var inherited: Schedule {
        var schedule = self
        if resetOnFork {
            schedule.resetOnFork = false
            schedule.nice = max(nice, 0)
        }
        return schedule
    }

    /// In the nucleus' terms: 255 is nice 19, 128 nice 0.
    var priority: Int32 {
        let effective = policy == Schedule.idle ? 19 : nice
        let (steps, sign): (Int32, Int32) = effective < 0 ? (-effective, -1) : (effective, 1)
        return min(128 + sign * ((steps * 128 + 19) / 20), 255)
    }
}

extension ProcessManager {
    /// The host is told of a thread's nice value, and of SCHED_IDLE. False where it does not allow it.
    @discardableResult
    func apply(_ schedule: Schedule, to task: Task) -> Bool {
        var now = KnThreadSched()
        now.policy = K_SCHED_OTHER
        now.priority = schedule.priority
        return nucleus.threadScheduler(task.thread, nil, &now) >= 0
    }
}

extension Process {
    /// The nice value `ps` shows.
    var nice: Int32 { leader?.schedule.nice ?? 0 }
}
