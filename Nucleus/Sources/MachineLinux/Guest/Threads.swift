import CChorus
import CMachine
import Glibc
import NucleusCore
import Synchronization

/// Making and ending guest threads.
extension LinuxGuests {
    public func threadCreate(
        _ actor: Actor, _ start: KnThreadStart, from source: Thread?
    ) -> Result<KnThreadLid, KnError> {
        guard let guestActor = adopt(actor) else { return .failure(.invalid) }
        let made: GuestThread
        if start.flags & K_START_BLANK != 0 {
            guard guestActor.process == nil, let (zygote, blank) = takeBlank() else {
                return .failure(guestActor.process == nil ? .host : .busy)
            }
            guestActor.space = GuestSpace(vdsoRegions(zygote), site.memory)
            made = guest(actor, blank.process, slot: blank.slot, tid: blank.tid)
        } else {
            guard let source, let from = guest(source), from.isHeld, from.frame != 0 else { return .failure(.invalid) }
            let isThread = guestActor.process != nil
            var flags = UInt64(HOST_CLONE_PARENT) | UInt64(SIGCHLD)
            if isThread {
                guard guestActor.process === from.process else { return .failure(.invalid) }
                flags = UInt64(
                    HOST_CLONE_VM | HOST_CLONE_FS | HOST_CLONE_FILES | HOST_CLONE_SIGHAND | HOST_CLONE_THREAD
                        | HOST_CLONE_SYSVSEM)
            } else {
                guard let duplicate = guestActor.duplicate else { return .failure(.invalid) }
                if duplicate & K_RGNDUP_SHARE != 0 { flags |= UInt64(HOST_CLONE_VM) }
            }
            let cloned: Cloned
            switch cloneWithText(from, guestActor, flags, isThread: isThread) {
            case .success(let value): cloned = value
            case .failure(let error): return .failure(error)
            }
            guard let process = cloned.process ?? guestActor.process else { return .failure(.host) }
            guestActor.duplicate = nil
            made = guest(actor, process, slot: cloned.slot, tid: cloned.tid)
            made.frame = from.frame
            made.fpuSaved = true
            made.fsBase = from.fsBase
            made.gsBase = from.gsBase
            inherit(made, from, start)
            let code = isThread ? K_OK : settleInheritance(made, guestActor)
            guard code == K_OK else {
                process.kill()
                bury(made)
                return .failure(KnError(rawValue: code))
            }
        }
        let thread = made.thread
        guard settle(guestActor, made) else { return .failure(.deadActor) }
        // What was taken from the source while it was being copied, nobody could take from the copy.
        if guestActor.space.isPaged {
            let paged = guestActor.space.all.filter { $0.segment?.local != nil }
            _ = made.commanded(else: nil) { hide(made, paged) }
        }
        return .success(thread.li)
    }

    /// A clone with memory of its own has its source's rewritten text and trampolines: none comes between.
    private func cloneWithText(
        _ from: GuestThread, _ guestActor: GuestActor, _ flags: UInt64, isThread: Bool
    ) -> Result<Cloned, KnError> {
        guard !isThread, flags & UInt64(HOST_CLONE_VM) == 0, let space = space(from.thread.actor) else {
            return cloneHost(from: from, flags: flags, frame: from.frame, newProcess: !isThread)
        }
        return space.rewriting.whenFree {
            let made = cloneHost(from: from, flags: flags, frame: from.frame, newProcess: true)
            if !space.rewriting.isEmpty { guestActor.space.rewriting.adopt(space.rewriting.copy()) }
            return made
        }
    }

    /// Registers of a cloned thread: its source's, with what `start` changes.
    private func inherit(_ made: GuestThread, _ from: GuestThread, _ start: KnThreadStart) {
        made.request.kind = UInt32(KIND_TRAP)
        // Its stub has put its own mailbox there.
        if made.gsBase != 0 {
            made.commanded(else: ()) { _ = made.queue(OP_SYSCALL, number: HOST_arch_prctl, 0x1001, made.gsBase) }
        }
        guard start.flags & (K_START_RSP | K_START_FSBASE) != 0 else { return }
        made.commanded(else: ()) {
            let words = (UnsafeMutableRawPointer(made.area) + Int(made.frame)).assumingMemoryBound(to: UInt64.self)
            if start.flags & K_START_RSP != 0 { words[Ucontext.registers + 15] = start.rsp }
            if start.flags & K_START_FSBASE != 0, start.fsBase < MB_GUEST_TOP {
                _ = made.queue(OP_SYSCALL, number: HOST_arch_prctl, 0x1002, start.fsBase)
                made.fsBase = start.fsBase
            }
        }
    }

    private func guest(_ actor: Actor, _ process: GuestProcess, slot: Int32, tid: Int32) -> GuestThread {
        let thread = site.threads.create(actor)
        let guest = GuestThread(thread, self, process, slot: slot)
        guest.hostTid = tid
        thread.guest = guest
        occupy(slot, guest)
        return guest
    }

    /// The thread joins its actor; false, and it is gone again, if that was deleted meanwhile.
    private func settle(_ guestActor: GuestActor, _ guest: GuestThread) -> Bool {
        let joined = guestActor.threads.withLock { list in
            if list == nil { return false }
            list?.append(guest)
            guestActor.process = guest.process
            return true
        }
        if guest.thread.actor.status == K_STOPPED { guest.suspends.store(1, ordering: .sequentiallyConsistent) }
        guard joined else {
            // Of a thread's process the actor's deletion has seen already, of a new one's nobody else knows.
            guest.process.kill()
            bury(guest)
            return false
        }
        own(guest.thread.actor, guest.process)
        return true
    }

    func adopt(_ actor: Actor) -> GuestActor? {
        guard actor.isUnix else { return nil }
        if let guest = actor.guest as? GuestActor { return guest }
        let guest = GuestActor(space: GuestSpace([], site.memory))
        actor.guest = guest
        return guest
    }

    /// The zygote; a new one if the old one was killed.
    func startZygote() -> Zygote? {
        zygote.withLock { zygote in
            if let zygote, !zygote.isDead { return zygote }
            guard !stopped.load(ordering: .acquiring) else { return nil }
            zygote?.retire(self)
            zygote = nil
            guard serves.load(ordering: .relaxed) || deaths.start() else { return nil }
            if !serves.exchange(true, ordering: .relaxed) {
                pool.start()
                sweeper.start()
            }
            zygote = Zygote(self)
            zygote?.keepSpares(self)
            return zygote
        }
    }

    /// A blank host process and the zygote it came from, which may have to be started once more.
    func takeBlank() -> (zygote: Zygote, blank: Zygote.Blank)? {
        for _ in 0..<2 {
            guard let zygote = startZygote() else { return nil }
            if let blank = zygote.take(self) { return (zygote, blank) }
            guard zygote.isDead else { return nil }
        }
        return nil
    }

    func vdsoRegions(_ zygote: Zygote) -> [Region] {
        guard zygote.vdso.end > zygote.vdso.start else { return [] }
        return [
            Region(
                start: zygote.vdso.start, end: zygote.vdso.end, options: K_READABLE | K_EXECUTABLE | K_INHERITCOPY,
                opaque: Region.vdso,
                segment: nil,
                isPrivate: true)
        ]
    }

    /// `guest` lives in `slot` from now on: the slot holds on to it and its thread, so that the pool may look at both
    /// until the leader itself gives the slot back.
    func occupy(_ slot: Int32, _ guest: GuestThread) {
        _ = Unmanaged.passRetained(guest.thread)
        occupants[Int(slot)] = Unmanaged.passRetained(guest)
    }

    /// Nobody lives in `slot`; false if nobody did.
    @discardableResult func evict(_ slot: Int32) -> Bool {
        guard let occupant = occupants[Int(slot)] else { return false }
        occupants[Int(slot)] = nil
        let thread = occupant.takeUnretainedValue().thread
        occupant.release()
        Unmanaged.passUnretained(thread).release()
        return true
    }

    /// The leader gives a dead thread's slot back.
    func vacate(_ slot: Int32) { if evict(slot) { areas.release(slot) } }

    /// The thread is no more; its host side is already told or killed. Once, whoever comes first.
    func bury(_ guest: GuestThread) {
        let before = guest.status.exchange(
            GuestThread.Status.dead.rawValue | ~0xff, ordering: .sequentiallyConsistent)
        guard before & 0xff != GuestThread.Status.dead.rawValue else { return }
        let thread = guest.thread
        if before & 0xff != GuestThread.Status.running.rawValue {
            PastTrap(guest, 0, whole: false)?.trace(site.trace, end: true)
        }
        areas.polled[Int(guest.slot)].store(0, ordering: .releasing)
        site.threads.remove(thread)
        pool.retire(guest)
    }

    public func threadDelete(_ thread: Thread) -> Int32 {
        guard let guest = guest(thread), let guestActor = thread.actor.guest as? GuestActor else { return K_EUNKNOWN }
        let left = guestActor.threads.withLock { list -> Int? in
            guard let at = list?.firstIndex(where: { $0 === guest }) else { return nil }
            list?.remove(at: at)
            return list?.count
        }
        guard let left else { return K_EUNKNOWN }  // gone with its actor, or deleted already
        if left == 0 {
            guest.process.kill()
            bury(guest)
            return K_OK
        }
        guest.dying.store(true, ordering: .sequentiallyConsistent)
        if guest.isHeld {
            leave(guest)
        } else {
            pool.owe(guest)
        }
        return K_OK
    }

    /// Ends one host thread of a process that lives on.
    func leave(_ guest: GuestThread) {
        let told = guest.commanded(else: false) {
            guest.queued = 0
            _ = guest.queue(OP_SYSCALL, number: HOST_exit, 0)
            guest.send(UInt32(ACT_MORE))
            return true
        }
        if told { bury(guest) }
    }

    public func threadAbort(_ thread: Thread) -> Int32 {
        guard let guest = guest(thread) else { return K_EUNKNOWN }
        switch guest.standing {
        case .dead: return K_EUNKNOWN
        case .parked where guest.holding.load(ordering: .sequentiallyConsistent):
            // Aborted when it is let go; in that instant, by the second look.
            guest.abortOwed.store(true, ordering: .sequentiallyConsistent)
            if !guest.holding.load(ordering: .sequentiallyConsistent) { pool.owe(guest) }
        case .parked where !guest.ownCall.load(ordering: .sequentiallyConsistent): return K_OK
        case .parked, .trapped, .leaving:
            // Taken up at the resume; if that has just passed, by the second look.
            guest.abortOwed.store(true, ordering: .sequentiallyConsistent)
            guest.kick.store(true, ordering: .sequentiallyConsistent)
            if guest.ownCall.load(ordering: .sequentiallyConsistent) { thread.abortCall() }
            if guest.standing == .running { pool.owe(guest) }
        case .running:
            guest.abortOwed.store(true, ordering: .sequentiallyConsistent)
            pool.owe(guest)
        }
        return K_OK
    }

    public func threadCookie(_ thread: Thread, _ cookie: UInt64) -> Int32 {
        thread.cookie.store(cookie, ordering: .releasing)
        return K_OK
    }

    public func trapComplete(_ thread: Thread, _ result: Int64, context: Bool) -> Int32 {
        guard let guest = guest(thread) else { return K_EUNKNOWN }
        // A suspended thread is in no trap.
        if guest.holding.load(ordering: .sequentiallyConsistent) { return K_EINVAL }
        let now = guest.status.load(ordering: .acquiring)
        let serial = now >> 8
        // In this order: its handler may be parking it right now, and between the two it would be found in neither.
        guard guest.move(serial, from: .trapped, to: .leaving) || guest.move(serial, from: .parked, to: .leaving) else {
            return K_EINVAL
        }
        resume(guest, serial, result, whole: context || Int(guest.request.kind) != KIND_TRAP)
        return K_OK
    }
}
