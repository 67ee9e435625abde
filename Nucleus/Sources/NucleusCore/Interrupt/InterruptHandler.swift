import CChorus

/// One routine connected to an interrupt line.
final class InterruptHandler: Sendable {
    let number: Int32
    let priority: Int32
    let actor: Actor
    let gate = Gate()
    private let routine: Routine

    /// What the connector gave; the cookie is its own business.
    private struct Routine: @unchecked Sendable {
        // Sendable: the cookie is handed over untouched.
        let handler: KnIntrHdl
        let cookie: UnsafeMutableRawPointer?
    }

    init(
        _ actor: Actor, number: Int32, priority: Int32, _ handler: @escaping KnIntrHdl,
        _ cookie: UnsafeMutableRawPointer?
    ) {
        self.actor = actor
        self.number = number
        self.priority = priority
        routine = Routine(handler: handler, cookie: cookie)
        gate.open()
    }

    /// Whether the handler claims the interrupt. One that is being disconnected, or whose server is gone, does not.
    @inline(__always) func claims(_ line: UInt32, _ thread: Thread, _ host: any HostServices) -> Bool {
        guard gate.enter(host) else { return false }
        let answer = thread.inside(gate, nil) { routine.handler(routine.cookie, line) }
        gate.leave(host)
        return answer == K_INTR_CLAIMED
    }

    /// Returns when it runs no more, but for the calling thread's own runs.
    func end(_ thread: Thread?, _ host: any HostServices) {
        gate.close()
        gate.drain(host, own: thread?.entries(gate) ?? 0)
    }
}
