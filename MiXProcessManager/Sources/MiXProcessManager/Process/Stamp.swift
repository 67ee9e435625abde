import CChorus

/// The protection identifier of a process's actor: its effective user and group. New actors have the manager's own, 0.
struct Stamp: Equatable {
    var uid: UInt32 = 0
    var gid: UInt32 = 0
}

extension ProcessManager {
    /// Tells the nucleus who the process is now. Called without locks.
    func stamp(_ process: Process) {
        // Over the call too, which neither blocks nor calls back: of two threads the later one is to be right.
        stamping.withLock {
            let now = Stamp(uid: process.credentials.euid, gid: process.credentials.egid)
            if now == process.stamped { return }
            var actor = process.actor
            var identifier = KnProtId(uid: now.uid, gid: now.gid, did: 0)
            guard nucleus.actorPi(&actor, nil, &identifier) >= 0 else { return }
            process.stamped = now
        }
    }
}
