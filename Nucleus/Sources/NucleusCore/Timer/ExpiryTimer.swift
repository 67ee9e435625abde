import CChorus
import Synchronization

/// A timer: its expiry posts bits to an event.
final class ExpiryTimer: @unchecked Sendable {
    // Sendable: constants; the rest is behind the lock of `TimerQueue`.
    let li: Int32
    let owner: Actor
    let event: KnUniqueId
    let bits: UInt32
    /// In the heap; -1 unarmed.
    var place = -1
    /// CLOCK_MONOTONIC ns.
    var expiry: UInt64 = 0
    var interval: UInt64 = 0
    var expirations: UInt64 = 0
    var overruns: UInt64 = 0
    var deleted = false

    init(li: Int32, owner: Actor, event: KnUniqueId, bits: UInt32) {
        self.li = li
        self.owner = owner
        self.event = event
        self.bits = bits
    }

    /// It has expired at least once by `now`. True if it expires again.
    func expire(_ now: UInt64) -> Bool {
        let missed = interval > 0 ? (now &- expiry) / interval : 0
        expirations &+= missed &+ 1
        overruns &+= missed
        guard interval > 0 else { return false }
        // No later expiry can be told apart from never.
        let (next, beyond) = expiry.addingReportingOverflow((missed &+ 1) &* interval)
        expiry = beyond ? UInt64.max : next
        return true
    }
}

extension Site {
    func createTimer(_ actor: Actor, _ event: KnUniqueId, _ bits: UInt32) throws(KnError) -> KnTimer {
        guard bits != 0 else { throw .invalid }
        guard events.find(event.raw) != nil else { throw .unknown }
        guard actor.holdObject() else { throw .noMemory }
        while true {
            let timer = ExpiryTimer(li: sparseLi(), owner: actor, event: event, bits: bits)
            guard timers.timers.insert(UInt64(UInt32(bitPattern: timer.li)), timer) else { continue }
            // Deleted in this instant: its objects may have been collected already.
            if actor.isDeleted {
                deleteTimer(timer)
                throw .deadActor
            }
            return KnTimer(li: timer.li)
        }
    }

    /// A timer belongs to its maker.
    func timer(_ timer: KnTimer, of actor: Actor) throws(KnError) -> ExpiryTimer {
        guard let found = timers.timers.find(UInt64(UInt32(bitPattern: timer.li))) else { throw .unknown }
        guard found.owner === actor || actor.isPrivileged else { throw .privilege }
        return found
    }

    func deleteTimer(_ timer: ExpiryTimer) {
        guard timers.timers.remove(UInt64(UInt32(bitPattern: timer.li))) != nil else { return }
        timers.cancel(timer)
        timer.owner.dropObject()
    }
}
