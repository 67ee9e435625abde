import CChorus
import NucleusCore
import Synchronization

/// Suspended guest threads. One that runs is kicked and stays in its stub, with its whole context; one that is in a trap is
/// kicked when it leaves it. Only when nobody suspends it any more does it go on.
extension LinuxGuests {
    public func threadSuspend(_ thread: Thread) -> Int32 {
        guard let guest = guest(thread), guest.standing != .dead else { return K_EUNKNOWN }
        guest.suspends.wrappingAdd(1, ordering: .sequentiallyConsistent)
        // In a trap: taken up at the resume, and a call that it makes itself waits on undisturbed.
        if guest.standing == .running { pool.owe(guest) }
        return K_OK
    }

    public func threadResume(_ thread: Thread) -> Int32 {
        guard let guest = guest(thread), guest.standing != .dead else { return K_EUNKNOWN }
        var count = guest.suspends.load(ordering: .relaxed)
        while true {
            guard count > 0 else { return K_EINVAL }
            let (done, seen) = guest.suspends.compareExchange(
                expected: count, desired: count - 1, ordering: .sequentiallyConsistent)
            if done { break }
            count = seen
        }
        if count == 1 { letGo(guest) }
        return K_OK
    }

    /// At a kick: holds the thread if it is suspended. False if it is not. `aborted`: the kick was for an abort too.
    func hold(_ guest: GuestThread, _ serial: UInt64, aborted: Bool) -> Bool {
        guard guest.suspends.load(ordering: .sequentiallyConsistent) > 0 else { return false }
        if aborted { guest.abortOwed.store(true, ordering: .sequentiallyConsistent) }
        guest.ownCall.store(false, ordering: .sequentiallyConsistent)
        guest.holding.store(true, ordering: .sequentiallyConsistent)
        settle(guest, serial, K_PARKED, 0)
        // Resumed between the two: whoever did it may have seen nobody held.
        if guest.suspends.load(ordering: .sequentiallyConsistent) == 0 { letGo(guest) }
        return true
    }

    private func letGo(_ guest: GuestThread) {
        guard guest.holding.exchange(false, ordering: .sequentiallyConsistent) else { return }
        let serial = guest.status.load(ordering: .acquiring) >> 8
        guard guest.move(serial, from: .parked, to: .leaving) || guest.move(serial, from: .trapped, to: .leaving) else {
            return
        }
        // An abort that came meanwhile is taken up now.
        if guest.abortOwed.load(ordering: .sequentiallyConsistent) {
            guest.kick.store(true, ordering: .sequentiallyConsistent)
        }
        resume(guest, serial, 0, whole: true)
    }
}

extension GuestThread {
    @inline(__always) func takeAbortOwed() -> Bool {
        abortOwed.load(ordering: .relaxed) && abortOwed.exchange(false, ordering: .sequentiallyConsistent)
    }
}
