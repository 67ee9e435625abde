import CChorus
import Synchronization

/// The black box: a ring of the last events of a site. Writers never wait; an entry being overwritten while it is
/// read is left out.
public final class TraceRing: @unchecked Sendable {
    // Sendable: entries carry a sequence that says whether they are whole.
    public struct Entry: Sendable {
        public var sequence: UInt64
        public var time: UInt64
        public var thread: KnThreadLid
        public var kind: UInt32
        public var a: UInt64
        public var b: UInt64
    }

    public static var capacity: Int { 4096 }
    private static var words: Int { 5 }
    private let host: any HostServices
    private let next = Atomic<UInt64>(0)
    /// Per entry: sequence + 1 (0 while written), time, thread and kind, a, b. All atomic, so that a reader may meet
    /// a writer.
    private let cells: UnsafeMutablePointer<Atomic<UInt64>>

    init(host: any HostServices) {
        self.host = host
        cells = .allocate(capacity: Self.capacity * Self.words)
        for i in 0..<Self.capacity * Self.words { (cells + i).initialize(to: Atomic(0)) }
    }

    deinit {
        cells.deinitialize(count: Self.capacity * Self.words)
        cells.deallocate()
    }

    public func add(_ kind: UInt32, _ a: UInt64, _ b: UInt64, thread: KnThreadLid = 0) {
        let sequence = next.wrappingAdd(1, ordering: .relaxed).oldValue
        let cell = cells + Int(sequence % UInt64(Self.capacity)) * Self.words
        cell[0].store(0, ordering: .sequentiallyConsistent)
        cell[1].store(host.now(), ordering: .relaxed)
        cell[2].store(UInt64(UInt32(bitPattern: thread)) &<< 32 | UInt64(kind), ordering: .relaxed)
        cell[3].store(a, ordering: .relaxed)
        cell[4].store(b, ordering: .relaxed)
        cell[0].store(sequence &+ 1, ordering: .releasing)
    }

    /// Oldest first.
    public var entries: [Entry] {
        let end = next.load(ordering: .acquiring)
        let start = end > UInt64(Self.capacity) ? end - UInt64(Self.capacity) : 0
        var found: [Entry] = []
        for sequence in start..<end {
            let cell = cells + Int(sequence % UInt64(Self.capacity)) * Self.words
            guard cell[0].load(ordering: .acquiring) == sequence &+ 1 else { continue }
            let who = cell[2].load(ordering: .relaxed)
            let entry = Entry(
                sequence: sequence, time: cell[1].load(ordering: .relaxed),
                thread: Int32(truncatingIfNeeded: who &>> 32), kind: UInt32(truncatingIfNeeded: who),
                a: cell[3].load(ordering: .relaxed), b: cell[4].load(ordering: .relaxed))
            atomicMemoryFence(ordering: .acquiring)
            if cell[0].load(ordering: .relaxed) == sequence &+ 1 { found.append(entry) }
        }
        return found
    }
}
