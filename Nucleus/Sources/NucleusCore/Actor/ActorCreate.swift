import CChorus
import Synchronization

extension Site {
    /// `system`: a user-privilege server of the manifest, which may issue privileged calls.
    public func createActor(
        name: String, privilege: Int32, creator: Actor? = nil, system: Bool = false, status: Int32 = K_ACTIVE
    ) -> Actor {
        while true {
            let actor = Actor(
                self, cap: newCap(.actor), name: name, privilege: privilege, privileged: system, creator: creator,
                status: status)
            if actors.insert(actor.cap.ui.raw, actor) { return actor }
        }
    }

    /// Frees everything the actor holds; who waits for it is woken with the right error.
    @discardableResult public func deleteActor(_ actor: Actor) -> Int32 {
        guard !actor.deleted.exchange(true, ordering: .acquiringAndReleasing) else { return K_EUNKNOWN }
        actors.remove(actor.cap.ui.raw)
        if actor.isUnix { unix?.actorDeleted(actor) }
        if !actor.isUnix { graveyard.withLock { $0.append(actor) } }
        return K_OK
    }
}
