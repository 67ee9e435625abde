import CChorus
import CMachine
import Glibc
import NucleusCore

/// Call sites that trap often are rewritten to go to the stub's gate by way of a trampoline, without a signal (`trap.md`
/// section 2): `CallSite` says where and how.
extension LinuxGuests {
    /// The thread, held, trapped by its syscall instruction. Rewrites the site if it is time and it can be done.
    @inline(__always) func considerRewriting(_ guest: GuestThread) {
        guard rewrites, guest.frame != UInt32(MB_GATE_FRAME), site.rewrites.load(ordering: .relaxed) else { return }
        guard let space = space(guest.thread.actor), guest.request.rip > 2 else { return }
        leaveOwnCall(guest, space)
        let call = guest.request.rip - 2
        guard space.rewriting.isDue(call) else { return }
        // Somebody is at this text already: another trap will do.
        _ = space.rewriting.ifFree { rewrite(call, guest, space) }
    }

    private func rewrite(_ call: VmAddr, _ guest: GuestThread, _ space: GuestSpace) {
        let table = space.rewriting, pid = guest.process.pid.load(ordering: .acquiring)
        guard let shape = shape(call, guest, space, pid) else { return table.put(call, .refused) }
        // Two host processes may run in it: the other one's threads cannot be stopped here.
        guard space.sharers.load(ordering: .acquiring) == 1, pid > 0 else { return }
        // Threads may be anywhere in these bytes only while they run.
        guard let others = stopOthers(than: guest, within: 2_000_000) else { return }
        defer { letGo(others) }
        guard let page = page(near: call, guest, space, pid) else { return table.put(call, .refused) }
        let trampoline = table.state.withLock { state in state.pages[page].add(call, shape.first) }
        guard let edits = edits(shape, call, trampoline, pid), writeText(trampoline.code, pid, trampoline.address)
        else {
            return table.put(call, .refused)
        }
        table.put(call, edits, trampoline)
        for edit in edits where !writeText(edit.after, pid, edit.address) {
            for edit in edits.reversed() { _ = writeText(edit.before, pid, edit.address) }
            return table.put(call, .refused)
        }
    }

    private func edits(
        _ shape: CallSite, _ call: VmAddr, _ trampoline: Trampoline, _ pid: Int32
    ) -> [RewriteTable.Edit]? {
        switch shape {
        case .load, .argument:
            let jump = Trampoline.jump(from: call - 5, to: trampoline.address)
            return [RewriteTable.Edit(address: call - 5, before: trampoline.first, after: jump)]
        case .padding(let distance):
            let padding = call + 2 + UInt64(distance)
            guard let before = readText(5, pid, padding) else { return nil }
            let jump = Trampoline.jump(from: padding, to: trampoline.address)
            return [
                RewriteTable.Edit(address: padding, before: before, after: jump),
                RewriteTable.Edit(address: call, before: [0x0f, 0x05], after: [0xeb, UInt8(distance)]),
            ]
        }
    }

    /// Only text of a file that nobody writes to.
    private func shape(_ call: VmAddr, _ guest: GuestThread, _ space: GuestSpace, _ pid: Int32) -> CallSite? {
        guard guest.request.number <= UInt64(UInt32.max), let region = space.region(call) else { return nil }
        let access = K_READABLE | K_WRITABLE | K_EXECUTABLE | K_MAYWRITE
        guard region.isPrivate, region.segment != nil, region.segment?.local == nil, region.opaque != Region.vdso,
            region.options & access == K_READABLE | K_EXECUTABLE, call + 2 <= region.end
        else { return nil }
        let start = max(region.start, call < 23 ? 0 : call - 23), end = min(region.end, call + 2 + 160)
        guard let text = readText(Int(end - start), pid, start) else { return nil }
        let at = Int(call - start)
        guard text[at] == 0x0f, text[at + 1] == 0x05 else { return nil }
        let shape = CallSite(
            before: text[..<at], behind: text[(at + 2)...], number: UInt32(guest.request.number))
        // The range of a jump's edit lies in the same region.
        guard case .padding(let distance) = shape, call + 7 + UInt64(distance) > region.end else { return shape }
        return nil
    }

    /// Index of a page with room that a jump from the site reaches; a new one if there is none.
    private func page(near site: VmAddr, _ guest: GuestThread, _ space: GuestSpace, _ pid: Int32) -> Int? {
        let table = space.rewriting
        if let index = table.state.withLock({ $0.pages.firstIndex { !$0.isFull && $0.reaches(site) } }) { return index }
        guard table.state.withLock({ $0.pages.count }) < 64, let start = room(near: site, guest, space) else {
            return nil
        }
        guard writeText(Trampoline.bytes(gate, 8), pid, start) else { return nil }
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

    func readText(_ count: Int, _ pid: Int32, _ from: VmAddr) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        return guest_vm_read(pid, from, &bytes, UInt64(count)) == Int64(count) ? bytes : nil
    }

    func writeText(_ code: [UInt8], _ pid: Int32, _ to: VmAddr) -> Bool {
        guest_text_write(pid, to, code, UInt64(code.count)) == 0
    }

    /// A thread that was interrupted in a trampoline is where its program thinks it is: at the syscall instruction. false:
    /// it was a single step, which is over only behind the call.
    func leaveTrampoline(_ guest: GuestThread) -> Bool {
        guard rewrites, guest.frame != 0, let space = space(guest.thread.actor),
            let trampoline = space.rewriting.trampoline(at: guest.request.rip)
        else { return true }
        let words = registers(guest), rip = guest.request.rip
        let steps = guest.request.kind == UInt32(KIND_FAULT) && guest.request.signo == SIGTRAP
        if !trampoline.isLoad, steps {
            // The program's syscall instruction is a jump: it takes the trampoline's.
            words[16] = trampoline.address + Trampoline.ownCall
            return false
        }
        if trampoline.isLoad, rip == trampoline.address {
            // Not loaded yet.
            if steps { return false }
            words[16] = trampoline.call - 5
            guest.request.rip = trampoline.call - 5
            return true
        }
        words[16] = trampoline.call  // rip
        if guest.request.address == guest.request.rip { guest.request.address = trampoline.call }
        guest.request.rip = trampoline.call
        return true
    }

    /// A trampoline's own syscall instruction is the program's.
    private func leaveOwnCall(_ guest: GuestThread, _ space: GuestSpace) {
        guard guest.frame != 0, let trampoline = space.rewriting.trampoline(at: guest.request.rip) else { return }
        guest.request.rip = trampoline.call + 2
        registers(guest)[16] = guest.request.rip
    }

    /// The interrupted registers in the mailbox, as `struct sigcontext` orders them.
    private func registers(_ guest: GuestThread) -> UnsafeMutablePointer<UInt64> {
        (UnsafeMutableRawPointer(guest.area) + Int(guest.frame)).assumingMemoryBound(to: UInt64.self)
            + Ucontext.registers
    }
}
