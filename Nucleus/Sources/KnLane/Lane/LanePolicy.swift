import CLane

/// How a waiting side of a lane spends its time.
public struct LanePolicy: Sendable {
    public var spinNanoseconds: UInt32
    public var yieldNanoseconds: UInt32
    /// Longest single sleep; 0 for no limit.
    public var sleepMilliseconds: UInt32

    /// The measured windows. With one processor pausing could only delay the other side, but a yield hands it over, at
    /// half the cost of a sleep.
    public static func standard(_ side: Lane.Side) -> LanePolicy {
        let alone = kn_lane_processors() < 2
        // The nucleus does not trust the bell of a dying actor to stay rung, so it looks again from time to time.
        return LanePolicy(
            spinNanoseconds: alone ? 0 : 2_000, yieldNanoseconds: 50_000,
            sleepMilliseconds: side == .nucleus ? 2_000 : 0)
    }
}
