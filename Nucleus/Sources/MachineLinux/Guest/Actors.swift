import CChorus
import CMachine
import Glibc
import NucleusCore
import Synchronization

/// Life of UNIX actors, their handlers, and their memory seen from outside.
extension LinuxGuests: UnixMachine {
    public func actorDeleted(_ actor: Actor) {
        guard let guestActor = actor.guest as? GuestActor else { return }
        // From here on nothing is added: a clone or a renewal that is under way finds the list gone and undoes itself.
        let threads = guestActor.threads.withLock { list -> [GuestThread] in
            defer { list = nil }
            return list ?? []
        }
        let process = guestActor.process
        process?.kill()
        for guest in threads { bury(guest) }
        process?.actor.withLock { $0 = nil }
        guestActor.process = nil
        guestActor.space = GuestSpace([], site.memory)
        sweeper.wake()
    }

    public func actorRenew(_ actor: Actor, _ thread: Thread) -> Int32 {
        guard let guestActor = actor.guest as? GuestActor, let guest = guest(thread), guest.isHeld else {
            return K_EINVAL
        }
        guard let (zygote, blank) = takeBlank() else { return K_EHOST }
        let others = guestActor.threads.withLock { list -> [GuestThread]? in
            guard let all = list, all.contains(where: { $0 === guest }) else { return nil }
            list = [guest]
            let old = guestActor.process
            old?.actor.withLock { $0 = nil }
            old?.kill()
            move(guest, to: blank)
            guestActor.process = blank.process
            return all.filter { $0 !== guest }
        }
        guard let others else {  // deleted meanwhile
            discard(blank)
            return K_EDEADACTOR
        }
        for other in others { bury(other) }
        guestActor.space = GuestSpace(vdsoRegions(zygote), site.memory)
        guestActor.duplicate = nil
        own(actor, blank.process)
        return K_OK
    }

    /// The thread leaves its mailbox for the one of a blank host process.
    private func move(_ guest: GuestThread, to blank: Zygote.Blank) {
        guest.dialogue.withLock { _ in
            // The old slot goes by way of a stand-in, so that the leader releases it like any dead thread's.
            let oldSlot = guest.slot
            let grave = GuestThread(guest.thread, self, guest.process, slot: oldSlot)
            grave.status.store(GuestThread.Status.dead.rawValue, ordering: .relaxed)
            areas.polled[Int(oldSlot)].store(0, ordering: .releasing)
            evict(oldSlot)
            occupy(oldSlot, grave)
            pool.retire(grave)
            guest.process = blank.process
            guest.slot = blank.slot
            guest.area = areas.area(blank.slot)
            guest.hostTid = blank.tid
            guest.frame = 0
            guest.fsBase = 0
            guest.gsBase = 0
            guest.queued = 0
            guest.payloadUsed = 0
            guest.deferredFault = false
            guest.request.prefetched = 0
            guest.replaced = KnThreadCtx()
            guest.replacedFpu = 0
            occupy(blank.slot, guest)
        }
    }

    /// From now on the death of `process` is told of `actor`; at once if it has died already.
    func own(_ actor: Actor, _ process: GuestProcess) {
        process.actor.withLock { $0 = actor }
        actor.hostPid = process.pid.load(ordering: .relaxed)
        if process.dead.load(ordering: .sequentiallyConsistent) { hostDied(process) }
    }

    /// A blank that nobody wants.
    func discard(_ blank: Zygote.Blank) {
        blank.process.kill()
        areas.release(blank.slot)
    }

    public func actorStat(_ actor: Actor, _ stat: inout KnActorStat) {
        guard let guestActor = actor.guest as? GuestActor else { return }
        stat.regions = UInt32(guestActor.space.count)
        let pid = guestActor.process?.pid.load(ordering: .relaxed) ?? 0
        stat.hostPid = pid
        if pid > 0 { _ = guest_usage(pid, &stat.userNanoseconds, &stat.systemNanoseconds, &stat.residentBytes) }
    }

    public func actorRead(_ actor: Actor, _ from: VmAddr, _ to: UnsafeMutableRawBufferPointer) -> Int32 {
        move(actor, from, to.count, write: false) { pid, done in
            guest_vm_read(pid, from + UInt64(done), to.baseAddress.map { $0 + done }, UInt64(to.count - done))
        }
    }

    public func actorWrite(_ actor: Actor, _ to: VmAddr, _ from: UnsafeRawBufferPointer) -> Int32 {
        move(actor, to, from.count, write: true) { pid, done in
            guest_vm_write(pid, to + UInt64(done), from.baseAddress.map { $0 + done }, UInt64(from.count - done))
        }
    }

    /// Bytes moved, short where memory ends. What a mapper has to provide is brought in piece by piece.
    private func move(
        _ actor: Actor, _ address: VmAddr, _ size: Int, write: Bool, _ part: (_ pid: Int32, _ done: Int) -> Int64
    ) -> Int32 {
        guard let pid = reachable(actor, address, size) else { return K_EFAULT }
        var (done, tries) = (0, 0)
        while done < size {
            let moved = part(pid, done)
            if moved > 0 {
                done += Int(moved)
                tries = 0
                continue
            }
            tries += 1
            // It may be taken away meanwhile, but not for ever.
            let next = min(UInt64(size - done), 64 << 10)
            guard tries <= 8, bringIn(actor, address + UInt64(done), next, write: write) else { break }
        }
        return done > 0 || size == 0 ? Int32(clamping: done) : K_EFAULT
    }

    /// Its host process, for an address range that is the guest's own: never the stub or a mailbox.
    private func reachable(_ actor: Actor, _ address: VmAddr, _ size: Int) -> Int32? {
        guard let guestActor = actor.guest as? GuestActor, let process = guestActor.process else { return nil }
        guard !process.dead.load(ordering: .acquiring), address < MB_GUEST_TOP, UInt64(size) <= MB_GUEST_TOP - address
        else {
            return nil
        }
        let pid = process.pid.load(ordering: .acquiring)
        return pid > 0 ? pid : nil
    }

    // MARK: handlers

    public func trapConnect(
        _ owner: Actor, _ trap: UInt32, _ handler: KnTrapHdl, _ cookie: UnsafeMutableRawPointer?
    ) -> Int32 {
        guard trap == K_TRAP_SYSCALL else { return K_EINVAL }
        return connect { handlers in
            guard handlers.trap == nil else { return K_EBUSY }
            handlers.owner = owner
            handlers.trap = (handler, cookie)
            return K_OK
        }
    }

    public func trapDisconnect(_ owner: Actor, _ trap: UInt32) -> Int32 {
        guard trap == K_TRAP_SYSCALL else { return K_EINVAL }
        let code = connect { handlers in
            guard handlers.trap != nil else { return K_EINVAL }
            guard handlers.owner === owner else { return K_EPRIV }
            handlers = Handlers()
            return K_OK
        }
        guard code == K_OK else { return code }
        while inside.load(ordering: .acquiring) > 0, TrapPool.serving() == nil { _ = guest_yield() }
        return K_OK
    }

    public func trapSignatures(
        _ owner: Actor, _ trap: UInt32, _ first: UInt32, _ sigs: UnsafeBufferPointer<KnTrapSig>
    ) -> Int32 {
        guard trap == K_TRAP_SYSCALL, handlers.pointee.owner === owner else { return K_EPRIV }
        guard UInt64(first) + UInt64(sigs.count) <= UInt64(MB_SIGS), let base = sigs.baseAddress else {
            return K_EINVAL
        }
        // KnTrapSig and mb_sig are the same 24 bytes.
        let to = UnsafeMutableRawPointer(control) + 4096 + Int(first) * MemoryLayout<KnTrapSig>.size
        to.copyMemory(from: base, byteCount: sigs.count * MemoryLayout<KnTrapSig>.size)
        return K_OK
    }

    public func exceptionHandler(_ owner: Actor, _ handler: KnExcHdl?, _ cookie: UnsafeMutableRawPointer?) -> Int32 {
        connect {
            $0.exception = handler.map { ($0, cookie) }
            return K_OK
        }
    }

    public func abortHandler(_ owner: Actor, _ handler: KnAbortHdl?, _ cookie: UnsafeMutableRawPointer?) -> Int32 {
        connect {
            $0.abort = handler.map { ($0, cookie) }
            return K_OK
        }
    }
}
