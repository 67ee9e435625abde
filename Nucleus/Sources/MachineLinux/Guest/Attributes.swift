import CChorus
import CMachine
import Glibc
import NucleusCore

/// Attributes of regions, over ranges that may have holes.
extension LinuxGuests {
    /// The parts of regions in a range, which is to have no more than the guest could bring about by itself.
    private func parts(_ actor: Actor, _ rgn: KnRgnDesc, _ body: (GuestSpace, [Region]) -> Int32) -> Int32 {
        guard let space = space(actor) else { return K_EDEADACTOR }
        guard let (start, end) = range(rgn) else { return K_EINVAL }
        guard space.count < Self.mostRegions else { return K_ENOMEM }
        return body(space, space.parts(start, end))
    }

    public func rgnSetInherit(_ actor: Actor, _ rgn: KnRgnDesc) -> Int32 {
        parts(actor, rgn) { space, parts in
            let inherit = K_INHERITSHARE | K_INHERITCOPY
            for part in parts where part.opaque != Region.vdso {
                if rgn.options & K_INHERITSHARE != 0, part.isPrivate {
                    let code = makeShareable(actor, space, part, isCopied: false)
                    guard code == K_OK else { return code }
                }
                for var now in space.parts(part.start, part.end) {
                    now.options = now.options & ~inherit | rgn.options
                    if rgn.options & K_INHERITSHARE != 0 { now.wasPrivate = false }
                    space.insert(now)
                }
            }
            return K_OK
        }
    }

    public func rgnSetOpaque(_ actor: Actor, _ rgn: KnRgnDesc) -> Int32 {
        parts(actor, rgn) { space, parts in
            for var part in parts where part.opaque != Region.vdso {
                part.opaque = rgn.opaque
                space.insert(part)
            }
            return K_OK
        }
    }

    public func rgnSetPaging(_ actor: Actor, _ rgn: KnRgnDesc) -> Int32 {
        parts(actor, rgn) { space, parts in
            for var part in parts where part.opaque != Region.vdso {
                part.options = part.options & ~(K_NODEMAND | K_NOWAITFORMEMORY) | rgn.options
                space.insert(part)
                guard rgn.options & K_NODEMAND != 0, part.options & K_RESERVED == 0 else { continue }
                let code = populate(actor, space, part)
                guard code == K_OK else { return code }
            }
            return K_OK
        }
    }

    /// Brings a region in, as far as there is something to bring.
    private func populate(_ actor: Actor, _ space: GuestSpace, _ part: Region) -> Int32 {
        if part.segment?.local != nil { return bringIn(actor, part.start, part.size, write: false) ? K_OK : K_EFAULT }
        // MADV_POPULATE_READ, or _WRITE for memory of its own: zeros that are only read are no memory yet.
        let isOwn = part.isPrivate && part.segment == nil && part.options & K_WRITABLE != 0
        let result = command(actor) { agent in
            agent.commanded(else: nil) { agent.hostCall(HOST_madvise, part.start, part.size, isOwn ? 23 : 22) }
        }
        // A host that knows no such advice, or a file that ends earlier, leaves it to the faults.
        return result == Int64(-ENOMEM) ? K_ENOMEM : result == nil ? K_EDEADACTOR : K_OK
    }

    public func rgnStat2(_ actor: Actor, _ from: VmAddr, _ stats: UnsafeMutableBufferPointer<KnRgnStat2>) -> Int32 {
        guard let space = space(actor) else { return K_EDEADACTOR }
        let pid = (actor.guest as? GuestActor)?.process?.pid.load(ordering: .acquiring) ?? 0
        var count = 0
        for region in space.all where region.end > from {
            guard count < stats.count else { break }
            let plain = region.stat
            var stat = KnRgnStat2()
            (stat.rgn, stat.object, stat.isPrivate) = (plain.rgn, plain.object, plain.isPrivate)
            if let local = region.segment?.local {
                stat.mapper = local.mapperName
                (stat.resident, stat.dirty) = local.residence(region.offset, region.size)
            } else if pid > 0, region.options & K_RESERVED == 0 {
                stat.resident = guest_resident(pid, region.start, region.end)
            }
            stats[count] = stat
            count += 1
        }
        return Int32(count)
    }
}
