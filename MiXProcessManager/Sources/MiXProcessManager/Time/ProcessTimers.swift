/// Interval timers of a process: setitimer(2), alarm(2), timer_create(2).
struct ProcessTimers {
    var interval: [IntervalTimer?] = [nil, nil, nil, nil]
    var posix: [Int32: PosixTimer] = [:]
    var nextPosix: Int32 = 0
}

/// An armed ITIMER_*, or the look-out for RLIMIT_CPU.
struct IntervalTimer {
    static let real = 0, virtual = 1, limit = 3
    /// Nanoseconds of CLOCK_MONOTONIC, or of the CPU time.
    var node: TimerNode
    var deadline: UInt64
    var period: UInt64
}

/// A timer of timer_create(2).
struct PosixTimer {
    var clock: Int32
    var notify: Int32
    var signal: Int32
    var value: UInt64
    var target: Int32
    var node: TimerNode?
    var deadline: UInt64 = 0
    var period: UInt64 = 0
    /// Of the last signal, and of the one before it.
    var overrun: Int32 = 0
    var delivered: Int32 = 0
    /// Whose CPU time the deadline is of; nil: CLOCK_MONOTONIC.
    var cpu: TimeCalls.CpuClock?
    static let shortestLook: UInt64 = 1_000_000
}
