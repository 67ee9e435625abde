import CChorus
import Synchronization

/// What a server thread needs from its creator; the cookie is the server's business.
private struct Entry: @unchecked Sendable {
    // Sendable: the argument is handed over untouched.
    let routine: KnThreadHdl
    let argument: UnsafeMutableRawPointer?
}

extension Site {
    func startThread(
        _ actor: Actor, _ routine: @escaping KnThreadHdl, _ argument: UnsafeMutableRawPointer?, _ stackSize: UInt32,
        _ name: String
    ) throws(KnError) -> Thread {
        let (count, limit) = actor.state.withLock { ($0.threads.count, $0.limits.threads) }
        if limit != 0, count >= Int(limit) { throw .noMemory }
        let entry = Entry(routine: routine, argument: argument)
        let thread = threads.create(actor, name: name)
        // Deleted in this instant: its threads may have been told already.
        if actor.isDeleted {
            threads.remove(thread)
            throw .deadActor
        }
        if actor.status == K_STOPPED { thread.suspend() }
        thread.inherit(from: Thread.current(self))
        let code = host.startThread(name: name, stackSize: Int(stackSize)) { [self] in
            let before = thread.bind()
            thread.tellSchedule()
            thread.waitWhileHeld(in: actor)
            if !thread.isDoomed { entry.routine(entry.argument) }
            thread.unbind(before)
            threads.remove(thread)
        }
        if code < 0 {
            threads.remove(thread)
            throw KnError(rawValue: code)
        }
        return thread
    }
}

extension Actor {
    func threadDelay(_ milliseconds: Int32) -> Int32 {
        let thread = Thread.current(site, in: self)
        thread.arm(abortable: true)
        let code = thread.sleep(self, "threadDelay", abortable: true, deadline: deadline(site.host, milliseconds))
        return code == K_ETIMEOUT ? K_OK : code
    }

    /// To the nanosecond, as far as the host can.
    func threadDelay(until time: UInt64) -> Int32 {
        let thread = Thread.current(site, in: self)
        if !thread.isSharp {
            thread.isSharp = true
            site.host.sharpenWaits()
        }
        thread.arm(abortable: true)
        let code = thread.sleep(self, "threadDelayNs", abortable: true, deadline: time)
        return code == K_ETIMEOUT ? K_OK : code
    }
}

extension Thread {
    var isDoomed: Bool { doomed.load(ordering: .acquiring) }

    func stat() -> KnThreadStat {
        var stat = KnThreadStat()
        stat.li = li
        stat.actor = actor.cap.ui
        copyName(name, &stat.name)
        copyName(blockedOn, &stat.blockedOn)
        stat.blockedSince = blockedSince
        if held.load(ordering: .relaxed) == 0, let standing = guest.flatMap({ _ in site.unix?.threadStanding(self) }) {
            stat.status = standing
            if standing == K_TH_BLOCKED || standing == K_TH_PARKED {
                let kind = trapKind.load(ordering: .relaxed)
                copyName(kind.text(trapNumber.load(ordering: .relaxed)), &stat.blockedOn)
                stat.blockedSince = site.trace.time(trapBegan.load(ordering: .relaxed))
            }
            return stat
        }
        stat.status = held.load(ordering: .relaxed) > 0 ? K_TH_STOPPED : blockedSince != 0 ? K_TH_BLOCKED : K_TH_RUNNING
        return stat
    }
}
