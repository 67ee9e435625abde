import CChorus

/// setitimer(2). ITIMER_VIRTUAL and ITIMER_PROF run in real time: the guest's CPU time is not watched.
extension ProcessManager {
    private static let signals: [Int32] = [Signal.alrm, Signal.vtalrm, Signal.prof]

    func interval(_ process: Process, _ which: Int) -> (period: UInt64, left: UInt64) {
        tree.withLock { intervalLocked(process, which) }
    }
    private func intervalLocked(_ process: Process, _ which: Int) -> (period: UInt64, left: UInt64) {
        guard let timer = process.timers.interval[which] else { return (0, 0) }
        let now = clock.monotonic()
        return (timer.period, timer.deadline > now ? timer.deadline - now : 1000)
    }

    /// Returns what it was before. `value` 0 disarms.
    @discardableResult
    func setInterval(
        _ process: Process, _ which: Int, _ value: UInt64, _ period: UInt64
    ) -> (period: UInt64, left: UInt64) {
        tree.withLock {
            let old = intervalLocked(process, which)
            if let timer = process.timers.interval[which] { timers.cancel(timer.node) }
            process.timers.interval[which] = nil
            if value > 0, !process.groupExiting {
                armIntervalLocked(process, which, clock.monotonic() &+ value, period)
            }
            return old
        }
    }

    private func armIntervalLocked(_ process: Process, _ which: Int, _ deadline: UInt64, _ period: UInt64) {
        let node = timers.arm(at: deadline) { [weak self, weak process] in
            if let self, let process { intervalFired(process, which, deadline) }
        }
        process.timers.interval[which] = IntervalTimer(node: node, deadline: deadline, period: period)
    }

    private func intervalFired(_ process: Process, _ which: Int, _ deadline: UInt64) {
        withTree {
            guard let timer = process.timers.interval[which], timer.deadline == deadline else { return }
            process.timers.interval[which] = nil
            _ = postLocked(.kernel(Self.signals[which]), to: process)
            guard timer.period > 0 else { return }
            // Missed periods are skipped: a slow program is not flooded.
            let now = clock.monotonic()
            let missed = now > deadline ? (now - deadline) / timer.period : 0
            armIntervalLocked(process, which, deadline &+ (missed + 1) &* timer.period, timer.period)
        }
    }

    func disarmTimers(_ process: Process, onlyPosix: Bool = false) {
        tree.withLock {
            for timer in process.timers.posix.values { if let node = timer.node { timers.cancel(node) } }
            process.timers.posix = [:]
            if onlyPosix { return }
            for which in 0...2 {
                if let timer = process.timers.interval[which] { timers.cancel(timer.node) }
                process.timers.interval[which] = nil
            }
        }
    }
}
