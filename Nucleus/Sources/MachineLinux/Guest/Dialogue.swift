import CChorus
import CMachine
import Glibc
import NucleusCore
import Synchronization

/// Commanding a held thread's stub. Callers hold `dialogue`.
extension GuestThread {
    /// Queues one operation; its index, valid until the next `flush`.
    func queue(
        _ op: Int, number: Int = 0, fd: UInt32 = OP_NOFD, _ a0: UInt64 = 0, _ a1: UInt64 = 0, _ a2: UInt64 = 0,
        _ a3: UInt64 = 0, _ a4: UInt64 = 0, _ a5: UInt64 = 0
    ) -> Int {
        let index = queued
        let slot = mb_ops(area) + index
        slot.pointee.op = UInt32(op)
        slot.pointee.fd = fd
        slot.pointee.number = UInt64(number)
        slot.pointee.args = (a0, a1, a2, a3, a4, a5)
        slot.pointee.result = 0
        queued = index + 1
        return index
    }

    /// A context that came through the gate becomes one that can be resumed as a whole, or copied. Once a trap; false if
    /// the guest is gone.
    func saveFpu() -> Bool {
        guard frame == UInt32(MB_GATE_FRAME), !fpuSaved else { return true }
        guard reserve(operations: 1) else { return false }
        _ = queue(OP_SAVEFPU)
        fpuSaved = true
        return true
    }

    func result(_ index: Int) -> Int64 { mb_ops(area)[index].result }

    /// Makes room for `operations` more and `payload` bytes, sending what is queued if need be.
    func reserve(operations: Int, payload: Int = 0) -> Bool {
        if queued + operations <= Int(MB_OPCOUNT), payloadUsed + payload <= Self.copyMax { return true }
        return flush()
    }

    /// Sends what is queued and waits until it is done; false if the guest is gone.
    /// Failures of deferred copies among it are remembered for the resume.
    func flush(deferred: Int? = nil) -> Bool {
        let count = queued
        guard count > 0 else { return true }
        let late = deferred ?? count
        send(UInt32(ACT_MORE))
        guard awaitDone() else { return false }
        for i in 0..<late where mb_ops(area)[i].op == UInt32(OP_COPYOUT) && result(i) < 0 { deferredFault = true }
        return true
    }

    /// Runs one operation behind what is queued; its result, or nil if the guest is gone.
    func perform(
        _ op: Int, number: Int = 0, fd: UInt32 = OP_NOFD, _ a0: UInt64 = 0, _ a1: UInt64 = 0, _ a2: UInt64 = 0,
        _ a3: UInt64 = 0, _ a4: UInt64 = 0, _ a5: UInt64 = 0
    ) -> Int64? {
        guard reserve(operations: 1) else { return nil }
        let index = queue(op, number: number, fd: fd, a0, a1, a2, a3, a4, a5)
        guard flush(deferred: index) else { return nil }
        return result(index)
    }

    func hostCall(
        _ number: Int, _ a0: UInt64 = 0, _ a1: UInt64 = 0, _ a2: UInt64 = 0, _ a3: UInt64 = 0,
        _ a4: UInt64 = 0, _ a5: UInt64 = 0
    ) -> Int64? { perform(OP_SYSCALL, number: number, a0, a1, a2, a3, a4, a5) }

    /// Answers the post in hand with what is queued and `action`.
    func send(_ action: UInt32) {
        area.pointee.nucleus.opCount = UInt32(queued)
        area.pointee.nucleus.action = action
        queued = 0
        payloadUsed = 0
        let post = guests.areas.taken[Int(slot)].load(ordering: .relaxed)
        withUnsafeMutablePointer(to: &area.pointee.nucleus.reply) { word in
            mb_store(word, post)
            mb_fence()
            // Never wake a side that does not sleep: it costs microseconds (trap.md).
            if withUnsafePointer(to: &area.pointee.guest.sleeping, { mb_load($0) }) != 0 {
                _ = guest_futex_wake(word, 1)
            }
        }
    }

    /// Waits for the post that follows the answer just sent.
    private func awaitDone() -> Bool {
        let last = guests.areas.taken[Int(slot)].load(ordering: .relaxed)
        let word = withUnsafeMutablePointer(to: &area.pointee.guest.post) { $0 }
        func arrived() -> Bool {
            let post = mb_load(word)
            guard Int32(bitPattern: post &- last) > 0 else { return false }
            guests.areas.taken[Int(slot)].store(post, ordering: .relaxed)
            return true
        }
        for _ in 0..<guests.policy.spin {
            if arrived() { return true }
            mb_pause()
        }
        if contended > 0 {
            contended -= 1
        } else {
            for _ in 0..<guests.policy.yield {
                if arrived() { return true }
                guard guest_yield() != 0 else { continue }
                contended = MB_CONTENDED
                break
            }
        }
        let sleeping = withUnsafeMutablePointer(to: &area.pointee.nucleus.sleeping) { $0 }
        mb_store(sleeping, 1)
        mb_fence()
        defer { mb_store(sleeping, 0) }
        // In slices: a dying guest wakes nobody. After the first one the pool goes on without this thread.
        var slice: Int64 = 200_000
        var slices = 0
        while !arrived() {
            if process.dead.load(ordering: .acquiring) { return false }
            _ = guest_futex_wait(word, mb_load(word) == last ? last : last &- 1, slice)
            slices += 1
            if slices == 1 {
                TrapPool.willBlock()
                slice = 10_000_000
            } else if slices % Self.patience == 0 {
                guests.loseSilent(process)
            }
        }
        return true
    }

    /// How long a stub may take for what it is told, in slices: time in which nobody runs does not count.
    private static var patience: Int { 1000 }
}
