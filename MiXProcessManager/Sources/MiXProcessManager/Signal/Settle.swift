import CChorus
import Synchronization

/// How a task leaves the manager: the end of its process, stops, signals, or the plain result.
extension ProcessManager {
    private enum Step {
        case leave
        case again
        case hold
        case end
        case terminate(Int32)
        case handler(SignalInfo, SignalAction, SignalSet)
    }

    func settle(_ task: Task, _ dispatched: DispatchResult) -> Settled {
        var current = dispatched
        while true {
            var result: CallResult
            switch current {
            case .parked: return .parked
            case .gone: return .gone
            case .finished(let finished): result = finished
            }
            if task.savedMask == nil, let settled = leave(task, result) { return settled }
            steps: while true {
                switch withTree({ nextStepLocked(task, result) }) {
                case .leave:
                    if let settled = leave(task, result) { return settled }
                    if case .interrupted = result { break steps }
                case .again: break
                case .hold: return .parked
                case .end:
                    finishCall(task)
                    return .gone
                case .terminate(let signal):
                    finishCall(task)
                    endProcess(task.process, status: deathStatus(task.process, signal))
                    return .gone
                case .handler(let info, let action, let mask):
                    finishCallRegisters(task, result, restarts: action.has(SignalAction.restart))
                    result = .context
                    if !enterHandler(task, info, action, mask: mask) {
                        // The frame could not be written (signal(7): SIGSEGV, fatal where that is the failing one).
                        withTree {
                            if info.signal == Signal.segv { task.process.actions[Int(Signal.segv)] = SignalAction() }
                            forceLocked(.kernel(Signal.segv), on: task)
                        }
                    }
                }
            }
            // Interrupted, but no handler ran: the call goes on with its first deadline and its kept state.
            task.interrupted = false
            task.redispatched = true
            current = dispatch(task)
        }
    }

    /// The plain way out; nil when something came up at the last moment or the call must go on.
    private func leave(_ task: Task, _ result: CallResult) -> Settled? {
        if task.attention.load(ordering: .sequentiallyConsistent) { return nil }
        if case .interrupted = result { return nil }
        // Order matters: whoever posts sets `attention` first and looks at `inside` then.
        task.inside.store(false, ordering: .sequentiallyConsistent)
        if task.attention.load(ordering: .sequentiallyConsistent) {
            task.inside.store(true, ordering: .sequentiallyConsistent)
            return nil
        }
        if case .value(let value) = result { return .value(value) }
        return .context
    }

    private func nextStepLocked(_ task: Task, _ result: CallResult) -> Step {
        let process = task.process
        if process.groupExiting || task.dying.load(ordering: .relaxed) { return .end }
        if process.state == .stopped {
            task.held = result
            return .hold
        }
        // A call that is over without a handler gets its mask back first: more may become deliverable by that.
        if let saved = task.savedMask {
            if case .interrupted = result {
            } else {
                task.savedMask = nil
                setMaskLocked(task, saved)
            }
        }
        let wanted = SignalSet(bits: ~task.mask.bits)
        guard let info = task.pending.take(wanted) ?? process.pending.take(wanted) else {
            recalculateLocked(task)
            return .leave
        }
        recalculateLocked(task)
        let signal = info.signal
        let action = process.actions[Int(signal)]
        if signal != Signal.kill && signal != Signal.stop {
            if action.isHandler {
                if action.has(SignalAction.resetHandler) {
                    process.actions[Int(signal)].handler = SignalAction.byDefault
                }
                let before = task.savedMask ?? task.mask
                task.savedMask = nil
                var mask = task.mask.union(action.mask)
                if !action.has(SignalAction.noDefer) { mask.insert(signal) }
                setMaskLocked(task, mask)
                return .handler(info, action, before)
            }
            if action.ignores(signal) { return .again }
        }
        if SignalSet.stops.contains(signal) {
            if signal != Signal.stop && isOrphanedLocked(process.pgrp) { return .again }
            stopLocked(process, by: signal)
            return .again
        }
        return .terminate(signal)
    }

    /// Puts the result of the call that a handler interrupts into the registers the frame will save.
    private func finishCallRegisters(_ task: Task, _ result: CallResult, restarts: Bool) {
        var result = result
        if case .interrupted = result, let value = (task.kept as? any GivesUp)?.valueWhenInterrupted() {
            result = .value(value)
        }
        finishCall(task)
        if case .context = result { return }
        var context = KnThreadCtx()
        guard nucleus.threadContext(task.thread, &context, nil) >= 0 else { return }
        switch result {
        case .value(let value): context.rax = UInt64(bitPattern: value)
        case .interrupted(let kind) where kind == .always || kind == .restart && restarts:
            context.rax = task.frame.number
            context.rip = task.frame.rip &- 2
        case .interrupted: context.rax = UInt64(bitPattern: Errno.EINTR.result)
        case .context: break
        }
        nucleus.threadContext(task.thread, nil, &context)
    }

    private func deathStatus(_ process: Process, _ signal: Int32) -> Int32 {
        // No core file is written, so the core bit (0x80) would be a lie.
        signal
    }
}
