import CChorus

/// Actors since ABI 1.1.
extension Nucleus {
    @inlinable @discardableResult
    public func actorPrivilege(
        _ cap: UnsafePointer<KnCap>?, _ old: UnsafeMutablePointer<Int32>?, _ now: UnsafePointer<Int32>?
    ) -> Int32 {
        table.pointee.actorPrivilege(table.pointee.`self`, cap, old, now)
    }
    @inlinable @discardableResult
    public func actorDup(
        _ source: UnsafePointer<KnCap>?, _ cap: UnsafeMutablePointer<KnCap>?, _ status: Int32, _ flags: UInt32,
        _ name: UnsafePointer<CChar>?
    ) -> Int32 {
        table.pointee.actorDup(table.pointee.`self`, source, cap, status, flags, name)
    }
}
