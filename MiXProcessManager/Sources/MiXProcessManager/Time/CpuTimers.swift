import CChorus

/// Timers that run by the CPU time of a process. Nothing tells when that has passed, so a timer of the clock looks: as soon
/// as the time could have passed, and seldom while the process does not run.
extension ProcessManager {
    private static let shortest: UInt64 = 2_000_000, longest: UInt64 = 100_000_000

    /// Called without locks.
    func cpuTime(_ process: Process, _ which: Int) -> UInt64 {
        let used = measure(process)
        return which == IntervalTimer.virtual ? used.user : used.user &+ used.system
    }

    /// Under the tree lock. `used`: the CPU time now; `delay`: until the next look.
    func armCpuLocked(
        _ process: Process, _ which: Int, deadline: UInt64, _ period: UInt64, used: UInt64, delay: UInt64
    ) {
        // Several threads use up the time faster than the clock runs.
        let wait = max(delay / UInt64(max(1, process.tasks.count)), Self.shortest)
        let node = timers.arm(at: clock.monotonic() &+ wait) { [weak self, weak process] in
            if let self, let process { lookAtCpu(process, which, deadline, used, wait) }
        }
        process.timers.interval[which] = IntervalTimer(node: node, deadline: deadline, period: period)
    }

    private func lookAtCpu(_ process: Process, _ which: Int, _ deadline: UInt64, _ before: UInt64, _ waited: UInt64) {
        let used = cpuTime(process, which)
        withTree {
            guard let timer = process.timers.interval[which], timer.deadline == deadline, !process.groupExiting else {
                return
            }
            if used >= deadline {
                intervalFiredLocked(process, which, deadline, used)
                return
            }
            let isIdle = used &- before < waited / 4
            let delay = isIdle ? max(deadline - used, min(waited &* 2, Self.longest)) : deadline - used
            armCpuLocked(process, which, deadline: deadline, timer.period, used: used, delay: delay)
        }
    }

    // MARK: RLIMIT_CPU

    /// After a change of the limit, and for a child that inherits one. Called without locks.
    func watchCpuLimit(_ process: Process) {
        let used = process.limits[.cpu].soft == Limits.infinity ? 0 : cpuTime(process, IntervalTimer.limit)
        tree.withLock {
            if let timer = process.timers.interval[IntervalTimer.limit] { timers.cancel(timer.node) }
            process.timers.interval[IntervalTimer.limit] = nil
            armCpuLimitLocked(process, used: used)
        }
    }

    private func armCpuLimitLocked(_ process: Process, used: UInt64) {
        let seconds = min(process.limits[.cpu].soft, process.limits[.cpu].hard)
        guard seconds < 1 << 32, !process.groupExiting else { return }
        let deadline = max(seconds, 1) * TimeCalls.second  // 0 stands for 1 (setrlimit(2))
        let delay = deadline > used ? deadline - used : 0
        armCpuLocked(process, IntervalTimer.limit, deadline: deadline, 0, used: used, delay: delay)
    }

    /// SIGXCPU at the soft limit and each second behind it, SIGKILL at the hard one.
    func cpuLimitReachedLocked(_ process: Process, used: UInt64) {
        let seconds = used / TimeCalls.second
        if seconds >= max(process.limits[.cpu].hard, 1) {
            _ = postLocked(.kernel(Signal.kill), to: process)
            return
        }
        _ = postLocked(.kernel(Signal.xcpu), to: process)
        process.limits[.cpu].soft = seconds + 1
        armCpuLimitLocked(process, used: used)
    }
}
