import CLane

/// How a waiting side of a lane spends its time.
public struct LanePolicy: Sendable {
    public var spinNanoseconds: UInt32
    public var yieldNanoseconds: UInt32
    /// Longest single sleep; 0 for no limit.
    public var sleepMilliseconds: UInt32

    /// The measured windows of a machine with several processors; with one, polling could only delay the other side.
    public static func standard(_ side: Lane.Side) -> LanePolicy {
        let alone = kn_lane_processors() < 2
        // The nucleus does not trust the bell of a dying actor to stay rung, so it looks again from time to time.
        return LanePolicy(
            spinNanoseconds: alone ? 0 : 2_000, yieldNanoseconds: alone ? 0 : 50_000,
            sleepMilliseconds: side == .nucleus ? 2_000 : 0)
    }
}
