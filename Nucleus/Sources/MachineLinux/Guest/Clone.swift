import CChorus
import CMachine
import Glibc
import NucleusCore
import Synchronization

extension LinuxGuests {
    struct Cloned {
        let slot: Int32
        let tid: Int32
        let process: GuestProcess?
    }

    /// Clones a host process or thread in the stub of `source` (held). The new one answers as if it had posted once.
    /// `frame`: offset of the context that is copied along, 0 for none. Callers do not hold the source's dialogue.
    func cloneHost(
        from source: GuestThread, flags: UInt64, frame: UInt32, newProcess: Bool
    ) -> Result<Cloned, KnError> {
        guard let (slot, descriptor) = areas.allocate() else { return .failure(.noMemory) }
        defer { closeDescriptor(descriptor) }
        var pair: (Int32, Int32) = (-1, -1)
        if newProcess {
            let made = withUnsafeMutablePointer(to: &pair) {
                $0.withMemoryRebound(to: Int32.self, capacity: 2) { guest_socketpair($0) }
            }
            guard made == 0 else {
                areas.release(slot)
                return .failure(.host)
            }
        }
        defer { if pair.1 >= 0 { closeDescriptor(pair.1) } }
        let process = newProcess ? GuestProcess(socket: pair.0) : nil
        let area = areas.area(slot)
        area.pointee.nucleus.spinGuest = policy.guestSpin
        area.pointee.nucleus.yieldGuest = policy.guestYield
        let address = AreaTable.guestAddress(slot)
        let keepsMemory = flags & UInt64(HOST_CLONE_VM) != 0
        let started = clones.begin()
        defer { clones.end(started) }
        let tid: Int64? = source.process.passing {
            source.commanded(else: nil) { () -> Int64? in
                guard frame == 0 || source.saveFpu() else { return nil }
                guard source.flush() else { return nil }  // all queued is sent first
                var stackTop = UInt64(MB_AREA_SIZE) - 64
                if frame != 0 { stackTop = copyFrame(from: source, frame, to: area, slot: slot) }
                var sent = [descriptor, pair.1]
                guard guest_send_fds(source.process.socket, &sent, newProcess ? 2 : 1) > 0 else { return nil }
                _ = source.queue(OP_RECVFD)
                _ = source.queue(
                    OP_SYSCALL, number: HOST_mmap, fd: 4, address, MB_AREA_SIZE,
                    UInt64(PROT_READ | PROT_WRITE), UInt64(MAP_SHARED | MAP_FIXED), 0, 0)
                _ = source.queue(OP_SYSCALL, number: HOST_close, fd: 0)
                let clone = source.queue(OP_CLONE, flags, address, address + (stackTop & ~15))
                if !keepsMemory {
                    _ = source.queue(OP_SYSCALL, number: HOST_munmap, address, MB_AREA_SIZE)
                }
                guard source.flush(deferred: 0) else { return nil }
                return source.result(clone)
            }
        }
        guard let tid, let number = Int32(exactly: tid), number > 0 else {
            areas.release(slot)
            return .failure(tid == nil ? .deadActor : .noMemory)
        }
        areas.taken[Int(slot)].store(1, ordering: .relaxed)
        if let process {
            guard
                Reaper.shared.register(
                    number,
                    { [self] _, status in
                        process.ended(status)
                        hostDied(process)
                    })
            else {
                areas.release(slot)
                return .failure(.host)
            }
            process.pid.store(number, ordering: .releasing)
        }
        return .success(Cloned(slot: slot, tid: number, process: process))
    }

    /// Copies the interrupted context (signal frame to the end of the mailbox) and moves its pointers to the new
    /// mailbox. Returns the top of the stack that is free below it.
    private func copyFrame(
        from source: GuestThread, _ frame: UInt32, to area: UnsafeMutablePointer<mb_area>, slot: Int32
    ) -> UInt64 {
        let start = Int(frame)
        let from = UnsafeRawPointer(source.area), to = UnsafeMutableRawPointer(area)
        memcpy(to + start, from + start, Int(MB_AREA_SIZE) - start)
        let delta = AreaTable.guestAddress(slot) &- source.guestArea
        let context = (to + start).assumingMemoryBound(to: UInt64.self)
        context[Ucontext.stackPointer] = AreaTable.guestAddress(slot) + UInt64(MB_STACK)
        context[Ucontext.fpstate] = context[Ucontext.fpstate] &+ delta
        return UInt64(frame) - 1024
    }
}

/// Indices of 64-bit words in the kernel's `struct ucontext` (x86-64).
enum Ucontext {
    static let flags = 0, stackPointer = 2, stackSize = 4, registers = 5, segments = 23, err = 24, trapno = 25
    static let cr2 = 27, fpstate = 28, mask = 37, words = 38
}
