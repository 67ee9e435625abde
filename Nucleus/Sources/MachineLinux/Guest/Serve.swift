import CChorus
import CMachine
import Glibc
import NucleusCore
import Synchronization

/// From a post to the subsystem's handler and back.
extension LinuxGuests {
    func occupant(_ slot: Int32) -> GuestThread? { occupants[Int(slot)]?.takeUnretainedValue() }

    /// A pool thread found a post of `guest`, which is in nobody else's hands.
    func serve(_ guest: GuestThread) {
        let before = guest.status.load(ordering: .acquiring)
        let serial = (before >> 8) &+ 1
        guard before & 0xff == GuestThread.Status.running.rawValue else { return }  // dead meanwhile
        guest.request = guest.area.pointee.guest  // read once; only this copy is used
        guest.frame = checkedFrame(guest)
        guest.replaced = nil
        guest.replacedFpu = nil
        guest.fpuSaved = false
        guest.deferredFault = false
        let aborted = guest.takeAbortOwed()
        let owed = guest.kick.exchange(false, ordering: .sequentiallyConsistent)
        let trapped = serial << 8 | GuestThread.Status.trapped.rawValue
        guard
            guest.status.compareExchange(expected: before, desired: trapped, ordering: .sequentiallyConsistent)
                .exchanged
        else { return }
        // Whatever it posts: it was told to end, and nobody knows it any more.
        if guest.dying.load(ordering: .sequentiallyConsistent) { return leave(guest) }
        if errands.any { errands.carryOut(guest, self) }
        inside.wrappingAdd(1, ordering: .sequentiallyConsistent)
        defer { inside.wrappingSubtract(1, ordering: .relaxed) }
        let cookie = guest.thread.cookie.load(ordering: .relaxed)
        let began = site.trace.begin()
        switch Int(guest.request.kind) {
        case KIND_TRAP:
            guest.thread.trapNumber.store(guest.request.number, ordering: .relaxed)
            guest.thread.trapBegan.store(began, ordering: .relaxed)
            guest.thread.trapKind.store(.call, ordering: .relaxed)
            considerRewriting(guest)
            if site.ownsTrap(guest.request.number), guest.request.arch == Self.archX8664 {
                // Not for a suspension, which lets the call wait.
                let kicked = owed && (aborted || guest.abortOwed.load(ordering: .sequentiallyConsistent))
                ownCall(guest, serial, kicked: kicked)
            } else {
                guest.ownCall.store(false, ordering: .sequentiallyConsistent)
                trap(guest, serial, cookie)
            }
        case KIND_FAULT:
            guard guest.frame != 0 else { return lose(guest, serial) }
            guard leaveTrampoline(guest) else { return settle(guest, serial, K_OK, 0) }
            guest.thread.trapBegan.store(began, ordering: .relaxed)
            guest.thread.trapKind.store(.pageIn, ordering: .relaxed)
            var request = guest.request
            if settlesFault(guest, &request) {
                traceFault(guest.thread, request, since: began)
                return settle(guest, serial, K_OK, 0)
            }
            guard let (handler, own) = handlers.pointee.exception else { return lose(guest, serial) }
            guest.thread.trapKind.store(.exception, ordering: .relaxed)
            var frame = KnExcFrame(
                thread: guest.thread.li, kind: K_EXC_FAULT, threadCookie: cookie, number: request.signo,
                code: request.code, address: request.address, actor: guest.thread.actor.cap.ui)
            let outcome = handler(own, &frame)
            traceFault(guest.thread, request, since: began)
            settle(guest, serial, outcome, 0)
        case KIND_KICK:
            guard guest.frame != 0 else { return lose(guest, serial) }
            _ = leaveTrampoline(guest)
            if guest.suspends.load(ordering: .sequentiallyConsistent) > 0 {
                return hold(guest, serial, aborted: aborted)
            }
            guard let (handler, own) = handlers.pointee.abort else { return settle(guest, serial, K_CONTEXT, 0) }
            guest.thread.trapBegan.store(began, ordering: .relaxed)
            guest.thread.trapKind.store(.abort, ordering: .relaxed)
            let outcome = handler(own, guest.thread.li, cookie)
            traceAbort(guest.thread, outcome, since: began)
            settle(guest, serial, outcome, 0)
        default:
            lose(guest, serial)
        }
    }

    private func trap(_ guest: GuestThread, _ serial: UInt64, _ cookie: UInt64) {
        guard let (handler, own) = handlers.pointee.trap, guest.frame != 0 else { return lose(guest, serial) }
        guest.thread.actor.traps.wrappingAdd(1, ordering: .relaxed)
        let compat = guest.request.arch != Self.archX8664 || guest.request.number & 0x4000_0000 != 0
        var frame = KnTrapFrame(
            thread: guest.thread.li, flags: compat ? K_TF_COMPAT : 0, threadCookie: cookie,
            number: guest.request.number, args: guest.request.args, rip: guest.request.rip, rsp: guest.request.rsp,
            result: Int64(-ENOSYS))
        settle(guest, serial, handler(own, &frame), frame.result)
    }

    static var archX8664: UInt32 { 0xc000_003e }

    func settle(_ guest: GuestThread, _ serial: UInt64, _ outcome: Int32, _ result: Int64) {
        switch outcome {
        case K_PARKED:
            guest.dialogue.withLock { _ in
                guard guest.move(serial, from: .trapped, to: .parked) else { return }  // completed already, or dead
                withUnsafeMutablePointer(to: &guest.area.pointee.nucleus.park) {
                    mb_store($0, areas.taken[Int(guest.slot)].load(ordering: .relaxed))
                }
            }
        case K_CONTEXT:
            guard guest.move(serial, from: .trapped, to: .leaving) else { return }
            resume(guest, serial, result, whole: true)
        default:
            guard guest.move(serial, from: .trapped, to: .leaving) else { return }
            // A fault or a kick has no result register: its context is resumed whole.
            resume(guest, serial, result, whole: Int(guest.request.kind) != KIND_TRAP)
        }
    }

    /// Lets a thread in `leaving` go on.
    func resume(_ guest: GuestThread, _ serial: UInt64, _ result: Int64, whole: Bool) {
        if guest.suspends.load(ordering: .relaxed) > 0 { return holdBack(guest, serial, result, whole: whole) }
        let past = PastTrap(guest, result, whole: whole)
        guest.commanded(else: ()) {
            var frame = guest.frame
            if !whole, guest.replaced != nil {
                guest.replaced?.rax = UInt64(bitPattern: guest.deferredFault ? Int64(-EFAULT) : result)
            }
            if whole || guest.replaced != nil || guest.replacedFpu != nil || frame == 0 {
                frame = writeContext(guest)
                guest.area.pointee.nucleus.frame = frame
            } else {
                guest.area.pointee.nucleus.frame = frame
                guest.area.pointee.nucleus.value = guest.deferredFault ? Int64(-EFAULT) : result
            }
            let slot = Int(guest.slot)
            let action = frame == guest.frame && !whole ? ACT_RESUME : ACT_RESUME_FULL
            guard guest.move(serial, from: .leaving, to: .running) else { return }
            // Polled before it is answered: its next post may come at once.
            areas.polled[slot].store(1, ordering: .releasing)
            guest.send(UInt32(action))
        }
        past?.trace(site.trace)
        let suspended = guest.suspends.load(ordering: .sequentiallyConsistent) > 0
        if suspended || guest.kick.load(ordering: .sequentiallyConsistent) {
            pool.owe(guest)
        }
        // It died before there was anybody to tell, or nobody knew then whose it was.
        if guest.process.dead.load(ordering: .acquiring) { hostDied(guest.process) }
        sweeper.guestRuns()
    }

    /// Offset of the interrupted context if the guest's word for it can be one, else 0.
    private func checkedFrame(_ guest: GuestThread) -> UInt32 {
        let frame = guest.request.frame
        let last = UInt32(MB_AREA_SIZE) - UInt32(Ucontext.words * 8)
        return frame >= UInt32(MB_STACK) && frame <= last && frame % 8 == 0 ? frame : 0
    }

    /// The guest does not speak our protocol any more: it dies, as by its own fault.
    func lose(_ guest: GuestThread, _ serial: UInt64) {
        site.report(1, "guest \(guest.process.pid.load(ordering: .relaxed)): broken mailbox, killed")
        Reaper.shared.signal(guest.process.pid.load(ordering: .relaxed), SIGKILL)
    }

    /// A stub that was told to do something says nothing: its guest is broken or hostile, and holds up a thread of ours.
    /// One that the host has stopped or frozen is none of these.
    func loseSilent(_ process: GuestProcess) {
        let pid = process.pid.load(ordering: .relaxed)
        guard pid > 0, guest_is_stopped(pid) == 0 else { return }
        site.report(1, "guest \(pid): does not answer, killed")
        Reaper.shared.signal(pid, SIGKILL)
    }

    /// A host process has ended (the reaper says it first). Told once more when in doubt.
    func hostDied(_ process: GuestProcess) {
        guard !stopped.load(ordering: .acquiring), !process.expected.load(ordering: .acquiring) else { return }
        deaths.tell(process)
    }

    /// On the thread for deaths: tells the subsystem that a host process ended that nobody ordered to.
    func report(death process: GuestProcess) {
        guard !stopped.load(ordering: .acquiring), !process.expected.load(ordering: .acquiring),
            let actor = process.actor.withLock({ $0 }), let guestActor = actor.guest as? GuestActor,
            guestActor.process === process, let (handler, own) = handlers.pointee.exception
        else { return }
        // In the list its threads are not buried: there they are still known.
        let any = guestActor.threads.withLock { list -> Thread? in
            for guest in list ?? [] { areas.polled[Int(guest.slot)].store(0, ordering: .releasing) }
            return list?.first?.thread
        }
        guard let any else { return }
        var frame = KnExcFrame(
            thread: any.li, kind: K_EXC_DEATH, threadCookie: any.cookie.load(ordering: .relaxed),
            number: process.waitStatus.load(ordering: .relaxed), code: 0, address: 0, actor: actor.cap.ui)
        inside.wrappingAdd(1, ordering: .sequentiallyConsistent)
        defer { inside.wrappingSubtract(1, ordering: .releasing) }
        traceDeath(actor, any.li, frame.number)
        _ = handler(own, &frame)
    }

    func sendKick(_ guest: GuestThread) {
        // A cloned thread has no signal stack of its own before its first post: a signal would kill it. It is kicked later.
        guard withUnsafePointer(to: &guest.area.pointee.guest.post, { mb_load($0) }) != 0 else { return }
        let pid = guest.process.pid.load(ordering: .acquiring)
        if pid > 0, !guest.process.dead.load(ordering: .acquiring) {
            _ = guest_tgkill(pid, guest.hostTid, MB_KICK)
        }
    }

    func wakePool() {
        var one: UInt64 = 1
        _ = write(event, &one, 8)
    }
}
