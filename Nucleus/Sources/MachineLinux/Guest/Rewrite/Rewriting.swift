import CChorus
import CMachine
import Glibc
import NucleusCore

/// Call sites that trap often are rewritten: the five bytes of `mov $number,%eax` before the syscall instruction become a
/// jump to a trampoline, which goes to the stub's gate without a signal (`trap.md` section 2). The instruction itself
/// stays: a jump straight to it traps as ever.
extension LinuxGuests {
    /// The thread, held, trapped by its syscall instruction. Rewrites the site if it is time and it can be done.
    @inline(__always) func considerRewriting(_ guest: GuestThread) {
        guard rewrites, guest.frame != UInt32(MB_GATE_FRAME), site.rewrites.load(ordering: .relaxed) else { return }
        guard let space = space(guest.thread.actor), guest.request.rip > 7 else { return }
        let site = guest.request.rip - 7
        guard space.rewriting.isDue(site) else { return }
        // Somebody is at this text already: another trap will do.
        _ = space.rewriting.ifFree { rewrite(site, guest, space) }
    }

    private func rewrite(_ site: VmAddr, _ guest: GuestThread, _ space: GuestSpace) {
        let table = space.rewriting
        let pid = guest.process.pid.load(ordering: .acquiring)
        guard isRewritable(site, guest, space, pid) else { return table.put(site, .refused) }
        // Two host processes may run in it: the other one's threads cannot be stopped here.
        guard space.sharers.load(ordering: .acquiring) == 1, pid > 0 else { return }
        // Threads may be anywhere in these bytes only while they run.
        guard let others = stopOthers(than: guest, within: 2_000_000) else { return }
        defer { letGo(others) }
        guard let page = page(near: site, guest, space, pid) else { return table.put(site, .refused) }
        let number = UInt32(truncatingIfNeeded: guest.request.number)
        let (trampoline, code) = table.state.withLock { state in state.pages[page].add(site, number) }
        guard writeText(code, pid, trampoline), writeText(TrampolinePage.jump(from: site, to: trampoline), pid, site)
        else {
            return table.put(site, .refused)
        }
        table.put(site, .rewritten(number: number, trampoline: trampoline))
    }

    /// Text of a file that nobody writes to, and really `mov $number,%eax; syscall`: no prefix before it, and in eax there
    /// is what it loads.
    private func isRewritable(_ site: VmAddr, _ guest: GuestThread, _ space: GuestSpace, _ pid: Int32) -> Bool {
        guard guest.request.number <= UInt64(UInt32.max), let region = space.region(site) else { return false }
        let access = K_READABLE | K_WRITABLE | K_EXECUTABLE | K_MAYWRITE
        guard region.isPrivate, region.segment != nil, region.segment?.local == nil, region.opaque != Region.vdso,
            region.options & access == K_READABLE | K_EXECUTABLE, site > region.start, site + 7 <= region.end
        else { return false }
        var bytes = [UInt8](repeating: 0, count: 8)
        guard guest_vm_read(pid, site - 1, &bytes, 8) == 8 else { return false }
        let prefixes: [UInt8] = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]
        guard bytes[0] & 0xf0 != 0x40, !prefixes.contains(bytes[0]) else { return false }
        return Array(bytes[1..<6]) == TrampolinePage.load(UInt32(guest.request.number)) && bytes[6] == 0x0f
            && bytes[7] == 0x05
    }

    /// Index of a page with room that a jump from the site reaches; a new one if there is none.
    private func page(near site: VmAddr, _ guest: GuestThread, _ space: GuestSpace, _ pid: Int32) -> Int? {
        let table = space.rewriting
        if let index = table.state.withLock({ $0.pages.firstIndex { !$0.isFull && $0.reaches(site) } }) { return index }
        guard table.state.withLock({ $0.pages.count }) < 64, let start = room(near: site, guest, space) else {
            return nil
        }
        var gate: [UInt8] = []
        for shift in stride(from: UInt64(0), to: 64, by: 8) {
            gate.append(UInt8(truncatingIfNeeded: self.gate >> shift))
        }
        guard writeText(gate, pid, start) else { return nil }
        return table.state.withLock { state in
            state.pages.append(TrampolinePage(start))
            table.any.store(true, ordering: .releasing)
            return state.pages.count - 1
        }
    }

    /// A new page about 1 GiB from the site, where neither the heap nor what is mapped next gets to: its subsystem knows
    /// nothing of it, and whatever that puts there takes its place (`clearRewrites`).
    private func room(near site: VmAddr, _ guest: GuestThread, _ space: GuestSpace) -> VmAddr? {
        let step: UInt64 = 16 << 20, far: UInt64 = 1 << 30
        for i in UInt64(0)..<32 {
            let distance = far + i * step
            let start = (site > distance + far ? site - distance : site + distance) & ~4095
            guard start < MB_GUEST_TOP - 4096, space.parts(start, start + 4096).isEmpty,
                !space.rewriting.state.withLock({ $0.pages.contains { $0.start == start } })
            else { continue }
            let access = UInt64(PROT_READ | PROT_EXEC), flags = UInt64(MAP_PRIVATE | MAP_ANONYMOUS | 0x10_0000)
            let made = guest.commanded(else: nil) {  // MAP_FIXED_NOREPLACE
                guest.hostCall(HOST_mmap, start, 4096, access, flags, UInt64.max, 0)
            }
            if made == Int64(start) { return start }
        }
        return nil
    }

    func writeText(_ code: [UInt8], _ pid: Int32, _ to: VmAddr) -> Bool {
        guest_text_write(pid, to, code, UInt64(code.count)) == 0
    }

    /// A thread that was interrupted in a trampoline is where its program thinks it is: before the syscall instruction.
    func leaveTrampoline(_ guest: GuestThread) {
        guard rewrites, guest.frame != 0, let space = space(guest.thread.actor),
            let (site, number) = space.rewriting.origin(of: guest.request.rip)
        else { return }
        let words = (UnsafeMutableRawPointer(guest.area) + Int(guest.frame)).assumingMemoryBound(to: UInt64.self)
        words[Ucontext.registers + 13] = UInt64(number)
        words[Ucontext.registers + 16] = site + 5
        if guest.request.address == guest.request.rip { guest.request.address = site + 5 }
        guest.request.rip = site + 5
    }
}
