import CMachine
import Glibc
import NucleusCore
import Synchronization

func closeDescriptor(_ descriptor: Int32) { _ = close(descriptor) }

/// One host process that runs guest threads. A UNIX actor has one; exec gives it a new one.
final class GuestProcess: @unchecked Sendable {
    // Sendable: constants and atomics; `passing` serialises what shares the process's socket.
    /// 0 until the clone that makes it has returned.
    let pid = Atomic<Int32>(0)
    /// Our end of its descriptor-passing socket.
    let socket: Int32
    let dead = Atomic<Bool>(false)
    /// The host's wait status, valid once `dead`.
    let waitStatus = Atomic<Int32>(0)
    /// We killed it, or it left by our order: its death is no event.
    let expected = Atomic<Bool>(false)
    /// Held while descriptors are under way on `socket`, and over a clone: a child must not inherit a half-made one.
    private let passing = Mutex<Void>(())
    /// Whose it is now; for deaths that nobody ordered.
    let actor = Mutex<Actor?>(nil)

    init(socket: Int32) { self.socket = socket }
    deinit { closeDescriptor(socket) }

    /// With `passing` held.
    func passing<Result: Sendable>(_ body: () -> Result) -> Result {
        if let result = passing.withLockIfAvailable({ _ in body() }) { return result }
        TrapPool.willBlock()
        return passing.withLock { _ in body() }
    }

    /// On the reaper's thread.
    func ended(_ status: Int32) {
        waitStatus.store(status, ordering: .relaxed)
        dead.store(true, ordering: .sequentiallyConsistent)
    }

    /// Ends the host process at once; idempotent.
    func kill() {
        expected.store(true, ordering: .releasing)
        Reaper.shared.signal(pid.load(ordering: .acquiring), SIGKILL)
    }
}
