import CChorus
import CMachine
import Glibc
import NucleusCore
import Synchronization

extension LinuxGuests {
    public func cacheRevoke(_ segment: Segment, _ ranges: [Range<UInt64>], keepReading: Bool) {
        var seen: [GuestSpace] = []
        for actor in site.allActors where actor.isUnix {
            guard let space = space(actor), space.isPaged, !seen.contains(where: { $0 === space }) else { continue }
            seen.append(space)
            var parts: [(region: Region, protection: UInt64)] = []
            // A private copy is never written through.
            for region in space.all where region.segment === segment && !(keepReading && region.isPrivate) {
                for range in ranges {
                    let mapped = range.clamped(to: region.offset..<region.offset + region.size)
                    guard !mapped.isEmpty else { continue }
                    let start = region.start + (mapped.lowerBound - region.offset)
                    let part = region.clipped(start, start + UInt64(mapped.count))
                    let kept = protection(region.options) & ~UInt64(PROT_WRITE)
                    parts.append((part, keepReading ? kept : UInt64(PROT_NONE)))
                }
            }
            if !parts.isEmpty { revoke(space, parts) }
        }
    }

    /// Guests that do not obey are ended.
    private func revoke(_ space: GuestSpace, _ parts: [(region: Region, protection: UInt64)]) {
        let end = errand(space) { guest in
            guest.commanded(else: nil) { () -> Int64? in
                for (region, protection) in parts {
                    // Of a region that is gone meanwhile nothing is left to be taken.
                    guard guest.hostCall(HOST_mprotect, region.start, region.size, protection) != nil else {
                        return nil
                    }
                }
                return 0
            }
        }
        guard case .late = end else { return }
        for actor in site.allActors where actor.isUnix && self.space(actor) === space {
            guard let process = (actor.guest as? GuestActor)?.process else { continue }
            site.report(1, "guest \(process.pid.load(ordering: .relaxed)): keeps a mapping, killed")
            Reaper.shared.signal(process.pid.load(ordering: .relaxed), SIGKILL)
        }
    }
}
