import CChorus
import Synchronization

/// Running parked calls again, and handing their results to the nucleus.
extension ProcessManager {
    /// Every entry from the nucleus (message, event, timer, exception, abort) goes through here, so that what it woke
    /// runs after it has released its locks.
    @discardableResult
    func enter<R>(_ body: () -> R) -> R {
        let result = body()
        drain()
        return result
    }

    /// Runs the handlers of all woken tasks. Called without locks.
    func drain() {
        while true {
            let tasks = ready.takeAll()
            if tasks.isEmpty { return }
            for task in tasks { rerun(task) }
        }
    }

    private func rerun(_ task: Task) {
        let held = tree.withLock {
            task.isResuming = false
            return take(&task.held)
        }
        if task.dying.load(ordering: .sequentiallyConsistent) {
            finishCall(task)
            return
        }
        if let held {
            // After a job-control stop: its result still has to be delivered.
            complete(task, settle(task, .finished(held)))
            return
        }
        task.endWait()
        task.redispatched = true
        complete(task, settle(task, dispatch(task)))
    }

    /// Ends a parked trap (or a held exception or abort).
    func complete(_ task: Task, _ settled: Settled) {
        let code: Int32
        switch settled {
        case .value(let value): code = nucleus.trapComplete(task.thread, value, 0)
        case .context: code = nucleus.trapComplete(task.thread, 0, 1)
        case .parked, .gone: return
        }
        if code < 0 && !task.dying.load(ordering: .relaxed) {
            log(3, "trapComplete of thread \(task.thread) of process \(task.process.pid): \(code)")
        }
        // A signal that came while the nucleus still took the thread for parked had no effect there.
        if task.attention.load(ordering: .sequentiallyConsistent) { kick(task) }
    }

    /// Gets the attention of a task: out of its wait, or out of the guest's code.
    func kick(_ task: Task) {
        if task.interruptPark() { return }
        if !task.inside.load(ordering: .sequentiallyConsistent) { nucleus.threadAbort(task.thread) }
    }
}
