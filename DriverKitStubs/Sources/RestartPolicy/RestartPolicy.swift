/// When a driver whose host process died is started again. The waits grow, so that one that dies at once does not spin; a life
/// that was long enough forgives what was before.
package struct RestartPolicy: Sendable, Equatable {
    /// Restarts in a row: 0 never, .max always.
    package let most: UInt64
    package private(set) var inARow: UInt64 = 0

    package static let firstDelay: UInt32 = 100  // milliseconds
    package static let mostDelay: UInt32 = 30_000
    /// A life of so many nanoseconds was no failure of the restart before it.
    package static let longLife: UInt64 = 10_000_000_000

    package init(most: UInt64) { self.most = most }

    /// Whether a death now would be followed by a restart.
    package func restarts(after life: UInt64) -> Bool { (life >= Self.longLife ? 0 : inARow) < most }

    /// Milliseconds until the next life; nil: there is none.
    package mutating func next(after life: UInt64) -> UInt32? {
        if life >= Self.longLife { inARow = 0 }
        guard inARow < most else { return nil }
        defer { inARow += 1 }
        return inARow >= 9 ? Self.mostDelay : min(Self.mostDelay, Self.firstDelay << UInt32(inARow))
    }

    /// "never", "always", or a count.
    package init?(_ text: Substring) {
        switch text {
        case "never": self.init(most: 0)
        case "always": self.init(most: .max)
        default:
            guard let count = UInt64(text) else { return nil }
            self.init(most: count)
        }
    }
}
