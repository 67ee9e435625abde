import CChorus
import Synchronization

/// What holds for user actors that may not issue privileged calls: they are as untrusted as programs are. Whatever they
/// make is bounded, so that none of them uses up what the site lives on.
enum Bound {
    static var actors: Int { 16 }
    static var segments: Int { 256 }
    static var events: Int { 256 }
    static var semaphores: Int { 256 }
    static var ports: UInt32 { 1024 }
}

extension Actor {
    /// An actor of its own making; it lives no longer than its maker, and has the maker's limits.
    func createChild(_ creator: Actor?, name: String, privilege: Int32, status: Int32) throws(KnError) -> Actor {
        guard !isPrivileged else {
            return site.createActor(name: name, privilege: privilege, creator: creator, status: status)
        }
        guard creator === self else { throw .privilege }
        // Deleted ones count: servers' actors stay allocated.
        guard children.take(most: Bound.actors) else { throw .noMemory }
        let child = site.createActor(name: name, privilege: privilege, creator: self, status: status)
        child.limits = limits
        _ = child.children.take(Bound.actors, most: Bound.actors)
        // Deleted meanwhile: nobody would look for it.
        if isDeleted {
            site.deleteActor(child)
            throw .deadActor
        }
        return child
    }

    func needRoom(for count: Int, of most: Int) throws(KnError) {
        guard isPrivileged || count < most else { throw .noMemory }
    }

    /// The semaphore that `sem` names. Its name is a small number and no secret: others' are for the privileged.
    func semaphore(_ sem: KnSem) throws(KnError) -> Semaphore {
        let semaphore = try site.semaphore(sem)
        guard isPrivileged || semaphore.owner == cap.ui else { throw .privilege }
        return semaphore
    }

    /// The port that a group is to get or to lose.
    func member(_ ui: KnUniqueId) throws(KnError) -> Port {
        let port = try site.port(ui)
        guard isPrivileged || port.actor === self else { throw .privilege }
        return port
    }

    /// Black-box events of the nucleus itself are its own to tell.
    func needTrace(_ kind: UInt32) throws(KnError) {
        guard isPrivileged || kind >= K_TR_SERVER else { throw .privilege }
    }
}

extension Site {
    func deleteChildren(of actor: Actor) {
        guard !actor.isPrivileged, !actor.isUnix, actor.children.now > 0 else { return }
        for child in actors.all where child.creator === actor { deleteActor(child) }
    }
}
