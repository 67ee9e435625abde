import CChorus

/// The armed watches of an object: a client's event that is posted once when a bit it waits for becomes true. One watch per
/// owner and event; arming it again replaces its mask. Not locked: part of the object's state. Postings are gathered under the object's lock
/// and carried out behind it (`Nucleus.post`).
public struct WatchList {
    private struct Watch {
        let owner: UInt64
        let event: KnUniqueId
        var mask: UInt32
    }

    public struct Posting {
        public let event: KnUniqueId
        public let bits: UInt32
    }

    /// Past it the owner's oldest watch fires without cause: its client asks again, so nothing is lost.
    public static let perOwner = 64
    /// Reported whether asked for or not: POLLERR, POLLHUP (poll(2)).
    public static let always: UInt32 = 0x18
    private var watches: [Watch] = []

    public init() {}

    public var isEmpty: Bool { watches.isEmpty }

    public mutating func arm(owner: UInt64, event: KnUniqueId, mask: UInt32, _ postings: inout [Posting]) {
        var count = 0
        var oldest: Int?
        for index in watches.indices where watches[index].owner == owner {
            if Self.same(watches[index].event, event) {
                watches[index].mask = mask
                return
            }
            oldest = oldest ?? index
            count += 1
        }
        if count >= Self.perOwner, let oldest {
            let watch = watches.remove(at: oldest)
            postings.append(Posting(event: watch.event, bits: watch.mask & 0xffff))
        }
        watches.append(Watch(owner: owner, event: event, mask: mask))
    }

    /// Event 0,0: all of the owner.
    public mutating func disarm(owner: UInt64, event: KnUniqueId) {
        let all = event.uiHead == 0 && event.uiTail == 0
        watches.removeAll { $0.owner == owner && (all || Self.same($0.event, event)) }
    }

    /// `bits` have become true.
    public mutating func fire(_ bits: UInt32, _ postings: inout [Posting]) { fire(&postings) { _ in bits } }

    /// The same where it depends on the owner which bits are true now.
    public mutating func fire(_ postings: inout [Posting], _ state: (UInt64) -> UInt32) {
        if watches.isEmpty { return }
        watches.removeAll { watch in
            let wanted = state(watch.owner) & (watch.mask | Self.always)
            if wanted != 0 { postings.append(Posting(event: watch.event, bits: wanted)) }
            return wanted != 0
        }
    }

    /// All fire without cause: their clients ask again.
    public mutating func fireAll(_ postings: inout [Posting]) {
        for watch in watches { postings.append(Posting(event: watch.event, bits: watch.mask & 0xffff)) }
        watches = []
    }

    private static func same(_ a: KnUniqueId, _ b: KnUniqueId) -> Bool { a.uiHead == b.uiHead && a.uiTail == b.uiTail }
}

extension Nucleus {
    /// Called without locks.
    public func post(_ postings: [WatchList.Posting]) {
        for posting in postings {
            var event = posting.event
            eventPost(&event, posting.bits)
        }
    }
}
