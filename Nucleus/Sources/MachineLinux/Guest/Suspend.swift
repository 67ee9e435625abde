import CChorus
import CMachine
import NucleusCore
import Synchronization

/// Suspended guest threads. One that runs is kicked and stays in its stub, with its whole context; one that is in a trap
/// stays there when that is done. Only when nobody suspends it any more does it go on.
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

    /// A kick for a suspension (and, if `aborted`, for an abort too): the thread is held by its resume.
    func hold(_ guest: GuestThread, _ serial: UInt64, aborted: Bool) {
        if aborted { guest.abortOwed.store(true, ordering: .sequentiallyConsistent) }
        guest.ownCall.store(false, ordering: .sequentiallyConsistent)
        guard guest.move(serial, from: .trapped, to: .leaving) else { return }
        resume(guest, serial, 0, whole: true)
    }

    /// A suspended thread that would go on stays where it is.
    func holdBack(_ guest: GuestThread, _ serial: UInt64, _ result: Int64, whole: Bool) {
        guest.heldResult = result
        guest.heldWhole = whole
        guest.dialogue.withLock { _ in
            guard guest.move(serial, from: .leaving, to: .parked) else { return }  // dead
            withUnsafeMutablePointer(to: &guest.area.pointee.nucleus.park) {
                mb_store($0, areas.taken[Int(guest.slot)].load(ordering: .relaxed))
            }
        }
        guest.holding.store(true, ordering: .sequentiallyConsistent)
        // Resumed between the two: whoever did it saw nobody held.
        if guest.suspends.load(ordering: .sequentiallyConsistent) == 0 { letGo(guest) }
    }

    private func letGo(_ guest: GuestThread) {
        guard guest.holding.exchange(false, ordering: .sequentiallyConsistent) else { return }
        let serial = guest.status.load(ordering: .acquiring) >> 8
        guard guest.move(serial, from: .parked, to: .leaving) else { return }
        // An abort that came meanwhile is taken up now.
        if guest.abortOwed.load(ordering: .sequentiallyConsistent) {
            guest.kick.store(true, ordering: .sequentiallyConsistent)
        }
        resume(guest, serial, guest.heldResult, whole: guest.heldWhole)
    }
}

extension GuestThread {
    @inline(__always) func takeAbortOwed() -> Bool {
        abortOwed.load(ordering: .relaxed) && abortOwed.exchange(false, ordering: .sequentiallyConsistent)
    }
}
