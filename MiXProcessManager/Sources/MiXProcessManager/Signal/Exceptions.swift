import CChorus
import Synchronization

/// Faults of guests, the death of their host processes, and threads taken out of their own code.
extension ProcessManager {
    /// The exception handler's body.
    func exception(_ frame: KnExcFrame) -> Int32 {
        let task = taskTable.find(frame.threadCookie)
        if frame.kind == K_EXC_DEATH {
            let process = task?.process ?? tree.withLock { processes.values.first { $0.actor.ui == frame.actor } }
            if let process {
                log(2, "process \(process.pid) (\(process.command)): host process gone, status \(frame.number)")
                endProcess(process, status: WaitStatus.killed(Signal.kill))
            }
            return K_PARKED
        }
        guard let task else { return K_PARKED }
        task.inside.store(true, ordering: .sequentiallyConsistent)
        if frame.number == Signal.segv, frame.code == 1, growDown(task.process, frame.address) {
            return leaveWhole(task)
        }
        let signal = Signal.isValid(frame.number) ? frame.number : Signal.segv
        let info = SignalInfo(signal: signal, code: frame.code, detail: .fault(address: frame.address))
        tree.withLock { forceLocked(info, on: task) }
        return leaveWhole(task)
    }

    /// The abort handler's body: the thread is held in the middle of its own code.
    func aborted(_ cookie: UInt64) -> Int32 {
        guard let task = taskTable.find(cookie) else { return K_PARKED }
        task.inside.store(true, ordering: .sequentiallyConsistent)
        return leaveWhole(task)
    }

    private func leaveWhole(_ task: Task) -> Int32 {
        switch settle(task, .finished(.context)) {
        case .value, .context: K_CONTEXT
        case .parked, .gone: K_PARKED
        }
    }
}
