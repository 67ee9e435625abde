import CMachine
import Synchronization

/// The mailboxes of a site: where each is mapped here, and which the pool polls.
///
/// All slots lie in one reserved range that is always readable (zeros where no mailbox is), so the pool may look at a
/// slot that is being freed. A slot's number also gives the mailbox's address in its guest, so it is unique there too.
final class AreaTable: @unchecked Sendable {
    // Sendable: the pointers never change, their targets are shared memory and atomics; the free list is locked.
    static var capacity: Int { 4096 }

    private let base: UnsafeMutableRawPointer
    /// 1: the pool polls the slot's mailbox.
    let polled: UnsafeMutablePointer<Atomic<UInt8>>
    /// Number of the last post that the nucleus took, per slot.
    let taken: UnsafeMutablePointer<Atomic<UInt32>>
    /// One behind the highest slot ever used.
    let high = Atomic<Int>(0)
    /// Free slots, oldest first: a slot rests before it is used again, since a guest thread that was told to leave may
    /// still be on its way out of its mailbox.
    private let free: Mutex<Ring>

    private struct Ring {
        var slots: [Int32]
        var first = 0
        var count: Int
        mutating func take() -> Int32? {
            guard count > 0 else { return nil }
            defer {
                first = (first + 1) % slots.count
                count -= 1
            }
            return slots[first]
        }
        mutating func put(_ slot: Int32) {
            slots[(first + count) % slots.count] = slot
            count += 1
        }
    }

    init?() {
        guard let base = guest_reserve(UInt64(Self.capacity) * MB_AREA_SIZE) else { return nil }
        self.base = base
        polled = .allocate(capacity: Self.capacity)
        taken = .allocate(capacity: Self.capacity)
        for i in 0..<Self.capacity {
            (polled + i).initialize(to: Atomic(0))
            (taken + i).initialize(to: Atomic(0))
        }
        free = Mutex(Ring(slots: Array(0..<Int32(Self.capacity)), count: Self.capacity))
    }

    @inline(__always) func area(_ slot: Int32) -> UnsafeMutablePointer<mb_area> {
        (base + Int(slot) * Int(MB_AREA_SIZE)).assumingMemoryBound(to: mb_area.self)
    }

    /// Address of the slot's mailbox in its guest.
    static func guestAddress(_ slot: Int32) -> UInt64 { MB_AREAS + UInt64(slot) * MB_AREA_SIZE }

    /// A fresh mailbox: its slot and descriptor. The caller closes the descriptor.
    func allocate() -> (slot: Int32, descriptor: Int32)? {
        guard let slot = free.withLock({ $0.take() }) else { return nil }
        let descriptor = guest_memfd("chorus-mailbox", MB_AREA_SIZE, 1)
        guard descriptor >= 0, guest_map_shared(area(slot), MB_AREA_SIZE, descriptor) != nil else {
            if descriptor >= 0 { closeDescriptor(descriptor) }
            free.withLock { $0.put(slot) }
            return nil
        }
        taken[Int(slot)].store(0, ordering: .relaxed)
        if Int(slot) >= high.load(ordering: .relaxed) { high.store(Int(slot) + 1, ordering: .relaxed) }
        return (slot, descriptor)
    }

    /// The mailbox is gone; its guest thread is dead or has left it.
    func release(_ slot: Int32) {
        polled[Int(slot)].store(0, ordering: .releasing)
        _ = guest_unreserve(area(slot), MB_AREA_SIZE)
        free.withLock { $0.put(slot) }
    }
}
