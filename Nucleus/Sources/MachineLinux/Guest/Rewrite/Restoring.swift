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
            for (site, number, trampoline) in sites {
                var now = [UInt8](repeating: 0, count: 5)
                // It may be gone, or be the file's again (MADV_DONTNEED).
                if guest_vm_read(pid, site, &now, 5) == 5, now == TrampolinePage.jump(from: site, to: trampoline) {
                    _ = writeText(TrampolinePage.load(number), pid, site)
                }
                table.put(site, .refused)
            }
            table.drop(start, end)
            letGo(others)
        }
    }

    /// Holds all other threads of the guest's actor in their stubs; nil, and none is held, if that takes too long.
    func stopOthers(than guest: GuestThread, within nanoseconds: UInt64) -> [GuestThread]? {
        guard let actor = guest.thread.actor.guest as? GuestActor else { return nil }
        let others = actor.threads.withLock { list in (list ?? []).filter { $0 !== guest && $0.standing != .dead } }
        guard !others.isEmpty else { return [] }
        for other in others { _ = threadSuspend(other.thread) }
        let began = site.host.now()
        var blocked = false
        // A trap that is being served holds its thread at the end: `resume` looks for suspensions.
        while others.contains(where: { $0.standing == .running || $0.standing == .leaving }) {
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

    func letGo(_ others: [GuestThread]) {
        for other in others { _ = threadResume(other.thread) }
    }
}
