import CChorus
import CMachine
import Glibc
import NucleusCore

/// Text becomes what it was before something happens to it, or to the page of its trampolines.
extension LinuxGuests {
    /// The range is about to be mapped, unmapped, moved, shared or made writable.
    @inline(__always) func clearRewrites(_ actor: Actor, _ start: VmAddr, _ end: VmAddr) {
        guard let space = space(actor), !space.rewriting.isEmpty else { return }
        restore(actor, space, start, end)
    }

    private func restore(_ actor: Actor, _ space: GuestSpace, _ start: VmAddr, _ end: VmAddr) {
        let table = space.rewriting
        guard !table.affected(start, end).isEmpty else { return table.drop(start, end) }
        table.whenFree {
            let sites = table.affected(start, end)
            guard let process = (actor.guest as? GuestActor)?.process, let agent = agent(actor) else { return }
            let pid = process.pid.load(ordering: .acquiring)
            guard let others = stopOthers(than: agent, within: 1_000_000_000) else { return loseSilent(process) }
            for (call, edits) in sites {
                // It may be gone, or be the file's again (MADV_DONTNEED).
                for edit in edits.reversed() where readText(edit.after.count, pid, edit.address) == edit.after {
                    _ = writeText(edit.before, pid, edit.address)
                }
                table.put(call, .refused)
            }
            table.drop(start, end)
            letGo(others)
        }
    }

    /// Holds all other threads of the guest's actor in their stubs; nil, and none is held, if that takes too long.
    func stopOthers(than guest: GuestThread, within nanoseconds: UInt64) -> [Thread]? {
        guard let actor = guest.thread.actor.guest as? GuestActor else { return nil }
        // In the list they are alive; the threads then last as long as they are held on to here.
        let others = actor.threads.withLock { list in
            (list ?? []).filter { $0 !== guest && $0.standing != .dead }.map(\.thread)
        }
        guard !others.isEmpty else { return [] }
        for other in others { _ = threadSuspend(other) }
        let began = site.host.now()
        var blocked = false
        // A trap that is being served holds its thread at the end: `resume` looks for suspensions.
        func runs(_ thread: Thread) -> Bool {
            let standing = self.guest(thread)?.standing
            return standing == .running || standing == .leaving
        }
        while others.contains(where: runs) {
            if !blocked {
                TrapPool.willBlock()  // somebody has to take their posts
                blocked = true
            }
            guard site.host.now() - began < nanoseconds else {
                letGo(others)
                return nil
            }
            _ = guest_yield()
        }
        return others
    }

    func letGo(_ others: [Thread]) {
        for other in others { _ = threadResume(other) }
    }
}
