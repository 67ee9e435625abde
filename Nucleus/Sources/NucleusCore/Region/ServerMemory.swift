import CChorus
import Synchronization

/// rgn* calls of servers on themselves. What a server in user privilege maps it maps itself, in its host process
/// (chorus-actor-host), as it is told here; the nucleus keeps the list and the account.
extension Actor {
    private static var mostRegions: Int { 4096 }
    private var isElsewhere: Bool { guest is any ServerHost }

    /// The actor that a rgn* call concerns, if it is a server: the caller. Nil for a UNIX actor.
    func server(_ cap: UnsafePointer<KnCap>?) throws(KnError) -> Actor? {
        let target = try target(cap)
        if target.isUnix { return nil }
        guard target === self else { throw isPrivileged ? .invalid : .privilege }
        return self
    }

    private func range(_ rgn: KnRgnDesc) throws(KnError) -> (start: VmAddr, end: VmAddr) {
        let mask = ServerRegion.pageSize - 1
        let (size, over) = rgn.size.addingReportingOverflow(mask)
        let (end, beyond) = rgn.startAddr.addingReportingOverflow(size & ~mask)
        guard !over, !beyond, rgn.startAddr & mask == 0, size & ~mask > 0, end <= UInt64(Int64.max) else {
            throw .invalid
        }
        return (rgn.startAddr, end)
    }

    /// rgnAllocate; with a segment rgnMap (`shared`) and rgnInit. Never over what is there already.
    func allocate(
        _ rgn: inout KnRgnDesc, _ segment: Segment? = nil, offset: VmOffset = 0, shared: Bool = false
    ) throws(KnError) -> Int32 {
        if isDeleted { throw .deadActor }
        guard rgn.options & (K_RESTRICTIVE | K_INHERITSHARE | K_INHERITCOPY | K_GROWSDOWN) == 0,
            offset & (ServerRegion.pageSize - 1) == 0, offset <= UInt64(Int64.max)
        else { throw .invalid }
        // Nobody could bring it in at the faults.
        if segment?.local != nil { throw .notProvided }
        if shared, let segment, segment.readOnly, rgn.options & (K_WRITABLE | K_MAYWRITE) != 0 { throw .privilege }
        let anywhere = rgn.options & K_ANYWHERE != 0 && !isElsewhere
        if anywhere { rgn.startAddr = 0 }
        var (start, end) = try range(rgn)
        guard anywhere || start > 0 else { throw .invalid }
        var region = ServerRegion(
            start: start, end: end, options: rgn.options & ServerRegion.kept, opaque: rgn.opaque, segment: segment,
            offset: offset, isPrivate: !shared)
        // What it may write now it may make so again.
        if shared, region.options & K_WRITABLE != 0 { region.options |= K_MAYWRITE }
        guard account.reserve(region.charge) else { throw .noMemory }
        let charge = region.charge
        let code = regions.withLock { regions -> Int32 in
            guard regions.all.count < Self.mostRegions else { return K_ENOMEM }
            guard anywhere || regions.parts(start, end).isEmpty else { return K_EEXIST }
            if isElsewhere {
                // Its descriptor goes ahead of the answer.
                if let segment, let server = guest as? any ServerHost {
                    let code = server.send(
                        cache: segment.cache, readOnly: !shared || region.options & K_MAYWRITE == 0)
                    guard code >= 0 else { return code }
                }
            } else {
                let place = site.host.memoryMap(
                    start, end - start, region.options, segment?.cache ?? -1, offset, shared: shared)
                guard place > 0 else { return Int32(truncatingIfNeeded: place) }
                (start, end) = (UInt64(place), UInt64(place) + (end - start))
                (region.start, region.end) = (start, end)
            }
            regions.insert(region)
            return K_OK
        }
        guard code == K_OK else {
            account.release(charge)
            throw KnError(rawValue: code)
        }
        rgn.startAddr = start
        // Deleted meanwhile: nobody would free it.
        if isDeleted { freeRegions() }
        return K_OK
    }

    /// rgnFree: a range without holes.
    func free(_ rgn: KnRgnDesc) throws(KnError) -> Int32 {
        let (start, end) = try range(rgn)
        return regions.withLock { regions -> Int32 in
            guard regions.isMapped(start, end) else { return K_EFAULT }
            for part in regions.remove(start, end) { drop(part, stays: false) }
            return K_OK
        }
    }

    private func drop(_ part: ServerRegion, stays: Bool) {
        if !isElsewhere { site.host.memoryUnmap(part.start, part.size, stays: stays) }
        account.release(part.charge)
    }

    /// rgnSetProtect.
    func protect(_ rgn: KnRgnDesc) throws(KnError) -> Int32 {
        let (start, end) = try range(rgn)
        let access = K_READABLE | K_WRITABLE | K_EXECUTABLE | K_RESERVED
        let code = regions.withLock { regions -> Int32 in
            guard regions.isMapped(start, end) else { return K_EFAULT }
            let before = regions.parts(start, end)
            let after = before.map { part in
                var part = part
                part.options = part.options & ~access | rgn.options & access
                return part
            }
            if after.contains(where: {
                !$0.isPrivate && $0.options & (K_WRITABLE | K_MAYWRITE) == K_WRITABLE
            }) {
                return K_EPRIV
            }
            let (old, new) = (before.reduce(0) { $0 + $1.charge }, after.reduce(0) { $0 + $1.charge })
            guard old >= new || account.reserve(new - old) else { return K_ENOMEM }
            let code = isElsewhere ? K_OK : site.host.memoryProtect(start, end - start, rgn.options)
            guard code == K_OK else {
                if new > old { account.release(new - old) }
                return code
            }
            if old > new { account.release(old - new) }
            _ = regions.remove(start, end)
            for part in after { regions.insert(part) }
            return K_OK
        }
        guard code == K_OK else { throw KnError(rawValue: code) }
        return K_OK
    }

    /// rgnStat.
    func regionStats(_ from: VmAddr, _ stats: UnsafeMutableBufferPointer<KnRgnStat>) -> Int {
        let all = regions.withLock { $0.all }.filter { $0.end > from }.prefix(stats.count)
        for (i, region) in all.enumerated() { stats[i] = region.stat }
        return all.count
    }

    /// The actor goes, and its memory with it. While threads of a supervisor may still run the addresses stay, empty.
    func freeRegions() {
        let stays = state.withLock { $0.threads.values.contains { !$0.isForeign } }
        regions.withLock { regions in
            for part in regions.remove(0, UInt64(Int64.max)) { drop(part, stays: stays) }
        }
    }
}
