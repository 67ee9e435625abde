import CChorus
import Glibc

/// timer_create(2) and its kin.
enum PosixTimers {
    static let signal: Int32 = 0, none: Int32 = 1, thread: Int32 = 2, threadId: Int32 = 4

    @Sendable static func create(_ call: Call) throws(Errno) -> Outcome {
        let clock = call.int(0)
        switch clock {
        case CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI: break
        case _ where ProcessManager.isCpuClock(clock):
            guard TimeCalls.measured(call, clock) != nil else { throw .EINVAL }
        // No clock of the machine wakes it, and the coarse ones drive no timers.
        case 4...9: throw .EOPNOTSUPP
        default: throw .EINVAL
        }
        var timer = PosixTimer(clock: clock, notify: signal, signal: Signal.alrm, value: 0, target: 0)
        var valueIsId = true
        if call[1] != 0 {
            let event = try call.readStruct((UInt64, Int32, Int32, Int32).self, at: call[1])
            valueIsId = false
            timer.value = event.0
            timer.signal = event.1
            timer.notify = event.2
            timer.target = event.3
            guard [signal, none, thread, threadId].contains(timer.notify) else { throw .EINVAL }
            guard timer.notify == none || Signal.isValid(timer.signal) else { throw .EINVAL }
        }
        let process = call.process
        let id = try call.manager.tree.withLock { () throws(Errno) -> Int32 in
            if timer.notify == threadId, call.manager.tasks[timer.target]?.process !== process { throw .EINVAL }
            guard process.timers.posix.count < 1024 else { throw .EAGAIN }
            let id = process.timers.nextPosix
            process.timers.nextPosix &+= 1
            if valueIsId { timer.value = UInt64(id) }
            process.timers.posix[id] = timer
            return id
        }
        try call.writeStruct(id, at: call[2])
        return .zero
    }

    /// `now`: of the clock that its deadline is counted in.
    private static func left(_ timer: PosixTimer, _ now: UInt64) -> (Int64, Int64, Int64, Int64) {
        let left = timer.node == nil ? 0 : timer.deadline > now ? timer.deadline - now : 1
        let second = Int64(TimeCalls.second)
        return (Int64(timer.period) / second, Int64(timer.period) % second, Int64(left) / second, Int64(left) % second)
    }

    @Sendable static func set(_ call: Call) throws(Errno) -> Outcome {
        guard call[2] != 0 else { throw .EINVAL }
        let raw = try call.readStruct((Int64, Int64, Int64, Int64).self, at: call[2])
        let period = try TimeCalls.nanoseconds(raw.0, raw.1, unitsPerSecond: TimeCalls.second)
        var value = try TimeCalls.nanoseconds(raw.2, raw.3, unitsPerSecond: TimeCalls.second)
        let id = call.int(0)
        let manager = call.manager
        let process = call.process
        let isArmed = value > 0
        let now = try time(call, id)
        var measured: Process?
        let old = try manager.tree.withLock { () throws(Errno) -> (Int64, Int64, Int64, Int64) in
            guard var timer = process.timers.posix[id] else { throw .EINVAL }
            let old = left(timer, now)
            if let node = timer.node { manager.timers.cancel(node) }
            timer.node = nil
            timer.period = period
            timer.overrun = 0
            process.discardTimerSignal(id)
            if isArmed {
                if call.int(1) & TIMER_ABSTIME != 0 {
                    let now = ProcessManager.isCpuClock(timer.clock) ? now : manager.clock.read(timer.clock)
                    value = value > now ? value - now : 0
                }
                if ProcessManager.isCpuClock(timer.clock) {
                    measured = TimeCalls.measuredLocked(call, timer.clock)
                } else {
                    manager.armPosixLocked(process, id, &timer, now &+ value)
                }
            }
            process.timers.posix[id] = timer
            return old
        }
        if let measured { manager.armCpuTimer(process, id, measured: measured, now &+ value) }
        if call[3] != 0 { try call.writeStruct(old, at: call[3]) }
        return .zero
    }

    @Sendable static func get(_ call: Call) throws(Errno) -> Outcome {
        let now = try time(call, call.int(0))
        let timer = call.manager.tree.withLock { call.process.timers.posix[call.int(0)] }
        guard let timer else { throw .EINVAL }
        try call.writeStruct(left(timer, now), at: call[1])
        return .zero
    }

    /// What a timer's deadline is compared with.
    private static func time(_ call: Call, _ id: Int32) throws(Errno) -> UInt64 {
        let timer = call.manager.tree.withLock { call.process.timers.posix[id] }
        guard let timer else { throw .EINVAL }
        return ProcessManager.isCpuClock(timer.clock)
            ? try TimeCalls.read(call, timer.clock) : call.manager.clock.monotonic()
    }

    @Sendable static func overrun(_ call: Call) throws(Errno) -> Outcome {
        let timer = call.manager.tree.withLock { call.process.timers.posix[call.int(0)] }
        guard let timer else { throw .EINVAL }
        return .done(value: timer.overrun)
    }
    @Sendable static func delete(_ call: Call) throws(Errno) -> Outcome {
        let manager = call.manager
        let timer = manager.tree.withLock { () -> PosixTimer? in
            call.process.discardTimerSignal(call.int(0))
            return call.process.timers.posix.removeValue(forKey: call.int(0))
        }
        guard let timer else { throw .EINVAL }
        if let node = timer.node { manager.timers.cancel(node) }
        return .zero
    }
}

extension ProcessManager {
    func armPosixLocked(_ process: Process, _ id: Int32, _ timer: inout PosixTimer, _ deadline: UInt64) {
        timer.deadline = deadline
        timer.node = timers.arm(at: deadline) { [weak self, weak process] in
            if let self, let process { posixFired(process, id, deadline) }
        }
    }

    private func posixFired(_ process: Process, _ id: Int32, _ deadline: UInt64) {
        withTree {
            guard var timer = process.timers.posix[id], timer.node != nil, timer.deadline == deadline else { return }
            timer.node = nil
            var missed: UInt64 = 0
            if timer.period > 0 {
                let now = clock.monotonic()
                missed = now > deadline ? (now - deadline) / timer.period : 0
                armPosixLocked(process, id, &timer, deadline &+ (missed + 1) &* timer.period)
            }
            process.timers.posix[id] = timer
            notifyLocked(process, id, timer, missed: missed)
        }
    }

    /// Under the tree lock. `missed`: how many more times it would have expired by now. One signal at a time: while it is
    /// pending, what comes is counted in it (timer_getoverrun(2)).
    func notifyLocked(_ process: Process, _ id: Int32, _ timer: PosixTimer, missed: UInt64) {
        guard timer.notify != PosixTimers.none else { return }
        if let overrun = process.countOverrun(id, missed + 1) {
            process.timers.posix[id]?.overrun = overrun
            return
        }
        let overrun = Int32(clamping: missed)
        process.timers.posix[id]?.overrun = overrun
        let info = SignalInfo(
            signal: timer.signal, code: SignalInfo.timer,
            detail: .timer(id: id, overrun: overrun, value: timer.value))
        if timer.notify == PosixTimers.threadId {
            if let task = tasks[timer.target] { _ = postLocked(info, to: process, task: task) }
        } else {
            _ = postLocked(info, to: process)
        }
    }
}

extension Process {
    /// Adds to the overrun of a timer's pending signal; nil where there is none.
    fileprivate func countOverrun(_ id: Int32, _ more: UInt64) -> Int32? {
        if let overrun = pending.countOverrun(id, more) { return overrun }
        for task in tasks { if let overrun = task.pending.countOverrun(id, more) { return overrun } }
        return nil
    }
    /// A timer that is set anew or deleted has no signal pending.
    fileprivate func discardTimerSignal(_ id: Int32) {
        pending.discardTimer(id)
        for task in tasks { task.pending.discardTimer(id) }
    }
}
