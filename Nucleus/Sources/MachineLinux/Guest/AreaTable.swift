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
    /// Free slots. One that was used rests while `resting` others are used again, since a guest thread that was told to
    /// leave may still be on its way out of its mailbox; fresh ones are taken only as needed, so that few are polled.
    private let free: Mutex<Free>
    private static var resting: Int { 1024 }

    private struct Free {
        var fresh: Int32 = 1  // 0 is the zygote's
        var used: [Int32] = []
        var first = 0
        mutating func take() -> Int32? {
            let rested = used.count - first
            if Int(fresh) < AreaTable.capacity, rested <= AreaTable.resting {
                defer { fresh += 1 }
                return fresh
            }
            guard rested > 0 else { return nil }
            first += 1
            let slot = used[first - 1]
            if first >= 4096 {
                used.removeFirst(first)
                first = 0
            }
            return slot
        }
        mutating func put(_ slot: Int32) { used.append(slot) }
    }

    init?() {
        guard let base = guest_reserve(UInt64(Self.capacity) * MB_AREA_SIZE) else { return nil }
        self.base = base
        // Aligned: the pool looks at eight at once.
        polled = UnsafeMutableRawPointer.allocate(byteCount: Self.capacity, alignment: 64)
            .bindMemory(to: Atomic<UInt8>.self, capacity: Self.capacity)
        taken = .allocate(capacity: Self.capacity)
        for i in 0..<Self.capacity {
            (polled + i).initialize(to: Atomic(0))
            (taken + i).initialize(to: Atomic(0))
        }
        free = Mutex(Free())
    }

    /// Whether any of the eight slots from `slot` (a multiple of eight) is polled.
    @inline(__always) func anyPolled(_ slot: Int) -> Bool { guest_load64(polled + slot) != 0 }

    /// Whether any guest thread runs.
    var anyRuns: Bool {
        stride(from: 0, to: high.load(ordering: .acquiring), by: 8).contains { anyPolled($0) }
    }

    @inline(__always) func area(_ slot: Int32) -> UnsafeMutablePointer<mb_area> {
        (base + Int(slot) * Int(MB_AREA_SIZE)).assumingMemoryBound(to: mb_area.self)
    }

    /// Address of the slot's mailbox in its guest.
    static func guestAddress(_ slot: Int32) -> UInt64 { MB_AREAS + UInt64(slot) * MB_AREA_SIZE }

    /// A fresh mailbox: its slot and descriptor. The caller closes the descriptor.
    func allocate() -> (slot: Int32, descriptor: Int32)? {
        guard let slot = free.withLock({ $0.take() }) else { return nil }
        guard let descriptor = map(slot) else {
            free.withLock { $0.put(slot) }
            return nil
        }
        return (slot, descriptor)
    }

    /// The mailbox of a new zygote, always in slot 0; its descriptor.
    func allocateFirst() -> Int32? { map(0) }

    private func map(_ slot: Int32) -> Int32? {
        let descriptor = guest_memfd("chorus-mailbox", MB_AREA_SIZE, 1)
        guard descriptor >= 0 else { return nil }
        guard guest_map_shared(area(slot), MB_AREA_SIZE, descriptor) != nil else {
            _ = guest_unreserve(area(slot), MB_AREA_SIZE)
            closeDescriptor(descriptor)
            return nil
        }
        taken[Int(slot)].store(0, ordering: .relaxed)
        high.max(Int(slot) + 1, ordering: .acquiringAndReleasing)
        return descriptor
    }

    /// The mailbox is gone; its guest thread is dead or has left it.
    func release(_ slot: Int32) {
        polled[Int(slot)].store(0, ordering: .releasing)
        _ = guest_unreserve(area(slot), MB_AREA_SIZE)
        if slot != 0 { free.withLock { $0.put(slot) } }
    }
}
