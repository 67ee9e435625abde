import CChorus

extension Site {
    /// Exit status of a site that ends because it cannot go on; no program's own.
    static var brokenStatus: Int32 { 125 }

    /// The host process of a server is gone, and nobody asked for it: the actor goes too.
    public func serverDied(_ actor: Actor) {
        deleteActor(actor)
        // Nothing of what it was asked to watch will be posted: whoever waits asks again, and is told.
        for event in events.all { event.post(.max) }
        // The calls of UNIX processes would be answered by nobody, their exit neither.
        guard unix?.trapDisconnect(actor, K_TRAP_SYSCALL) == K_OK else { return }
        report(0, "\(actor.name) answered the system calls: the site ends")
        shutdown(Self.brokenStatus)
    }
}
