import CChorus
import CMachine
import Glibc
import NucleusCore
import Synchronization

/// rgn* calls: kept in the space's list, carried out by a held thread's stub.
extension LinuxGuests {
    static var pageMask: UInt64 { 4095 }
    /// As the host's own limit (vm.max_map_count), which a lying stub could pass. What splits is let through by less.
    static var mostRegions: Int { 65_530 }

    /// Checks a range: page-aligned start, below the guest's top; the size rounded up.
    func range(_ rgn: KnRgnDesc) -> (start: VmAddr, end: VmAddr)? {
        let size = (rgn.size &+ Self.pageMask) & ~Self.pageMask
        guard rgn.startAddr & Self.pageMask == 0, size > 0, size <= MB_GUEST_TOP, rgn.startAddr <= MB_GUEST_TOP - size
        else {
            return nil
        }
        return (rgn.startAddr, rgn.startAddr + size)
    }

    func protection(_ options: UInt32) -> UInt64 {
        if options & K_RESERVED != 0 { return UInt64(PROT_NONE) }
        return UInt64(options & K_READABLE != 0 ? PROT_READ : 0) | UInt64(options & K_WRITABLE != 0 ? PROT_WRITE : 0)
            | UInt64(options & K_EXECUTABLE != 0 ? PROT_EXEC : 0)
    }

    /// Picks or checks the place of a new region.
    func place(_ space: GuestSpace, _ rgn: inout KnRgnDesc) -> Int32 {
        if rgn.options & K_ANYWHERE != 0 {
            let size = (rgn.size &+ Self.pageMask) & ~Self.pageMask
            let narrow = rgn.options & K_RESTRICTIVE != 0
            let low = narrow ? rgn.startAddr : 0x10000, high = narrow ? min(rgn.endAddr, MB_GUEST_TOP) : MB_GUEST_TOP
            guard size > 0, size <= MB_GUEST_TOP, let at = space.gap(size, low, high) else { return K_ENOMEM }
            rgn.startAddr = at
        }
        guard let (start, end) = range(rgn) else { return K_EINVAL }
        if rgn.options & K_NOREPLACE != 0, !space.parts(start, end).isEmpty { return K_EEXIST }
        return K_OK
    }

    static var kept: UInt32 {
        K_READABLE | K_WRITABLE | K_EXECUTABLE | K_INHERITSHARE | K_INHERITCOPY | K_GROWSDOWN | K_MAYWRITE | K_RESERVED
            | K_NODEMAND | K_NOWAITFORMEMORY
    }

    public func rgnAllocate(_ actor: Actor, _ rgn: inout KnRgnDesc) -> Int32 {
        guard let space = space(actor) else { return K_EDEADACTOR }
        guard space.count < Self.mostRegions else { return K_ENOMEM }
        let placed = place(space, &rgn)
        guard placed == K_OK, let (start, end) = range(rgn) else { return placed }
        clearRewrites(actor, start, end)
        let shares = rgn.options & K_INHERITSHARE != 0
        if shares, let code = allocateShared(actor, rgn) { return code }
        var flags = UInt64(MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE) | UInt64(shares ? MAP_SHARED : MAP_PRIVATE)
        if rgn.options & K_NODEMAND != 0 { flags |= UInt64(MAP_POPULATE) }
        var region = Region(
            start: start, end: end, options: rgn.options & Self.kept, opaque: rgn.opaque, segment: nil,
            isPrivate: !shares)
        if shares {
            region.shared = KnUniqueId(uiHead: 1, uiTail: sharedNames.wrappingAdd(1, ordering: .relaxed).newValue)
        }
        return space.granting(start, end, region.charge) {
            let (prot, flags) = (protection(rgn.options), flags)
            let result = command(actor) { agent in
                agent.commanded(else: nil) { agent.hostCall(HOST_mmap, start, end - start, prot, flags, UInt64.max, 0) }
            }
            let error = knError(host: result)
            if error == K_OK { space.insert(region) }
            return error
        }
    }

    /// How many shared memories may have a descriptor of the nucleus at a time.
    private static var mostShared: Int { 1024 }

    /// Shared memory with a segment of its own, so that other actors can be given it. Nil where that is one too many: it
    /// is the host's then, shared by forks only.
    private func allocateShared(_ actor: Actor, _ rgn: KnRgnDesc) -> Int32? {
        guard site.sharedMemories < Self.mostShared, let (start, end) = range(rgn) else { return nil }
        let segment: Segment
        do throws(KnError) { segment = try site.createSharedMemory(end - start) } catch {
            return error == .noMemory && site.memory.isLimited ? K_ENOMEM : nil
        }
        defer { segment.releaseMapping() }
        var rgn = rgn
        rgn.options = rgn.options & ~(K_ANYWHERE | K_NOREPLACE) | K_MAYWRITE
        return rgnMap(
            actor, &rgn, segment, KnObjDesc(dataObject: segment.cap, startOffset: 0, size: end - start), shared: true)
    }

    public func rgnMap(
        _ actor: Actor, _ rgn: inout KnRgnDesc, _ segment: Segment, _ object: KnObjDesc, shared: Bool
    ) -> Int32 {
        guard let space = space(actor) else { return K_EDEADACTOR }
        // The host would refuse the far end of an offset, but the guest's stub need not tell.
        let offset = object.startOffset
        guard offset & Self.pageMask == 0, offset <= UInt64(Int64.max) - MB_GUEST_TOP else { return K_EINVAL }
        let writes = shared && rgn.options & (K_WRITABLE | K_MAYWRITE) != 0
        if writes, segment.readOnly { return K_EPRIV }
        guard space.count < Self.mostRegions else { return K_ENOMEM }
        let placed = place(space, &rgn)
        guard placed == K_OK, let (start, end) = range(rgn) else { return placed }
        clearRewrites(actor, start, end)
        // A guest holds a descriptor that can write only where it may write.
        let descriptor = segment.readOnly || writes ? segment.cache : guest_reopen_readonly(segment.cache)
        guard descriptor >= 0 else { return K_EHOST }
        defer { if descriptor != segment.cache { closeDescriptor(descriptor) } }
        var flags = UInt64(MAP_FIXED) | UInt64(shared ? MAP_SHARED : MAP_PRIVATE)
        if rgn.options & K_NODEMAND != 0, segment.local == nil { flags |= UInt64(MAP_POPULATE) }
        // A mapper's segment becomes accessible at the faults.
        let prot = segment.local == nil ? protection(rgn.options) : UInt64(PROT_NONE)
        if segment.local != nil, writes { rgn.options |= K_MAYWRITE }
        let region = Region(
            start: start, end: end, options: rgn.options & Self.kept, opaque: rgn.opaque, segment: segment,
            offset: offset, isPrivate: !shared)
        return space.granting(start, end, region.charge) { [flags] in
            let result = command(actor) { agent in
                agent.process.passing { agent.map(descriptor, start, end - start, prot, flags, offset) }
            }
            let error = knError(host: result)
            if error == K_OK { space.insert(region) }
            return error
        }
    }

    public func rgnFree(_ actor: Actor, _ rgn: KnRgnDesc) -> Int32 {
        guard let space = space(actor) else { return K_EDEADACTOR }
        guard let (start, end) = range(rgn) else { return K_EINVAL }
        guard !space.parts(start, end).isEmpty else { return K_OK }
        guard space.count < Self.mostRegions else { return K_ENOMEM }
        clearRewrites(actor, start, end)
        let result = command(actor) { agent in
            agent.commanded(else: nil) { agent.hostCall(HOST_munmap, start, end - start) }
        }
        let error = knError(host: result)
        if error == K_OK { space.remove(start, end) }
        return error
    }

    public func rgnSetProtect(_ actor: Actor, _ rgn: KnRgnDesc) -> Int32 {
        guard let space = space(actor) else { return K_EDEADACTOR }
        guard let (start, end) = range(rgn) else { return K_EINVAL }
        guard space.isMapped(start, end) else { return K_EFAULT }
        guard space.count < Self.mostRegions else { return K_ENOMEM }
        if rgn.options & K_WRITABLE != 0 { clearRewrites(actor, start, end) }
        let access = K_READABLE | K_WRITABLE | K_EXECUTABLE | K_RESERVED
        let parts = space.parts(start, end)
        let paged = parts.filter { $0.segment?.local != nil }
        if rgn.options & K_WRITABLE != 0, paged.contains(where: { !$0.isPrivate && $0.options & K_MAYWRITE == 0 }) {
            return K_EPRIV
        }
        let changed = parts.map { part in
            var part = part
            part.options = part.options & ~access | rgn.options & access
            return part
        }
        return space.granting(start, end, changed.reduce(0) { $0 + $1.charge }) {
            let prot = protection(rgn.options)
            let result = command(actor) { agent in
                agent.commanded(else: nil) { () -> Int64? in
                    let result = agent.hostCall(HOST_mprotect, start, end - start, prot)
                    guard result == 0 else { return result }
                    // What comes of a mapper is given access to again at the faults.
                    return self.hide(agent, paged)
                }
            }
            let error = knError(host: result)
            if error == K_OK { for part in changed { space.insert(part) } }
            return error
        }
    }

    public func rgnMove(_ actor: Actor, _ old: KnRgnDesc, _ now: inout KnRgnDesc) -> Int32 {
        guard let space = space(actor) else { return K_EDEADACTOR }
        guard let (start, end) = range(old) else { return K_EINVAL }
        let parts = space.parts(start, end)
        guard let first = parts.first, space.isMapped(start, end) else { return K_EFAULT }
        guard parts.count == 1 else { return K_EFAULT }  // mremap(2): one mapping only
        let inPlace = now.options & K_ANYWHERE == 0 && now.startAddr == start
        if !inPlace {
            let placed = place(space, &now)
            guard placed == K_OK else { return placed }
        }
        guard let (newStart, newEnd) = range(now) else { return K_EINVAL }
        if inPlace, newEnd > end, !space.parts(end, newEnd).isEmpty { return K_ENOMEM }
        if !inPlace, newStart < end, start < newEnd { return K_EINVAL }
        clearRewrites(actor, start, end)
        clearRewrites(actor, newStart, newEnd)
        let flags: UInt64 = inPlace ? 0 : 3  // MREMAP_MAYMOVE | MREMAP_FIXED
        var region = first
        region.start = newStart
        region.end = newEnd
        let growth = region.charge > first.charge ? region.charge - first.charge : 0
        guard site.memory.reserve(growth) else { return K_ENOMEM }
        defer { site.memory.release(growth) }
        let result = command(actor) { [self] agent in
            agent.commanded(else: nil) { () -> Int64? in
                // The host moves one mapping: with access here and there it would be several.
                if first.segment?.local != nil, hide(agent, parts) != 0 { return nil }
                return agent.hostCall(HOST_mremap, start, end - start, newEnd - newStart, flags, newStart)
            }
        }
        let error = knError(host: result)
        guard error == K_OK else { return error }
        region.segment?.retainMapping()
        space.remove(start, end)
        space.insert(region)
        region.segment?.releaseMapping()
        return K_OK
    }

    /// Takes all access to the parts; 0, an error of the host, or nil if the guest is gone.
    func hide(_ agent: GuestThread, _ parts: [Region]) -> Int64? {
        for part in parts {
            let result = agent.hostCall(HOST_mprotect, part.start, part.size, UInt64(PROT_NONE))
            guard result == 0 else { return result }
        }
        return 0
    }

    public func rgnAdvise(_ actor: Actor, _ rgn: KnRgnDesc, _ advice: Int32) -> Int32 {
        guard let space = space(actor) else { return K_EDEADACTOR }
        guard let (start, end) = range(rgn) else { return K_EINVAL }
        guard space.isMapped(start, end) else { return K_EFAULT }
        // Only advice that stays inside the address space: never DONTFORK or what changes another's view.
        let allowed: Set<Int32> = [
            MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTNEED, 8, 14, 15, 20, 21,
        ]
        guard allowed.contains(advice) else { return K_EINVAL }
        return knError(
            host: command(actor) { agent in
                agent.commanded(else: nil) { agent.hostCall(HOST_madvise, start, end - start, UInt64(advice)) }
            })
    }

    public func rgnStat(_ actor: Actor, _ from: VmAddr, _ stats: UnsafeMutableBufferPointer<KnRgnStat>) -> Int32 {
        guard let space = space(actor) else { return K_EDEADACTOR }
        var count = 0
        for region in space.all where region.end > from {
            guard count < stats.count else { break }
            stats[count] = region.stat
            count += 1
        }
        return Int32(count)
    }
}
