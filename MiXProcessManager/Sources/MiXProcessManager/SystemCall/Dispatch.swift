import CChorus
import Synchronization

/// From a trap to its end.
extension ProcessManager {
    /// The trap handler's body.
    func trap(_ frame: UnsafeMutablePointer<KnTrapFrame>) -> Int32 {
        guard let task = taskTable.find(frame.pointee.threadCookie) else { return K_PARKED }
        task.inside.store(true, ordering: .sequentiallyConsistent)
        task.frame = frame.pointee
        let settled = settle(task, dispatch(task))
        switch settled {
        case .value(let value):
            frame.pointee.result = value
            return K_OK
        case .context: return K_CONTEXT
        case .parked, .gone: return K_PARKED
        }
    }

    /// Runs the handler of the task's system call until it completes or parks.
    func dispatch(_ task: Task) -> DispatchResult {
        if task.frame.flags & K_TF_COMPAT != 0 { return .finished(.value(Errno.ENOSYS.result)) }
        if case .none = task.seccomp {
        } else if !task.redispatched, let refused = restrict(task) {
            return refused
        }
        let number = task.frame.number
        guard let handler = systemCalls.handler(number) else {
            let answer = systemCalls.answer(number)
            if !answer.isMeant { logUnknown(task.process, number) }
            return .finished(.value(answer.errno.result))
        }
        let call = Call(manager: self, task: task, process: task.process, number: number)
        var rechecked = false
        while true {
            let outcome: Outcome
            do {
                outcome = try handler(call)
            } catch {
                outcome = .done(error.result)
            }
            switch outcome {
            case .done(let value):
                finishCall(task)
                return .finished(.value(value))
            case .context:
                finishCall(task)
                return .finished(.context)
            case .gone:
                task.endWait()
                return .gone
            case .park(let wait):
                if attentionEndsWait(task, wait) {
                    // Part of it may be done: the handler is asked once more, for how much.
                    if task.kept != nil, !task.interrupted {
                        task.interrupted = true
                        task.redispatched = true
                        continue
                    }
                    // Deadline and kept state stay: without a handler the call goes on as if nothing had been.
                    task.endWait()
                    return .finished(.interrupted(wait.restart))
                }
                var late = wait.queues.isEmpty && task.park.withLock { task.parkState == .none }
                if late { task.park.withLock { task.parkState = .preparing } }
                for queue in wait.queues where !task.isEnlisted(on: queue) {
                    task.enlist(on: queue)
                    late = true
                }
                // The condition may have come true before a queue knew of us: look once more.
                if late && !rechecked && !wait.queues.isEmpty {
                    rechecked = true
                } else {
                    if task.commitPark(wait) { return .parked }
                    task.endWait()
                    rechecked = false
                }
                task.redispatched = true
            }
        }
    }

    /// A pending signal, a stop or the end does not let a task wait on.
    func attentionEndsWait(_ task: Task, _ wait: Wait) -> Bool {
        wait.restart == .killable
            ? task.dying.load(ordering: .sequentiallyConsistent)
            : task.attention.load(ordering: .sequentiallyConsistent)
    }

    /// The call is over: nothing of it may be seen by the next one.
    func finishCall(_ task: Task) {
        task.endWait()
        if let kept = task.kept {
            task.kept = nil
            (kept as? any GivesUp)?.callEnded()
        }
        task.wokenBy = nil
        task.lockBlocker = 0
        task.deadline = nil
        task.redispatched = false
        task.timedOut = false
        task.interrupted = false
    }

    private func logUnknown(_ process: Process, _ number: UInt64) {
        let isNew = tree.withLock { process.unknownCalls.insert(number).inserted }
        if isNew { log(1, "process \(process.pid) (\(process.command)): unknown system call \(number)") }
    }
}

/// Kept state of a call that another server has to hear the end of. Called without locks.
protocol GivesUp: AnyObject {
    func callEnded()
    /// A signal ends the call: its value if it had been completed by then.
    func valueWhenInterrupted() -> Int64?
}

extension GivesUp {
    func valueWhenInterrupted() -> Int64? { nil }
}

enum DispatchResult {
    case finished(CallResult)
    case parked
    case gone
}

/// How control goes back to the guest.
enum Settled {
    case value(Int64)
    case context
    /// Waiting or stopped.
    case parked
    case gone
}
