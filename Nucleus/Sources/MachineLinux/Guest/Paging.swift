import CChorus
import CMachine
import Glibc
import NucleusCore
import Synchronization

/// Faults of guests in regions of mappers' segments. Such a region is mapped whole from its local cache's file, without
/// any access; what the cache has is given access to window by window, at the faults.
extension LinuxGuests {
    enum PageIn {
        /// No such region, or not accessible that way: a fault like any other.
        case foreign
        /// Up to that address; the access may be tried again.
        case mapped(VmAddr)
        /// The mapper did not provide it.
        case failed
    }

    /// Threads of the pool that may wait for mappers at a time: the rest serve the site.
    private static var mostPaging: Int { 128 }

    /// Makes the page of `address` accessible to a guest that is held.
    func pageIn(_ guest: GuestThread, _ address: VmAddr, write: Bool, execute: Bool = false) -> PageIn {
        guard let space = space(guest.thread.actor) else { return .foreign }
        return pageIn(space, address, write: write, execute: execute) { start, size, protection in
            guest.commanded(else: nil) { guest.hostCall(HOST_mprotect, start, size, protection) }
        }
    }

    private func pageIn(
        _ space: GuestSpace, _ address: VmAddr, write: Bool, execute: Bool,
        _ protect: (_ start: VmAddr, _ size: VmSize, _ protection: UInt64) -> Int64?
    ) -> PageIn {
        guard space.isPaged, let region = space.region(address), let segment = region.segment,
            let local = segment.local
        else { return .foreign }
        let needed = write ? K_WRITABLE : execute ? K_EXECUTABLE : K_READABLE | K_WRITABLE | K_EXECUTABLE
        guard region.options & needed != 0, region.options & K_RESERVED == 0 else { return .foreign }
        defer { paging.wrappingSubtract(1, ordering: .relaxed) }
        guard paging.wrappingAdd(1, ordering: .relaxed).newValue <= Self.mostPaging else {
            // It faults again, and is served when others are done.
            usleep(1000)
            return .mapped(region.end)
        }
        segment.retainMapping()
        defer { segment.releaseMapping() }
        let page = (region.offset + (address - region.start)) / 4096
        do throws(KnError) {
            // A private copy is written by the host alone.
            let pinned = try local.pin(page, write: write && !region.isPrivate)
            defer { local.unpin(page) }
            let first = region.offset / 4096
            let pages = pinned.pages.clamped(to: first..<first + region.size / 4096)
            let start = region.start + (pages.lowerBound - first) * 4096
            let size = UInt64(pages.count) * 4096
            var protection = protection(region.options)
            if !region.isPrivate, !pinned.writable { protection &= ~UInt64(PROT_WRITE) }
            return protect(start, size, protection) == 0 ? .mapped(start + size) : .failed
        } catch { return .failed }
    }

    /// Brings in what of a range is mapped from mappers, whether or not a thread of the actor is held. False: nothing of it
    /// is, or it cannot be brought in.
    func bringIn(_ actor: Actor, _ from: VmAddr, _ size: UInt64, write: Bool) -> Bool {
        guard let space = space(actor), space.isPaged else { return false }
        var found = false
        let (end, over) = from.addingReportingOverflow(size)
        guard !over else { return false }
        for part in space.parts(from, end) where part.segment?.local != nil {
            var at = part.start
            while at < part.end {
                let step = pageIn(space, at, write: write, execute: false) { start, size, protection in
                    command(actor) { agent in
                        agent.commanded(else: nil) { agent.hostCall(HOST_mprotect, start, size, protection) }
                    }
                }
                guard case .mapped(let next) = step else { return false }
                at = next
                found = true
            }
        }
        return found
    }

    /// Brings in what is missing in a range that the nucleus could not copy from or to. False: nothing can be done.
    func pageIn(_ guest: GuestThread, _ from: VmAddr, _ size: Int, write: Bool) -> Bool {
        guard let space = space(guest.thread.actor), space.isPaged, size > 0 else { return false }
        var found = false
        let (end, over) = from.addingReportingOverflow(UInt64(size))
        guard !over else { return false }
        for part in space.parts(from, end) where part.segment?.local != nil {
            var at = part.start
            while at < part.end {
                guard case .mapped(let next) = pageIn(guest, at, write: write) else { return false }
                at = next
                found = true
            }
        }
        return found
    }

    /// Whether a mapper's segment is mapped in the range.
    func isPaged(_ guest: GuestThread, _ from: VmAddr, _ size: Int) -> Bool {
        guard let space = space(guest.thread.actor), space.isPaged else { return false }
        let (end, over) = from.addingReportingOverflow(UInt64(max(size, 1)))
        return !over && space.parts(from, end).contains { $0.segment?.local != nil }
    }

    /// What a fault of the guest comes to: settled here (true), or the exception that its subsystem is to see.
    func settlesFault(_ guest: GuestThread, _ request: inout mb_guest) -> Bool {
        guard request.signo == SIGSEGV || request.signo == SIGBUS else { return false }
        let words = (UnsafeRawPointer(guest.area) + Int(guest.frame)).assumingMemoryBound(to: UInt64.self)
        let error = words[Ucontext.err]
        switch pageIn(guest, request.address, write: error & 2 != 0, execute: error & 16 != 0) {
        case .foreign:
            return waitsForChange(guest, request.address, write: error & 2 != 0, execute: error & 16 != 0)
        case .mapped: return true
        case .failed:
            request.signo = SIGBUS
            request.code = Int32(BUS_ADRERR)
            return false
        }
    }
}
