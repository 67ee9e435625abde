/// What goes wrong on purpose, reproducibly: each kind so many times in a thousand, drawn from a seed; or the device goes after so
/// many accesses.
package final class Faults {
    package enum Kind: String, CaseIterable {
        case lostInterrupt = "lost-interrupt"
        case spuriousInterrupt = "spurious-interrupt"
        case stuckInterrupt = "stuck-interrupt"
        case readError = "read-error"
        case writeError = "write-error"
        case shortDma = "short-dma"
        case surpriseRemoval = "surprise-removal"
    }

    private var state: UInt64
    /// Accesses that it stays for.
    private var stay: UInt64?
    private var rates: [Kind: UInt64] = [:]
    private var counts: [Kind: UInt64] = [:]

    /// "seed:7,read-error:10,lost-interrupt:5,remove-after:100"; nil for anything else.
    package init?(_ text: String) {
        state = 1
        for part in text.split(separator: ",") {
            let words = part.split(separator: ":", maxSplits: 1)
            guard words.count == 2, let value = UInt64(words[1]) else { return nil }
            switch words[0] {
            case "seed": state = value
            case "remove-after": stay = value
            default:
                guard let kind = Kind(rawValue: String(words[0])), value <= 1000 else { return nil }
                rates[kind] = value
            }
        }
    }

    /// Whether it happens now. SplitMix64.
    package func strikes(_ kind: Kind) -> Bool {
        guard let rate = rates[kind], rate > 0 else { return false }
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        guard (z ^ (z >> 31)) % 1000 < rate else { return false }
        counts[kind, default: 0] += 1
        return true
    }

    /// At each access: whether the device is pulled out now.
    package func removes() -> Bool {
        if let left = stay {
            guard left == 0 else {
                stay = left - 1
                return strikes(.surpriseRemoval)
            }
            stay = nil
            counts[.surpriseRemoval, default: 0] += 1
            return true
        }
        return strikes(.surpriseRemoval)
    }

    package var text: String {
        Kind.allCases.compactMap { kind in counts[kind].map { "\(kind.rawValue) \($0)" } }.joined(separator: ", ")
    }
}
