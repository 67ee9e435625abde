import CChorus
import Glibc

/// timer_create(2) and its kin.
enum PosixTimers {
    static let signal: Int32 = 0, none: Int32 = 1, threadId: Int32 = 4

    @Sendable static func create(_ call: Call) throws(Errno) -> Outcome {
        let clock = call.int(0)
        guard [CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI].contains(clock) else { throw .EINVAL }
        var timer = PosixTimer(clock: clock, notify: signal, signal: Signal.alrm, value: 0, target: 0)
        var valueIsId = true
        if call[1] != 0 {
            let event = try call.readStruct((UInt64, Int32, Int32, Int32).self, at: call[1])
            valueIsId = false
            timer.value = event.0
            timer.signal = event.1
            timer.notify = event.2
            timer.target = event.3
            guard timer.notify == signal || timer.notify == none || timer.notify == threadId else { throw .EINVAL }
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

    private static func left(_ call: Call, _ timer: PosixTimer) -> (Int64, Int64, Int64, Int64) {
        let now = call.manager.clock.monotonic()
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
        let old = try manager.tree.withLock { () throws(Errno) -> (Int64, Int64, Int64, Int64) in
            guard var timer = process.timers.posix[id] else { throw .EINVAL }
            let old = left(call, timer)
            if let node = timer.node { manager.timers.cancel(node) }
            timer.node = nil
            timer.period = period
            timer.overrun = 0
            if isArmed {
                if call.int(1) & TIMER_ABSTIME != 0 {
                    let now = manager.clock.read(timer.clock)
                    value = value > now ? value - now : 0
                }
                manager.armPosixLocked(process, id, &timer, manager.clock.monotonic() &+ value)
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
        try call.writeStruct(left(call, timer), at: call[1])
        return .zero
    }
    @Sendable static func overrun(_ call: Call) throws(Errno) -> Outcome {
        let timer = call.manager.tree.withLock { call.process.timers.posix[call.int(0)] }
        guard let timer else { throw .EINVAL }
        return .done(value: timer.overrun)
    }
    @Sendable static func delete(_ call: Call) throws(Errno) -> Outcome {
        let manager = call.manager
        let timer = manager.tree.withLock { call.process.timers.posix.removeValue(forKey: call.int(0)) }
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
            timer.overrun = 0
            if timer.period > 0 {
                let now = clock.monotonic()
                let missed = now > deadline ? (now - deadline) / timer.period : 0
                timer.overrun = Int32(clamping: missed)
                armPosixLocked(process, id, &timer, deadline &+ (missed + 1) &* timer.period)
            }
            process.timers.posix[id] = timer
            guard timer.notify != PosixTimers.none else { return }
            let info = SignalInfo(
                signal: timer.signal, code: SignalInfo.timer,
                detail: .timer(id: id, overrun: timer.overrun, value: timer.value))
            if timer.notify == PosixTimers.threadId {
                if let task = tasks[timer.target] { _ = postLocked(info, to: process, task: task) }
            } else {
                _ = postLocked(info, to: process)
            }
        }
    }
}
