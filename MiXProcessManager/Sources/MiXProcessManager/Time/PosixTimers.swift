import CChorus
import Glibc

/// timer_create(2) and its kin.
enum PosixTimers {
    static let signal: Int32 = 0, none: Int32 = 1, thread: Int32 = 2, threadId: Int32 = 4

    @Sendable static func create(_ call: Call) throws(Errno) -> Outcome {
        let clock = call.int(0)
        let cpu: TimeCalls.CpuClock? =
            switch clock {
            case CLOCK_PROCESS_CPUTIME_ID: .process(call.process)
            case CLOCK_THREAD_CPUTIME_ID: .thread(call.task)
            default: clock < 0 ? TimeCalls.cpuClock(call, clock) : nil
            }
        guard cpu != nil || [CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI].contains(clock) else {
            // No clock of the machine wakes it, and the coarse ones drive no timers.
            throw 4...9 ~= clock ? .EOPNOTSUPP : .EINVAL
        }
        var timer = PosixTimer(clock: clock, notify: signal, signal: Signal.alrm, value: 0, target: 0)
        timer.cpu = cpu
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
        guard let known = manager.tree.withLock({ process.timers.posix[id] }) else { throw .EINVAL }
        let now = manager.time(of: known)
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
                    let now = timer.cpu != nil ? now : manager.clock.read(timer.clock)
                    value = value > now ? value - now : 0
                }
                manager.armPosixLocked(process, id, &timer, now &+ value, now: now)
            }
            process.timers.posix[id] = timer
            return old
        }
        if call[3] != 0 { try call.writeStruct(old, at: call[3]) }
        return .zero
    }

    @Sendable static func get(_ call: Call) throws(Errno) -> Outcome {
        let timer = call.manager.tree.withLock { call.process.timers.posix[call.int(0)] }
        guard let timer else { throw .EINVAL }
        try call.writeStruct(left(timer, call.manager.time(of: timer)), at: call[1])
        return .zero
    }
    @Sendable static func overrun(_ call: Call) throws(Errno) -> Outcome {
        let id = call.int(0)
        return try call.manager.tree.withLock { () throws(Errno) -> Outcome in
            guard let timer = call.process.timers.posix[id] else { throw .EINVAL }
            let target = call.manager.tasks[timer.target]
            let isPending = call.process.pending.hasTimer(id) || target?.pending.hasTimer(id) == true
            return .done(value: isPending ? timer.delivered : timer.overrun)
        }
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
    /// By the timer's clock; real-time ones are kept as CLOCK_MONOTONIC. Called without locks.
    func time(of timer: PosixTimer) -> UInt64 {
        switch timer.cpu {
        case .thread(let task): return cpuTime(task)
        case .process(let process):
            let used = measure(process)
            return used.user &+ used.system
        case nil: return clock.monotonic()
        }
    }

    /// Nothing tells when CPU time has passed: a timer of the clock looks when it could have.
    func armPosixLocked(_ process: Process, _ id: Int32, _ timer: inout PosixTimer, _ deadline: UInt64, now: UInt64) {
        timer.deadline = deadline
        var wake = deadline
        if timer.cpu != nil {
            let left = deadline > now ? deadline - now : 0
            wake = clock.monotonic() &+ max(left / UInt64(max(1, process.tasks.count)), PosixTimer.shortestLook)
        }
        timer.node = timers.arm(at: wake) { [weak self, weak process] in
            if let self, let process { posixFired(process, id, deadline) }
        }
    }

    private func posixFired(_ process: Process, _ id: Int32, _ deadline: UInt64) {
        guard let known = tree.withLock({ process.timers.posix[id] }) else { return }
        let now = time(of: known)
        withTree {
            guard var timer = process.timers.posix[id], timer.node != nil, timer.deadline == deadline,
                !process.groupExiting
            else { return }
            if now < deadline {
                armPosixLocked(process, id, &timer, deadline, now: now)
                process.timers.posix[id] = timer
                return
            }
            timer.node = nil
            var missed: UInt64 = 0
            if timer.period > 0 {
                missed = (now - deadline) / timer.period
                armPosixLocked(process, id, &timer, deadline &+ (missed + 1) &* timer.period, now: now)
            }
            if timer.notify != PosixTimers.none { notifyLocked(process, id, &timer, Int32(clamping: missed)) }
            process.timers.posix[id] = timer
        }
    }

    /// A timer has one signal pending at most (timer_getoverrun(2)).
    private func notifyLocked(_ process: Process, _ id: Int32, _ timer: inout PosixTimer, _ missed: Int32) {
        let task = timer.notify == PosixTimers.threadId ? tasks[timer.target] : nil
        if timer.notify == PosixTimers.threadId, task == nil { return }
        let more = missed == .max ? missed : missed + 1
        let total = task?.pending.addOverrun(ofTimer: id, more) ?? process.pending.addOverrun(ofTimer: id, more)
        if let total {
            timer.overrun = total
            return
        }
        timer.delivered = timer.overrun
        timer.overrun = missed
        let info = SignalInfo(
            signal: timer.signal, code: SignalInfo.timer,
            detail: .timer(id: id, overrun: timer.overrun, value: timer.value))
        _ = postLocked(info, to: process, task: task)
    }
}

extension Process {
    /// A timer that is set anew or deleted has no signal pending.
    fileprivate func discardTimerSignal(_ id: Int32) {
        pending.discardTimer(id)
        for task in tasks { task.pending.discardTimer(id) }
    }
}
