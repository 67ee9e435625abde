import Glibc
import Synchronization

/// What happens on the bus, for as long as somebody fetches it: a ring that is overwritten when nobody does. Off, an access pays
/// one relaxed load.
package final class BusTrace: @unchecked Sendable {
    // Sendable: the ring is reached with `lock` held, the switch is atomic.
    package enum Kind: UInt32 { case load = 1, store, raise, lower, read, write, stray, reset, removal, fault }

    package struct Event {
        package var sequence, time: UInt64  // CLOCK_MONOTONIC, nanoseconds
        package var kind: Kind
        package var device: String
        /// A register's offset, a bus address, or a line.
        package var place: UInt64
        /// Bytes.
        package var width: UInt32
        package var value: UInt64
        /// Which fault.
        package var text: String
    }

    /// Events that are kept.
    package static let most = 16384
    /// Nanoseconds after the last fetch, until it is off.
    private static let patience: UInt64 = 5_000_000_000

    private let on = Atomic<Bool>(false)
    private let lock = Lock()
    private var ring: [Event] = []
    private var next: UInt64 = 0  // the number of the next event
    private var start: UInt64 = 0  // of the first one since it is on
    private var fetched: UInt64 = 0

    package init() {}

    /// With the device's lock held.
    @inline(__always)
    func add(
        _ kind: Kind, _ device: String, at place: UInt64 = 0, _ width: UInt32 = 0, _ value: UInt64 = 0,
        text: String = ""
    ) {
        guard on.load(ordering: .relaxed) else { return }
        keep(
            Event(
                sequence: 0, time: 0, kind: kind, device: device, place: place, width: width, value: value, text: text))
    }

    @inline(never) private func keep(_ event: Event) {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        lock.with {
            guard on.load(ordering: .relaxed) else { return }
            var event = event
            event.time = UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
            event.sequence = next
            guard event.time < fetched + Self.patience else { return lockedEnd() }
            if ring.count < Self.most {
                ring.append(event)
            } else {
                ring[place(next)] = event
            }
            next += 1
        }
    }

    private func place(_ sequence: UInt64) -> Int { Int((sequence - start) % UInt64(Self.most)) }

    package struct Fetched {
        /// Oldest first.
        package var events: [Event]
        /// The number behind the last one.
        package var next: UInt64
        /// How many were overwritten before they were fetched.
        package var lost: UInt64
    }

    /// Up to `most` events from number `from` on, nil: from now on. Events are kept from now on.
    package func fetch(from: UInt64?, most: Int, now: UInt64) -> Fetched {
        lock.with {
            if !on.load(ordering: .relaxed) {
                ring.reserveCapacity(Self.most)
                start = next
            }
            fetched = now
            on.store(true, ordering: .relaxed)
            let from = min(from ?? next, next)
            let first = max(from, next - UInt64(ring.count))
            let last = min(next, first + UInt64(max(0, most)))
            return Fetched(events: (first..<last).map { ring[place($0)] }, next: last, lost: first - from)
        }
    }

    package func end() { lock.with { lockedEnd() } }

    private func lockedEnd() {
        on.store(false, ordering: .relaxed)
        ring = []
    }
}
