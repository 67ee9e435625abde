import CChorus
import CMachine
import NucleusCore
import Synchronization

/// Traps that are nucleus calls of a process itself (`knUser.h`).
extension LinuxGuests {
    /// Nobody but the nucleus looks for signals here: a kick that came in time is passed on when the call ends, and does
    /// not let it wait meanwhile. The order of the words is that of `threadAbort`, the other way round.
    func ownCall(_ guest: GuestThread, _ serial: UInt64, kicked: Bool) {
        guard guest.frame != 0 else { return lose(guest, serial) }
        guest.thread.actor.traps.wrappingAdd(1, ordering: .relaxed)
        guest.thread.forgetAbort()
        guest.ownCall.store(true, ordering: .sequentiallyConsistent)
        if kicked { guest.kick.store(true, ordering: .sequentiallyConsistent) }
        let interrupted = guest.kick.load(ordering: .sequentiallyConsistent)
        var frame = KnTrapFrame()
        frame.number = guest.request.number
        frame.args = guest.request.args
        switch site.processCall(guest.thread, frame, interrupted: interrupted) {
        case .done(let result): finish(guest, serial, result)
        case .wait(let wait):
            settle(guest, serial, K_PARKED, 0)
            wait.start()
        case .gone: break
        }
    }

    public func callComplete(_ thread: Thread, _ result: Int32) {
        guard let guest = guest(thread) else { return }
        let serial = guest.status.load(ordering: .acquiring) >> 8
        guard guest.move(serial, from: .parked, to: .trapped) else { return }  // dead
        inside.wrappingAdd(1, ordering: .sequentiallyConsistent)
        defer { inside.wrappingSubtract(1, ordering: .relaxed) }
        finish(guest, serial, result)
    }

    /// The thread goes on with `result`; by way of its subsystem if that wants its attention, so that a signal's handler has
    /// run when the interrupted call returns.
    private func finish(_ guest: GuestThread, _ serial: UInt64, _ result: Int32) {
        let kicked = guest.kick.load(ordering: .sequentiallyConsistent)
        guard kicked || result == K_EABORT, let (handler, own) = handlers.pointee.abort else {
            return settle(guest, serial, K_OK, Int64(result))
        }
        var context = KnThreadCtx()
        guard threadContext(guest.thread, &context, nil) == K_OK else { return }  // dead
        context.rax = UInt64(bitPattern: Int64(result))
        guard threadContext(guest.thread, nil, &context) == K_OK else { return }
        guest.ownCall.store(false, ordering: .sequentiallyConsistent)
        guest.kick.store(false, ordering: .sequentiallyConsistent)
        let began = site.trace.begin()
        let outcome = handler(own, guest.thread.li, guest.thread.cookie.load(ordering: .relaxed))
        traceAbort(guest.thread, outcome, since: began)
        settle(guest, serial, outcome == K_PARKED ? K_PARKED : K_CONTEXT, 0)
    }
}
