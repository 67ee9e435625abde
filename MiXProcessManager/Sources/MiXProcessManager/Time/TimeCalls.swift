import CChorus
import Glibc

/// Clocks, sleeping and interval timers.
enum TimeCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (35, "nanosleep", nanosleep), (36, "getitimer", getInterval), (37, "alarm", alarm),
        (38, "setitimer", setInterval), (96, "gettimeofday", timeOfDay), (100, "times", times), (201, "time", time),
        (222, "timer_create", PosixTimers.create), (223, "timer_settime", PosixTimers.set),
        (224, "timer_gettime", PosixTimers.get), (225, "timer_getoverrun", PosixTimers.overrun),
        (226, "timer_delete", PosixTimers.delete), (228, "clock_gettime", clockGet),
        (229, "clock_getres", clockResolution), (230, "clock_nanosleep", clockSleep),
    ]
    static let second: UInt64 = 1_000_000_000

    /// A timespec of the guest as nanoseconds.
    static func duration(_ call: Call, _ address: UInt64) throws(Errno) -> UInt64 {
        let raw = try call.readStruct((Int64, Int64).self, at: address)
        return try nanoseconds(raw.0, raw.1, unitsPerSecond: second)
    }
    static func nanoseconds(_ seconds: Int64, _ fraction: Int64, unitsPerSecond: UInt64) throws(Errno) -> UInt64 {
        guard seconds >= 0, fraction >= 0, UInt64(fraction) < unitsPerSecond else { throw .EINVAL }
        let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: second)
        if overflow || product > UInt64.max / 2 { return UInt64.max / 2 }
        return product + UInt64(fraction) * (second / unitsPerSecond)
    }

    @Sendable static func nanosleep(_ call: Call) throws(Errno) -> Outcome {
        try sleep(call, deadline: call.deadline(after: try duration(call, call[0])), remainder: call[1])
    }

    @Sendable static func clockSleep(_ call: Call) throws(Errno) -> Outcome {
        let clock = call.int(0)
        switch clock {
        case CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI, CLOCK_PROCESS_CPUTIME_ID: break
        case 10, 12...: throw .EINVAL
        case 0...: throw .EOPNOTSUPP
        default: guard measured(call, clock) != nil else { throw .EINVAL }
        }
        let value = try duration(call, call[2])
        if ProcessManager.isCpuClock(clock) { return try sleepByCpu(call, clock, value) }
        guard call.int(1) & TIMER_ABSTIME != 0 else {
            return try sleep(call, deadline: call.deadline(after: value), remainder: call[3])
        }
        let now = call.manager.clock.read(clock)
        return try sleep(call, deadline: call.deadline(after: value > now ? value - now : 0), remainder: 0)
    }

    private final class CpuSleep {
        let until: UInt64
        init(_ until: UInt64) { self.until = until }
    }

    /// Looks when the time could have passed (CpuClocks.swift).
    private static func sleepByCpu(_ call: Call, _ clock: Int32, _ value: UInt64) throws(Errno) -> Outcome {
        let now = try read(call, clock)
        let isAbsolute = call.int(1) & TIMER_ABSTIME != 0
        let sleep = call.kept as? CpuSleep ?? CpuSleep(isAbsolute ? value : now &+ value)
        call.kept = sleep
        guard now < sleep.until, let process = measured(call, clock) else { return .zero }
        let left = sleep.until - now
        if call[3] != 0, !isAbsolute {
            try call.writeStruct((Int64(left / second), Int64(left % second)), at: call[3])
        }
        let deadline = call.manager.clock.monotonic() &+ call.manager.earliest(left, process)
        return .park(Wait(until: deadline, restart: .interrupt, for: "hrtimer_nanosleep"))
    }

    private static func sleep(_ call: Call, deadline: UInt64, remainder: UInt64) throws(Errno) -> Outcome {
        let now = call.manager.clock.monotonic()
        if call.timedOut || now >= deadline { return .zero }
        if remainder != 0 {
            // Written before each sleep: whether a handler will end it is not known here, and only then it is looked at.
            let left = deadline - now
            try call.writeStruct((Int64(left / second), Int64(left % second)), at: remainder)
        }
        return .park(Wait(until: deadline, restart: .interrupt, for: "hrtimer_nanosleep"))
    }

    // MARK: clocks

    static func read(_ call: Call, _ clock: Int32) throws(Errno) -> UInt64 {
        switch clock {
        case CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE,
            CLOCK_BOOTTIME, CLOCK_TAI, 8, 9:
            return call.manager.clock.read(clock)
        case CLOCK_THREAD_CPUTIME_ID: return call.manager.cpuTime(call.task)
        case CLOCK_PROCESS_CPUTIME_ID:
            let usage = call.manager.measure(call.process)
            return usage.user + usage.system
        default:
            guard clock < 0, let owner = cpuClock(call, clock) else { throw .EINVAL }
            switch owner {
            case .thread(let task): return call.manager.cpuTime(task)
            case .process(let process):
                let usage = call.manager.measure(process)
                return usage.user + usage.system
            }
        }
    }

    /// Whose process's time a CPU clock tells.
    static func measured(_ call: Call, _ clock: Int32) -> Process? {
        guard clock < 0 else { return call.process }
        switch cpuClock(call, clock) {
        case .process(let process): return process
        case .thread(let task): return task.process
        case nil: return nil
        }
    }

    enum CpuClock {
        case process(Process)
        case thread(Task)
    }

    /// CPU clocks of others: `~pid << 3 | 2` (clock_getcpuclockid(3)), `~tid << 3 | 6` of a thread of the process
    /// (pthread_getcpuclockid(3)); 0 is the caller.
    static func cpuClock(_ call: Call, _ clock: Int32) -> CpuClock? {
        guard clock & 3 != 3 else { return nil }
        let id = ~(clock >> 3)
        let isThread = clock & 4 != 0
        if id == 0 { return isThread ? .thread(call.task) : .process(call.process) }
        return call.manager.tree.withLock {
            if isThread {
                return call.manager.tasks[id].flatMap { $0.process === call.process ? .thread($0) : nil }
            }
            return call.manager.processes[id].map { .process($0) }
        }
    }

    @Sendable static func clockGet(_ call: Call) throws(Errno) -> Outcome {
        let now = try read(call, call.int(0))
        try call.writeStruct((now / second, now % second), at: call[1])
        return .zero
    }
    @Sendable static func clockResolution(_ call: Call) throws(Errno) -> Outcome {
        let clock = call.int(0)
        guard clock < 12, clock >= 0 || cpuClock(call, clock) != nil else { throw .EINVAL }
        let isCoarse = clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE
        if call[1] != 0 { try call.writeStruct((UInt64(0), UInt64(isCoarse ? 4_000_000 : 1)), at: call[1]) }
        return .zero
    }
    @Sendable static func timeOfDay(_ call: Call) throws(Errno) -> Outcome {
        let now = call.manager.clock.realTime()
        if call[0] != 0 { try call.writeStruct((now / second, now % second / 1000), at: call[0]) }
        if call[1] != 0 { try call.writeStruct(UInt64(0), at: call[1]) }
        return .zero
    }
    @Sendable static func time(_ call: Call) throws(Errno) -> Outcome {
        let now = call.manager.clock.realTime() / second
        if call[0] != 0 { try call.writeStruct(now, at: call[0]) }
        return .done(value: now)
    }
    @Sendable static func times(_ call: Call) throws(Errno) -> Outcome {
        let usage = call.manager.measure(call.process)
        let tick: UInt64 = 10_000_000
        if call[0] != 0 {
            try call.writeStruct(
                (usage.user / tick, usage.system / tick, usage.childUser / tick, usage.childSystem / tick),
                at: call[0])
        }
        return .done(value: call.manager.clock.monotonic() / tick)
    }

    // MARK: interval timers

    private static func timerValues(_ call: Call, _ address: UInt64) throws(Errno) -> (period: UInt64, value: UInt64) {
        let raw = try call.readStruct((Int64, Int64, Int64, Int64).self, at: address)
        return (
            try nanoseconds(raw.0, raw.1, unitsPerSecond: 1_000_000),
            try nanoseconds(raw.2, raw.3, unitsPerSecond: 1_000_000)
        )
    }
    private static func writeTimer(
        _ call: Call, _ address: UInt64, _ value: (period: UInt64, left: UInt64)
    ) throws(Errno) {
        try call.writeStruct(
            (
                value.period / second, value.period % second / 1000, value.left / second,
                (value.left % second + 999) / 1000
            ), at: address)
    }

    @Sendable static func setInterval(_ call: Call) throws(Errno) -> Outcome {
        let which = call.int(0)
        guard which >= 0, which <= 2 else { throw .EINVAL }
        let new: (period: UInt64, value: UInt64) = call[1] == 0 ? (0, 0) : try timerValues(call, call[1])
        let old = call.manager.setInterval(call.process, Int(which), new.value, new.period)
        if call[2] != 0 { try writeTimer(call, call[2], old) }
        return .zero
    }
    @Sendable static func getInterval(_ call: Call) throws(Errno) -> Outcome {
        let which = call.int(0)
        guard which >= 0, which <= 2 else { throw .EINVAL }
        try writeTimer(call, call[1], call.manager.interval(call.process, Int(which)))
        return .zero
    }
    @Sendable static func alarm(_ call: Call) throws(Errno) -> Outcome {
        let old = call.manager.setInterval(call.process, 0, UInt64(call.uint(0)) * second, 0)
        // A running alarm never reports 0.
        return .done(value: old.left == 0 ? 0 : max(1, (old.left + second / 2) / second))
    }
}
