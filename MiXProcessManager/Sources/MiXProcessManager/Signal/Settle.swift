import CChorus

extension ProcessManager {
    /// Decides how a task leaves the manager: looks at the end of its process, stops and signals.
    func settle(_ task: Task, _ dispatched: DispatchResult) -> Settled {
        switch dispatched {
        case .parked: return .parked
        case .gone: return .gone
        case .finished(let result):
            switch result {
            case .value(let value): return .value(value)
            case .interrupted: return .value(Errno.EINTR.result)
            case .context: return .context
            }
        }
    }
}
