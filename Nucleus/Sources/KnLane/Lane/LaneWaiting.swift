/// Decides when a side of a lane stops waiting for the other one. Asked by the thread that waits, and only when it is
/// about to sleep.
public protocol LaneWaiting: AnyObject {
    /// CLOCK_MONOTONIC ns; `UInt64.max`: never.
    var deadline: UInt64 { get }
    /// From now on until `end` the wait may be ended by others, who ring `lane`. A code: it is over already.
    func begin(_ lane: Lane) -> Int32?
    /// Woken, perhaps for nothing. A code: the wait is over. `arrived`: there is a message, which counts more.
    func end(arrived: Bool) -> Int32?
}
