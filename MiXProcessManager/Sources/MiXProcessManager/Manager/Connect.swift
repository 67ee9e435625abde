import ActorKit
import CChorus

extension ProcessManager {
    /// Opens the gate: threads, traps, exceptions, aborts and the port. Undoes what it did when something fails.
    func connect() -> Int32 {
        timers.afterBatch = { [unowned self] in drain() }
        return timers.start(nucleus)
    }
}
