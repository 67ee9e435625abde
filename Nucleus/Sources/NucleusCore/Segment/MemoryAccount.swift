import Synchronization

/// The memory that an actor's segments hold, against what it was granted (0: no limit).
final class MemoryAccount: Sendable {
    let limit = Atomic<UInt64>(0)
    private let used = Atomic<UInt64>(0)

    var isLimited: Bool { limit.load(ordering: .relaxed) != 0 }

    func move(from old: UInt64, to new: UInt64) {
        if new > old { used.wrappingAdd(new - old, ordering: .relaxed) }
        if new < old { used.wrappingSubtract(old - new, ordering: .relaxed) }
    }

    func admits(_ growth: UInt64) -> Bool {
        let (sum, over) = used.load(ordering: .relaxed).addingReportingOverflow(growth)
        return !over && sum <= limit.load(ordering: .relaxed)
    }
}

extension Segment {
    /// Whether the owner's limit lets `count` bytes be written. Asks the host only where there is a limit.
    func admits(_ offset: UInt64, _ count: Int, _ state: inout State) -> Bool {
        guard account.isLimited, !adopted else { return true }
        recharge(&state)
        // All there already: nothing grows.
        if offset + UInt64(count) <= state.size && state.charged >= state.size { return true }
        return account.admits(UInt64(count))
    }

    /// Charges what the host holds for the segment now.
    func recharge(_ state: inout State) {
        guard account.isLimited, !adopted else { return }
        let resident = host.cacheSize(cache).resident
        account.move(from: state.charged, to: resident)
        state.charged = resident
    }
}
