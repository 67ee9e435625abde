import CChorus

/// Who is asked about the exceptions of an actor's threads, by a call.
final class ExceptionHandler: @unchecked Sendable {
    // Sendable: constants, and the gate; the cookie is handed over untouched.
    /// Whose exceptions.
    let subject: Actor
    /// Whose handler.
    let owner: Actor
    let gate = Gate()
    private let routine: KnActorExcHdl
    private let cookie: UnsafeMutableRawPointer?

    init(
        _ subject: Actor, _ owner: Actor, _ routine: @escaping KnActorExcHdl, _ cookie: UnsafeMutableRawPointer?
    ) {
        self.subject = subject
        self.owner = owner
        self.routine = routine
        self.cookie = cookie
        gate.open()
    }

    /// What it says; K_EUNKNOWN if it is being disconnected.
    func ask(_ exception: inout KnException, _ thread: Thread) -> Int32 {
        let host = thread.host
        guard gate.enter(host) else { return K_EUNKNOWN }
        defer { gate.leave(host) }
        return thread.inside(gate, nil, abortable: true, caller: .passUnretained(subject)) {
            routine(cookie, &exception)
        }
    }
}

extension Actor {
    /// A server in user privilege whose exceptions may be somebody's. A supervisor's thread cannot be stopped in the
    /// midst of the nucleus' process; those of UNIX actors are their subsystem's.
    func exceptional(_ cap: UnsafePointer<KnCap>?) throws(KnError) -> Actor {
        let subject = try target(cap)
        guard subject.privilege == K_USERACTOR || subject.privilege == K_SYSACTOR else { throw .invalid }
        return subject
    }

    func connectExceptions(
        of subject: Actor, _ routine: @escaping KnActorExcHdl, _ cookie: UnsafeMutableRawPointer?
    ) throws(KnError) {
        let handler = ExceptionHandler(subject, self, routine, cookie)
        guard site.exceptions.insert(subject.cap.ui.raw, handler) else { throw .busy }
        // Either's deletion may have passed by before.
        if isDeleted || subject.isDeleted {
            site.end(handler, Thread.current(site, in: self))
            throw isDeleted ? .deadActor : .unknown
        }
    }

    /// Its owner's to do. Returns when it runs no more, but for the run that the caller itself is inside.
    func disconnectExceptions(of subject: Actor) throws(KnError) {
        guard let handler = site.exceptions.find(subject.cap.ui.raw) else { throw .unknown }
        guard handler.owner === self else { throw .privilege }
        let (site, thread) = (site, Thread.current(site, in: self))
        try site.draining(handler.gate, thread) { () throws(KnError) in site.end(handler, thread) }
    }
}

extension Site {
    fileprivate func end(_ handler: ExceptionHandler, _ thread: Thread?) {
        exceptions.remove(handler.subject.cap.ui.raw, handler)
        handler.gate.close()
        let own = thread?.entries(handler.gate) ?? 0
        let isOver = handler.owner.isDeleted || handler.subject.isDeleted
        if isOver, handler.gate.isOccupied(beyond: own) { evict(handler.gate, K_EDEADSERVER) }
        handler.gate.drain(host, own: own)
    }

    /// The handlers that `actor` connected, and the one for it.
    func endExceptions(of actor: Actor, _ thread: Thread?) {
        for handler in exceptions.all where handler.owner === actor || handler.subject === actor {
            end(handler, thread)
        }
    }
}
