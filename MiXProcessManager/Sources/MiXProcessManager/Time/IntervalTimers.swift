import CChorus

/// setitimer(2). ITIMER_REAL runs by the clock; ITIMER_VIRTUAL, ITIMER_PROF and RLIMIT_CPU by the CPU time of the process
/// (CpuTimers.swift).
extension ProcessManager {
    private static let signals: [Int32] = [Signal.alrm, Signal.vtalrm, Signal.prof]

    /// What the timer's deadline is counted in. Called without locks.
    func timerClock(_ process: Process, _ which: Int) -> UInt64 {
        which == IntervalTimer.real ? clock.monotonic() : cpuTime(process, which)
    }

    func interval(_ process: Process, _ which: Int) -> (period: UInt64, left: UInt64) {
        let now = timerClock(process, which)
        return tree.withLock { intervalLocked(process, which, now) }
    }
    private func intervalLocked(_ process: Process, _ which: Int, _ now: UInt64) -> (period: UInt64, left: UInt64) {
        guard let timer = process.timers.interval[which] else { return (0, 0) }
        return (timer.period, timer.deadline > now ? timer.deadline - now : 1000)
    }

    /// Returns what it was before. `value` 0 disarms.
    @discardableResult
    func setInterval(
        _ process: Process, _ which: Int, _ value: UInt64, _ period: UInt64
    ) -> (period: UInt64, left: UInt64) {
        let now = timerClock(process, which)
        return tree.withLock {
            let old = intervalLocked(process, which, now)
            if let timer = process.timers.interval[which] { timers.cancel(timer.node) }
            process.timers.interval[which] = nil
            if value > 0, !process.groupExiting {
                armLocked(process, which, deadline: now &+ value, period, now: now)
            }
            return old
        }
    }

    /// Under the tree lock.
    func armLocked(_ process: Process, _ which: Int, deadline: UInt64, _ period: UInt64, now: UInt64) {
        if which != IntervalTimer.real {
            armCpuLocked(process, which, deadline: deadline, period, used: now, delay: deadline &- now)
            return
        }
        let node = timers.arm(at: deadline) { [weak self, weak process] in
            guard let self, let process else { return }
            let now = clock.monotonic()
            withTree { intervalFiredLocked(process, which, deadline, now) }
        }
        process.timers.interval[which] = IntervalTimer(node: node, deadline: deadline, period: period)
    }

    /// Under the tree lock.
    func intervalFiredLocked(_ process: Process, _ which: Int, _ deadline: UInt64, _ now: UInt64) {
        guard let timer = process.timers.interval[which], timer.deadline == deadline else { return }
        process.timers.interval[which] = nil
        if which == IntervalTimer.limit {
            cpuLimitReachedLocked(process, used: now)
            return
        }
        _ = postLocked(.kernel(Self.signals[which]), to: process)
        guard timer.period > 0 else { return }
        // Missed periods are skipped: a slow program is not flooded.
        let missed = now > deadline ? (now - deadline) / timer.period : 0
        armLocked(process, which, deadline: deadline &+ (missed + 1) &* timer.period, timer.period, now: now)
    }

    func disarmTimers(_ process: Process, onlyPosix: Bool = false) {
        tree.withLock {
            for timer in process.timers.posix.values { if let node = timer.node { timers.cancel(node) } }
            process.timers.posix = [:]
            if onlyPosix { return }
            for which in process.timers.interval.indices {
                if let timer = process.timers.interval[which] { timers.cancel(timer.node) }
                process.timers.interval[which] = nil
            }
        }
    }
}
