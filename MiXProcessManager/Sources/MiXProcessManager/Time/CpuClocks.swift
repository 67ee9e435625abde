import Glibc

/// Timers and sleeps by CPU clocks: of a process, or of a thread, whose time is its process's here. As with ITIMER_PROF a
/// timer of the clock looks when the time could have passed.
extension ProcessManager {
    static func isCpuClock(_ clock: Int32) -> Bool {
        clock < 0 || clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID
    }

    /// How long the clock runs at least until `left` nanoseconds of CPU time have passed in `process`.
    func earliest(_ left: UInt64, _ process: Process) -> UInt64 {
        let threads = UInt64(max(1, tree.withLock { process.tasks.count }))
        return min(max(left / threads, 2_000_000), 100_000_000)
    }

    /// timer_settime on such a clock. `deadline`: CPU time. Called without locks.
    func armCpuTimer(_ process: Process, _ id: Int32, measured: Process, _ deadline: UInt64) {
        let usage = measure(measured)
        let used = usage.user &+ usage.system
        let wait = earliest(deadline > used ? deadline - used : 0, measured)
        tree.withLock {
            guard var timer = process.timers.posix[id] else { return }
            if let node = timer.node { timers.cancel(node) }
            timer.deadline = deadline
            timer.node = timers.arm(at: clock.monotonic() &+ wait) { [weak self, weak process, weak measured] in
                if let self, let process, let measured { lookAtCpuTimer(process, id, measured, deadline) }
            }
            process.timers.posix[id] = timer
        }
    }

    private func lookAtCpuTimer(_ process: Process, _ id: Int32, _ measured: Process, _ deadline: UInt64) {
        let usage = measure(measured)
        let used = usage.user &+ usage.system
        let timer = tree.withLock { process.timers.posix[id] }
        guard let timer, timer.deadline == deadline, timer.node != nil else { return }
        if used < deadline {
            armCpuTimer(process, id, measured: measured, deadline)
            return
        }
        let missed = timer.period > 0 ? (used - deadline) / timer.period : 0
        tree.withLock {
            process.timers.posix[id]?.node = nil
        }
        if timer.period > 0 {
            armCpuTimer(process, id, measured: measured, deadline &+ (missed + 1) &* timer.period)
        }
        withTree { notifyLocked(process, id, timer, missed: missed) }
    }
}
