import Glibc

/// Sleeps by CPU clocks. Nothing tells when CPU time has passed: one looks when it could have.
extension ProcessManager {
    static func isCpuClock(_ clock: Int32) -> Bool {
        clock < 0 || clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID
    }

    /// How long the clock runs at least until `left` nanoseconds of CPU time have passed in `process`.
    func earliest(_ left: UInt64, _ process: Process) -> UInt64 {
        let threads = UInt64(max(1, tree.withLock { process.tasks.count }))
        return min(max(left / threads, 2_000_000), 100_000_000)
    }
}
