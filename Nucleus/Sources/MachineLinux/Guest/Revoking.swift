import CChorus
import CMachine
import Glibc
import NucleusCore
import Synchronization

/// Access that is to be taken from the guests of one address space: by the stub of any of its threads, at its next post.
final class Revocation: @unchecked Sendable {
    // Sendable: `done` is only touched by atomic host calls.
    let space: GuestSpace
    let parts: [(region: Region, protection: UInt64)]
    /// 1 when it is done.
    let done = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)

    init(_ space: GuestSpace, _ parts: [(region: Region, protection: UInt64)]) {
        self.space = space
        self.parts = parts
        done.initialize(to: 0)
    }

    deinit { done.deallocate() }

    /// By the stub of `guest`, which is held; false if that is gone.
    func carryOut(_ guest: GuestThread) -> Bool {
        let told = guest.commanded(else: false) {
            for (region, protection) in parts {
                // Of a region that is gone meanwhile nothing is left to be taken.
                guard guest.hostCall(HOST_mprotect, region.start, region.size, protection) != nil else { return false }
            }
            return true
        }
        if told { finish() }
        return told
    }

    func finish() {
        mb_store(done, 1)
        _ = guest_futex_wake(done, Int32.max)
    }
}

/// Those that wait for a post. Every post looks at `any`.
final class Revocations: Sendable {
    private let count = Atomic<Int>(0)
    private let list = Mutex<[Revocation]>([])

    @inline(__always) var any: Bool { count.load(ordering: .sequentiallyConsistent) > 0 }

    func add(_ revocation: Revocation) {
        list.withLock { $0.append(revocation) }
        count.wrappingAdd(1, ordering: .sequentiallyConsistent)
    }

    func remove(_ revocation: Revocation) {
        count.wrappingSubtract(1, ordering: .sequentiallyConsistent)
        list.withLock { $0.removeAll { $0 === revocation } }
    }

    /// What concerns the guest, which has just posted.
    func carryOut(_ guest: GuestThread, _ guests: LinuxGuests) {
        guard let space = guests.space(guest.thread.actor) else { return }
        for revocation in list.withLock({ $0.filter { $0.space === space } }) where mb_load(revocation.done) == 0 {
            _ = revocation.carryOut(guest)
        }
    }
}

extension LinuxGuests {
    /// How long the guests of a space may take, in steps of 10 ms.
    private static var patience: Int { 1000 }

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

    private func revoke(_ space: GuestSpace, _ parts: [(region: Region, protection: UInt64)]) {
        let revocation = Revocation(space, parts)
        revocations.add(revocation)
        defer { revocations.remove(revocation) }
        for step in 0..<Self.patience {
            let inhabitants = site.allActors.filter { $0.isUnix && self.space($0) === space }
            let processes = inhabitants.compactMap { ($0.guest as? GuestActor)?.process }
            guard processes.contains(where: { !$0.dead.load(ordering: .acquiring) }) else { return }
            if mb_load(revocation.done) != 0 { return }
            // A thread that is held obeys at once; one that runs is made to post.
            if inhabitants.contains(where: { agent($0).map(revocation.carryOut) ?? false }) { return }
            if step % 100 == 0, let running = inhabitants.lazy.compactMap({ self.running($0) }).first {
                pool.owe(running)
            }
            TrapPool.willBlock()
            _ = guest_futex_wait(revocation.done, 0, 10_000_000)
        }
        for actor in site.allActors where actor.isUnix && self.space(actor) === space {
            guard let process = (actor.guest as? GuestActor)?.process else { continue }
            site.report(1, "guest \(process.pid.load(ordering: .relaxed)): keeps a mapping, killed")
            Reaper.shared.signal(process.pid.load(ordering: .relaxed), SIGKILL)
        }
    }

    private func running(_ actor: Actor) -> GuestThread? {
        (actor.guest as? GuestActor)?.threads.withLock { $0?.first { $0.standing == .running } }
    }
}
