import ActorKit
import CChorus
import Glibc
import Synchronization

/// Wakes terminals for VTIME. Its thread exists from the first timed read on and sleeps without a timeout while no
/// read is timed.
final class ReadTimer: Sendable {
    private struct State {
        var due: [(deadline: UInt64, terminal: Terminal)] = []
        var running = false
        var stopping = false
    }

    private let nucleus: Nucleus
    private let threads: ServerThreads
    private let state = Mutex(State())
    private let wake: SemaphoreHandle
    private let ended: SemaphoreHandle

    init(nucleus: Nucleus, threads: ServerThreads) {
        self.nucleus = nucleus
        self.threads = threads
        wake = SemaphoreHandle(nucleus)
        ended = SemaphoreHandle(nucleus)
    }

    func schedule(_ terminal: Terminal, at deadline: UInt64) {
        let start = state.withLock { state in
            if !state.due.contains(where: { $0.deadline == deadline && $0.terminal === terminal }) {
                state.due.append((deadline, terminal))
            }
            let start = !state.running && !state.stopping
            state.running = true
            return start
        }
        if start {
            if !threads.start("tty-timer", { [self] in run() }) { state.withLock { $0.running = false } }
        } else {
            wake.signal()
        }
    }

    private func run() {
        while true {
            let now = monotonicNow()
            let (over, next, stop) = state.withLock { state in
                let over = state.due.filter { $0.deadline <= now }.map(\.terminal)
                state.due.removeAll { $0.deadline <= now }
                return (over, state.due.map(\.deadline).min(), state.stopping)
            }
            if stop { break }
            for terminal in over { terminal.timeOver() }
            if let next {
                wake.wait(milliseconds: Int32(clamping: (next &- now) / 1_000_000 + 1))
            } else {
                wake.wait(milliseconds: K_NOTIMEOUT)
            }
        }
        ended.signal()
    }

    /// False where the thread did not end in time.
    func shutdown() -> Bool {
        let running = state.withLock { state in
            state.stopping = true
            state.due.removeAll()
            return state.running
        }
        guard running else { return true }
        wake.signal()
        return ended.wait(milliseconds: 2000)
    }
}
