import CChorus
import Synchronization

extension Site {
    /// `system`: a user-privilege server of the manifest, which may issue privileged calls. `predecessor`: whose segments it
    /// will have, and so the account that they are charged to.
    public func createActor(
        name: String, privilege: Int32, creator: Actor? = nil, system: Bool = false, status: Int32 = K_ACTIVE,
        predecessor: Actor? = nil
    ) -> Actor {
        while true {
            let actor = Actor(
                self, cap: newCap(.actor), name: name, privilege: privilege, privileged: system, creator: creator,
                status: status, account: predecessor?.account ?? MemoryAccount(parent: memory))
            if let creator { actor.protection.id = creator.protection.id }
            if privilege == K_UNIXACTOR { actor.limits.ports = UInt32(K_USR_PORTMAX) }
            guard let port = try? createPort(actor, isDefault: true) else { continue }
            actor.defaultPort = port
            if actors.insert(actor.cap.ui.raw, actor) {
                traceActor(K_TR_ACTOR, actor, name, UInt64(privilege))
                return actor
            }
            deletePorts(actor, nil)
        }
    }

    /// Frees everything the actor holds; who waits for it is woken with the right error. Returns when nobody is inside
    /// its handlers any more, but for the calling thread itself.
    @discardableResult public func deleteActor(_ actor: Actor) -> Int32 {
        guard !actor.deleted.exchange(true, ordering: .sequentiallyConsistent) else { return K_EUNKNOWN }
        actors.remove(actor.cap.ui.raw)
        traceActor(K_TR_ACTOR_END, actor, actor.name)
        deleteChildren(of: actor)
        if actor.isUnix { unix?.actorDeleted(actor) } else { graveyard.withLock { $0.append(actor) } }
        (actor.guest as? any ServerHost)?.actorDeleted()
        let (ownThreads, ownSegments, openCaches) = actor.state.withLock { state in
            defer { state.caches = [:] }
            return (Array(state.threads.values), Array(state.segments.values), Array(state.caches.values))
        }
        for thread in ownThreads where !thread.isForeign { thread.doom() }
        let me = Thread.current(self)
        // The calls of a UNIX actor ended with its threads, and it owns no events or semaphores.
        if !actor.isUnix { endCalls(actor) }
        deletePorts(actor, me)
        if !actor.isUnix { deleteCallObjects(actor, me) }
        // Its default port and it hold each other; servers stay in the graveyard anyhow.
        if actor.isUnix { actor.defaultPort.abandon(to: kernel) }
        // Supervisors' threads may still be on their way out, and their memory is the nucleus' own.
        if actor.arena != nil { _ = actor.bodies.withLock { $0.removeAll() } }
        for segment in ownSegments { release(segment, actor) }
        if !actor.isUnix { actor.freeRegions() }
        for segment in openCaches { actor.release(cache: segment) }
        for thread in ownThreads where thread.guest != nil { threads.remove(thread) }
        return K_OK
    }

    /// Visitors that block inside its handlers: the gates could not be drained else.
    private func endCalls(_ actor: Actor) {
        for thread in threads.all { thread.end(callOf: actor) }
    }

    private func deleteCallObjects(_ actor: Actor, _ me: Thread?) {
        let ownEvents = events.all.filter { $0.actor === actor }
        for event in ownEvents { events.remove(event.cap.ui.raw) }
        for event in ownEvents { event.gate.close() }
        for event in ownEvents { event.gate.drain(host, own: me.map { $0.entries(event.gate) } ?? 0) }
        for line in interrupts.all { line.disconnectAll(of: actor, me) }
        endTraps(of: actor, me)
        endExceptions(of: actor, me)
        for semaphore in semaphores.all where semaphore.owner == actor.cap.ui { deleteSemaphore(semaphore) }
        for mutex in threads.mutexes.mutexes.all where mutex.creator === actor { deleteMutex(mutex) }
        for timer in timers.timers.all where timer.owner === actor { deleteTimer(timer) }
    }

    /// The actor's table for a supervisor caller, as `kn_boot` hands it out.
    public func actor(named name: String) -> Actor? { actors.all.first { $0.name == name } }
    public var allActors: [Actor] { actors.all }
}
