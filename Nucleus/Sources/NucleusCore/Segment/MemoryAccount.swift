import Synchronization

/// Memory that is held, against what was granted (0: no limit): of an actor's segments, and of the whole site, which is the
/// `parent` of its actors' accounts.
public final class MemoryAccount: Sendable {
    public let limit = Atomic<UInt64>(0)
    private let used = Atomic<UInt64>(0)
    private let parent: MemoryAccount?
    /// Segments of shared memory that are charged here.
    let shared = Atomic<Int>(0)

    init(parent: MemoryAccount? = nil) { self.parent = parent }

    /// Bytes.
    public var held: UInt64 { used.load(ordering: .relaxed) }
    public var isLimited: Bool { limit.load(ordering: .relaxed) != 0 || parent?.isLimited == true }

    public func move(from old: UInt64, to new: UInt64) {
        if new > old { used.wrappingAdd(new - old, ordering: .relaxed) }
        if new < old { used.wrappingSubtract(old - new, ordering: .relaxed) }
        parent?.move(from: old, to: new)
    }

    /// Takes `growth` bytes, or nothing where that would pass a limit.
    public func reserve(_ growth: UInt64) -> Bool {
        var now = held
        while true {
            let (sum, over) = now.addingReportingOverflow(growth)
            let limit = limit.load(ordering: .relaxed)
            if over || limit != 0 && growth > 0 && sum > limit { return false }
            let (done, seen) = used.compareExchange(expected: now, desired: sum, ordering: .relaxed)
            if done { break }
            now = seen
        }
        guard let parent, !parent.reserve(growth) else { return true }
        used.wrappingSubtract(growth, ordering: .relaxed)
        return false
    }

    public func release(_ bytes: UInt64) { move(from: bytes, to: 0) }

    func admits(_ growth: UInt64) -> Bool {
        let limit = limit.load(ordering: .relaxed)
        let (sum, over) = held.addingReportingOverflow(growth)
        return !over && (limit == 0 || sum <= limit) && parent?.admits(growth) != false
    }
}

extension Segment {
    /// Whether the owner's limit lets `count` bytes be written. Asks the host only where there is a limit.
    func admits(_ offset: UInt64, _ count: Int, _ state: inout State) -> Bool {
        guard account.isLimited, !adopted, !committed else { return true }
        recharge(&state)
        // All there already: nothing grows.
        if offset + UInt64(count) <= state.size && state.charged >= state.size { return true }
        return account.admits(UInt64(count))
    }

    /// Charges what the host holds for the segment now.
    func recharge(_ state: inout State) {
        guard account.isLimited, !adopted, !committed else { return }
        let resident = host.cacheSize(cache).resident
        account.move(from: state.charged, to: resident)
        state.charged = resident
    }
}
