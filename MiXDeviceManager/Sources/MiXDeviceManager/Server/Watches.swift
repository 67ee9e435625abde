import CChorus

/// Poll bits (asm-generic/poll.h).
enum Poll {
    static let input: UInt32 = 1 | 0x40
    static let output: UInt32 = 4 | 0x100
    static let error: UInt32 = 8
    static let hangUp: UInt32 = 0x10
    static let priority: UInt32 = 2
    static let always: UInt32 = error | hangUp  // reported whether asked for or not
}

/// The armed watches of one object. Each fires once.
///
/// A client has one watch per owner and event; arming it again replaces its mask.
struct WatchList {
    struct Watch {
        let owner: UInt64
        let event: KnUniqueId
        var mask: UInt32
    }

    static let perOwner = 64
    private(set) var watches: [Watch] = []

    var isEmpty: Bool { watches.isEmpty }

    /// Past the bound the owner's oldest watch fires without cause: its client asks again, so nothing is lost.
    mutating func arm(owner: UInt64, event: KnUniqueId, mask: UInt32, _ effects: inout Effects) {
        var count = 0
        var oldest: Int?
        for index in watches.indices where watches[index].owner == owner {
            if watches[index].event == event {
                watches[index].mask = mask
                return
            }
            oldest = oldest ?? index
            count += 1
        }
        if count >= Self.perOwner, let oldest {
            effects.posts.append((watches[oldest].event, watches[oldest].mask & 0xffff))
            watches.remove(at: oldest)
        }
        watches.append(Watch(owner: owner, event: event, mask: mask))
    }

    /// All fire without cause: their clients ask again.
    mutating func fireAll(_ effects: inout Effects) {
        for watch in watches { effects.posts.append((watch.event, watch.mask & 0xffff)) }
        watches = []
    }

    /// Event 0,0: all of the owner.
    mutating func disarm(owner: UInt64, event: KnUniqueId) {
        let all = event.uiHead == 0 && event.uiTail == 0
        watches.removeAll { $0.owner == owner && (all || $0.event == event) }
    }

    /// Fires the watches for which `state(owner)` has a bit they wait for.
    mutating func fire(_ effects: inout Effects, _ state: (UInt64) -> UInt32) {
        guard !watches.isEmpty else { return }
        var kept = 0
        for index in watches.indices {
            let watch = watches[index]
            let bits = state(watch.owner) & (watch.mask | Poll.always)
            if bits != 0 {
                effects.posts.append((watch.event, bits))
            } else {
                if kept != index { watches[kept] = watch }
                kept += 1
            }
        }
        watches.removeLast(watches.count - kept)
    }
}

extension KnUniqueId {
    static func == (a: KnUniqueId, b: KnUniqueId) -> Bool { a.uiHead == b.uiHead && a.uiTail == b.uiTail }
}
