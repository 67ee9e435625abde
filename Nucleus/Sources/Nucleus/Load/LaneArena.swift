import CLane
import Glibc
import NucleusCore
import Synchronization

/// The bodies that a user actor holds: memory that its host process has mapped too. What is where is known here alone, so
/// that the actor can spoil its own bodies only.
final class LaneArena: BodyArena, @unchecked Sendable {  // Sendable: constants, and the map of it behind a mutex.
    private let base: UnsafeMutableRawPointer
    private static let page = 4096
    /// Memory above this offset is given back to the host when it is free; what is below stays at hand.
    private static let kept = 8 << 20
    private static let whole = [1..<Int(KN_LANE_ARENA) / page]
    /// Free parts in pages, in order, no two adjacent. Place 0 says that there is no body.
    private let free = Mutex<[Range<Int>]>(whole)
    private let isRetired = Atomic<Bool>(false)

    /// nil: the host refuses. `share` is given its descriptor for a moment.
    init?(_ share: (Int32) -> Bool) {
        var bytes: UnsafeMutableRawPointer?
        let descriptor = kn_lane_memory("bodies", UInt64(KN_LANE_ARENA), &bytes)
        guard descriptor >= 0, let bytes else { return nil }
        defer { close(descriptor) }
        base = bytes
        // The memory is unmapped with the arena.
        guard share(descriptor) else { return nil }
    }

    deinit { if !free.withLock({ $0.isEmpty && isRetired.load(ordering: .relaxed) }) { unmap() } }

    private func unmap() { kn_lane_unmap(base, UInt64(KN_LANE_ARENA)) }

    /// With the last body the memory goes: what is not there cannot be taken.
    private func goIfEmpty(_ free: inout [Range<Int>]) {
        guard isRetired.load(ordering: .relaxed), free == LaneArena.whole else { return }
        free = []
        unmap()
    }

    /// The host process is gone: nothing is kept at hand for it.
    func retire() {
        free.withLock { free in
            isRetired.store(true, ordering: .relaxed)
            for part in free {
                kn_lane_discard(base + part.lowerBound * LaneArena.page, UInt64(part.count * LaneArena.page))
            }
            goIfEmpty(&free)
        }
    }

    private func pages(_ size: Int) -> Int { (size + LaneArena.page - 1) / LaneArena.page }

    func take(_ size: Int) -> MessageBody? {
        let count = pages(size)
        let start = free.withLock { free -> Int? in
            guard count > 0, let index = free.firstIndex(where: { $0.count >= count }) else { return nil }
            let part = free[index]
            if part.count == count {
                free.remove(at: index)
            } else {
                free[index] = part.lowerBound + count..<part.upperBound
            }
            return part.lowerBound
        }
        guard let start else { return nil }
        let offset = start * LaneArena.page
        return MessageBody(base + offset, count * LaneArena.page, name: UInt64(offset), in: self)
    }

    func give(_ name: UInt64, _ size: Int) {
        let offset = Int(name)
        if offset >= LaneArena.kept || isRetired.load(ordering: .relaxed) {
            kn_lane_discard(base + offset, UInt64(size))
        }
        let first = offset / LaneArena.page
        var part = first..<first + pages(size)
        free.withLock { free in
            var index = free.firstIndex { $0.lowerBound >= part.upperBound } ?? free.count
            if index < free.count, free[index].lowerBound == part.upperBound {
                part = part.lowerBound..<free.remove(at: index).upperBound
            }
            if index > 0, free[index - 1].upperBound == part.lowerBound {
                index -= 1
                part = free.remove(at: index).lowerBound..<part.upperBound
            }
            free.insert(part, at: index)
            goIfEmpty(&free)
        }
    }
}
