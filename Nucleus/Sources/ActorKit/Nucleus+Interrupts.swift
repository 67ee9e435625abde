import CChorus

/// Interrupt lines, since ABI 1.1; for privileged actors.
extension Nucleus {
    @inlinable @discardableResult
    public func svIntrConnect(
        _ line: UInt32, _ priority: Int32, _ handler: KnIntrHdl?, _ cookie: UnsafeMutableRawPointer?
    ) -> Int32 {
        table.pointee.svIntrConnect(table.pointee.`self`, line, priority, handler, cookie)
    }
    @inlinable @discardableResult public func svIntrDisConnect(_ line: UInt32, _ number: Int32) -> Int32 {
        table.pointee.svIntrDisConnect(table.pointee.`self`, line, number)
    }
    @inlinable @discardableResult public func svIntrTrigger(_ line: UInt32, _ how: UInt32 = K_INTR_EDGE) -> Int32 {
        table.pointee.svIntrTrigger(table.pointee.`self`, line, how)
    }
    @inlinable @discardableResult public func svIntrMask(_ line: UInt32) -> Int32 {
        table.pointee.svIntrMask(table.pointee.`self`, line)
    }
    @inlinable @discardableResult public func svIntrUnMask(_ line: UInt32) -> Int32 {
        table.pointee.svIntrUnMask(table.pointee.`self`, line)
    }
    @inlinable @discardableResult
    public func svIntrWatch(_ line: UInt32, _ count: UInt32, _ event: UnsafePointer<KnUniqueId>?, _ bits: UInt32)
        -> Int32
    {
        table.pointee.svIntrWatch(table.pointee.`self`, line, count, event, bits)
    }
    @inlinable @discardableResult
    public func svIntrStat(_ count: UnsafeMutablePointer<UInt32>?, _ stats: UnsafeMutablePointer<KnIntrStat>?) -> Int32
    {
        table.pointee.svIntrStat(table.pointee.`self`, count, stats)
    }
}
