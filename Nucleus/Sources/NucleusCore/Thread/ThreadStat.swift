import CChorus
import Synchronization

/// What threads do for others: of each that works on a request or a trap, whose.
typealias WorkForOthers = [KnThreadLid: KnThreadLid]

extension Site {
    /// The requests that actors hold, and the traps that are being handled. A call that a connected handler answers
    /// runs on the client's own thread and needs no entry.
    func workForOthers() -> WorkForOthers {
        var work: WorkForOthers = [:]
        for (server, client) in unix?.trapServers() ?? [] { work[server] = client }
        for actor in allActors {
            let held = actor.room.withLock { room in room.held.values.compactMap(\.transaction) }
            for transaction in held {
                guard let server = transaction.server else { continue }
                // Of another site nobody here says more.
                if let client = transaction.clientThread { work[server.li] = client.li }
            }
        }
        return work
    }
}

extension Thread {
    func stat2(_ work: WorkForOthers) -> KnThreadStat2 {
        let old = stat()
        var stat = KnThreadStat2()
        stat.li = li
        stat.status = old.status
        stat.actor = old.actor
        stat.name = old.name
        stat.blockedOn = old.blockedOn
        stat.blockedSince = old.blockedSince
        stat.client = work[li] ?? 0
        stat.caller = wait.callerUi
        let peer = guest.flatMap { _ in site.unix?.threadPeer(self) }
        stat.hostThread = peer?.place.thread ?? hostThread.load(ordering: .relaxed)
        stat.mutexOwner = registry.mutexes.lock.withLock { _ in scheduling.waitsFor?.owner?.li ?? 0 }
        stat.sched = schedule()
        return stat
    }
}

extension Actor {
    /// Who caused the handler that the calling thread is in.
    func invoker() throws(KnError) -> Actor {
        let thread = Thread.current(site, in: self)
        if let frame = thread.frame {
            // Only a message has a sender, and a message from another site none that is here.
            guard let head = frame.pointee.head else {
                guard let raiser = frame.pointee.caller else { throw .invalid }
                return raiser.takeUnretainedValue()
            }
            guard head.pointee.flags & K_MSG_REMOTE == 0 else { throw .invalid }
            guard let port = site.ports.find(head.pointee.srcPort.raw) else { throw .invalid }
            return port.actor
        }
        guard let guest = site.unix?.trapServed() else { throw .invalid }
        return guest.actor
    }
}
