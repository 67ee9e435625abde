import CChorus

/// A trap that a subsystem answers: the one owner's general handler, or its table of specific ones. (The system calls of
/// UNIX actors are the machine layer's.)
final class Trap: @unchecked Sendable {
    // Sendable: constants, and the gate; cookies are handed over untouched.
    enum Handler {
        case general(KnTrapHdl)
        case specific([Specific])
    }
    struct Specific {
        let entry: KnTrapEntry
        /// What the binder calls it.
        let signature: UInt32
    }

    let number: UInt32
    let owner: Actor
    let handler: Handler
    let cookie: UnsafeMutableRawPointer?
    let gate = Gate()

    init(_ number: UInt32, _ owner: Actor, _ handler: Handler, _ cookie: UnsafeMutableRawPointer?) {
        self.number = number
        self.owner = owner
        self.handler = handler
        self.cookie = cookie
    }

    /// The handler of `number`; nil for a general one, which takes any.
    func specific(_ number: UInt32) throws(KnError) -> Specific? {
        guard case .specific(let table) = handler else { return nil }
        guard Int(number) < table.count, table[Int(number)].entry.handler != nil else { throw .notProvided }
        return table[Int(number)]
    }
}

extension Actor {
    /// One owner a trap.
    func connect(_ number: UInt32, _ handler: Trap.Handler, _ cookie: UnsafeMutableRawPointer?) throws(KnError) {
        let trap = Trap(number, self, handler, cookie)
        trap.gate.open()
        guard site.traps.insert(UInt64(number), trap) else { throw .busy }
        // Its deletion may have passed by before.
        if isDeleted {
            site.end(trap, Thread.current(site, in: self), K_EDEADSERVER)
            throw .deadActor
        }
    }

    func connect(
        _ number: UInt32, table: UnsafeBufferPointer<KnTrapEntry>, _ cookie: UnsafeMutableRawPointer?
    ) throws(KnError) {
        guard let binder = site.trapBinder else { throw .notProvided }
        var specific: [Trap.Specific] = []
        for entry in table {
            guard entry.handler == nil || entry.count <= K_TRAPARGMAX,
                let signature = entry.handler == nil ? 0 : binder.signature(of: entry)
            else { throw .invalid }
            specific.append(Trap.Specific(entry: entry, signature: signature))
        }
        try connect(number, .specific(specific), cookie)
    }

    /// Returns when its handlers run no more, but for those that the caller itself is inside.
    func disconnect(trap number: UInt32) throws(KnError) {
        guard let trap = site.traps.find(UInt64(number)) else { throw .unknown }
        guard trap.owner === self else { throw .privilege }
        let (site, thread) = (site, Thread.current(site, in: self))
        try site.draining(trap.gate, thread) { () throws(KnError) in site.end(trap, thread, 0) }
    }
}

extension Site {
    /// `code`: what calls that wait inside end with; 0 lets them come to their own end.
    func end(_ trap: Trap, _ thread: Thread?, _ code: Int32) {
        traps.remove(UInt64(trap.number), trap)
        trap.gate.close()
        let own = thread?.entries(trap.gate) ?? 0
        if code != 0, trap.gate.isOccupied(beyond: own) { evict(trap.gate, code) }
        trap.gate.drain(host, own: own)
    }

    func endTraps(of actor: Actor, _ thread: Thread?) {
        for trap in traps.all where trap.owner === actor { end(trap, thread, K_EDEADSERVER) }
    }
}
