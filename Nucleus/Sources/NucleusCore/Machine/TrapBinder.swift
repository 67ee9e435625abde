import CChorus

/// What calls the specific handlers of traps by their signatures: libffi, and the lanes of user actors.
public protocol TrapBinder: AnyObject, Sendable {
    /// A number for what the handler takes, the same for equal signatures; nil: it contradicts itself.
    func signature(of entry: KnTrapEntry) -> UInt32?
    /// Calls `entry`'s handler, which belongs to `owner`. `slots`: the cookie, then the arguments.
    func call(_ owner: Actor, _ entry: KnTrapEntry, _ signature: UInt32, _ slots: UnsafeMutablePointer<UInt64>) -> Int32
}
