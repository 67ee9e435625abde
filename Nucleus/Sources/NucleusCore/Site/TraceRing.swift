import CChorus
import Synchronization

/// The black box: a ring of the last events of a site. Writers never wait, and take no lock. An entry that is being
/// overwritten is left out by readers; a writer that finds a slower one still in its cell, a whole ring behind, gives
/// up its event.
public final class TraceRing: @unchecked Sendable {
    // Sendable: cells are atomic, and their state says whether they are whole.
    public static var capacity: Int { 4096 }
    private static var words: Int { 8 }
    /// States of a cell: being written, never written, or the sequence + 2 of what it holds.
    private static var busy: UInt64 { 0 }
    private static var empty: UInt64 { 1 }

    private let host: any HostServices
    private let ticks: @convention(c) () -> UInt64
    /// Both clocks when the ring was made: later readings of both say how fast ticks are.
    private let start: (ticks: UInt64, time: UInt64)
    private let next = Atomic<UInt64>(0)
    /// Per entry, a line of the cache: state, ticks at the beginning, ticks it took, thread and kind, four values.
    private let cells: UnsafeMutablePointer<Atomic<UInt64>>

    init(host: any HostServices) {
        self.host = host
        ticks = host.ticks
        start = (ticks(), host.now())
        let count = Self.capacity * Self.words
        cells = UnsafeMutableRawPointer.allocate(byteCount: count * 8, alignment: 64)
            .bindMemory(to: Atomic<UInt64>.self, capacity: count)
        for i in 0..<count { (cells + i).initialize(to: Atomic(Self.empty)) }
    }

    deinit {
        cells.deinitialize(count: Self.capacity * Self.words)
        UnsafeMutableRawPointer(cells).deallocate()
    }

    /// For `since` of an event that takes time.
    @inline(__always) public func begin() -> UInt64 { ticks() }

    /// An event of this moment, or one that began at `since` and ends now.
    public func add(
        _ kind: UInt32, _ a: UInt64, _ b: UInt64, _ c: UInt64 = 0, _ d: UInt64 = 0, thread: KnThreadLid = 0,
        since begin: UInt64 = 0
    ) {
        let now = ticks()
        let sequence = next.wrappingAdd(1, ordering: .relaxed).oldValue
        let cell = cells + Int(truncatingIfNeeded: sequence & UInt64(Self.capacity - 1)) * Self.words
        guard cell[0].exchange(Self.busy, ordering: .acquiringAndReleasing) != Self.busy else { return }
        cell[1].store(begin == 0 ? now : begin, ordering: .relaxed)
        cell[2].store(begin == 0 ? 0 : now &- begin, ordering: .relaxed)
        cell[3].store(UInt64(UInt32(bitPattern: thread)) &<< 32 | UInt64(kind), ordering: .relaxed)
        cell[4].store(a, ordering: .relaxed)
        cell[5].store(b, ordering: .relaxed)
        cell[6].store(c, ordering: .relaxed)
        cell[7].store(d, ordering: .relaxed)
        cell[0].store(sequence &+ 2, ordering: .releasing)
    }

    /// Events from `first` on, oldest first, as many as there is room for; how many.
    public func read(from first: UInt64, _ room: UnsafeMutableBufferPointer<KnTraceEvent>) -> Int {
        let clock = Clock(start: start, ticks: ticks(), time: host.now())
        let end = next.load(ordering: .acquiring)
        let oldest = end > UInt64(Self.capacity) ? end - UInt64(Self.capacity) : 0
        var sequence = max(first, oldest)
        var found = 0
        while sequence < end, found < room.count {
            if let event = event(sequence, clock) {
                room[found] = event
                found += 1
            }
            sequence += 1
        }
        return found
    }

    private func event(_ sequence: UInt64, _ clock: Clock) -> KnTraceEvent? {
        let cell = cells + Int(truncatingIfNeeded: sequence & UInt64(Self.capacity - 1)) * Self.words
        guard cell[0].load(ordering: .acquiring) == sequence &+ 2 else { return nil }
        let who = cell[3].load(ordering: .relaxed)
        let event = KnTraceEvent(
            sequence: sequence, time: clock.time(cell[1].load(ordering: .relaxed)),
            duration: clock.span(cell[2].load(ordering: .relaxed)), thread: Int32(truncatingIfNeeded: who &>> 32),
            kind: UInt32(truncatingIfNeeded: who),
            value: (
                cell[4].load(ordering: .relaxed), cell[5].load(ordering: .relaxed), cell[6].load(ordering: .relaxed),
                cell[7].load(ordering: .relaxed)
            ))
        atomicMemoryFence(ordering: .acquiring)
        return cell[0].load(ordering: .relaxed) == sequence &+ 2 ? event : nil
    }

    /// All events that are left, oldest first.
    public var entries: [KnTraceEvent] {
        [KnTraceEvent](unsafeUninitializedCapacity: Self.capacity) { room, count in count = read(from: 0, room) }
    }

    /// When `ticks` was, as CLOCK_MONOTONIC ns.
    func time(_ at: UInt64) -> UInt64 { Clock(start: start, ticks: ticks(), time: host.now()).time(at) }
}

/// Ticks as nanoseconds, by two readings of both clocks.
private struct Clock {
    let ticks: UInt64
    let time: UInt64
    let rate: Double

    init(start: (ticks: UInt64, time: UInt64), ticks: UInt64, time: UInt64) {
        self.ticks = ticks
        self.time = time
        rate =
            ticks > start.ticks && time > start.time
            ? Double(time - start.time) / Double(ticks - start.ticks) : 1
    }

    func span(_ ticks: UInt64) -> UInt64 { UInt64(max(0, Double(Int64(bitPattern: ticks)) * rate)) }

    /// What has just happened may be later than the readings.
    func time(_ at: UInt64) -> UInt64 {
        at > ticks ? time &+ span(at &- ticks) : time &- min(time, span(ticks &- at))
    }
}

extension Site {
    /// The first 16 bytes of a name, as two values of an event.
    static func traceName(_ name: String) -> (UInt64, UInt64) {
        var bytes: (UInt64, UInt64) = (0, 0)
        withUnsafeMutableBytes(of: &bytes) { bytes in
            for (i, byte) in name.utf8.prefix(bytes.count).enumerated() { bytes[i] = byte }
        }
        return bytes
    }

    func traceActor(_ kind: UInt32, _ actor: Actor, _ name: String, _ detail: UInt64 = 0) {
        let name = Self.traceName(name)
        trace.add(kind, actor.cap.ui.raw, detail, name.0, name.1, thread: Thread.current(self)?.li ?? 0)
    }
}
