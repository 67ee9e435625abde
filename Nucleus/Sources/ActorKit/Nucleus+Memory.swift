import CChorus

/// Local caches of external mappers' segments, since ABI 1.1.
extension Nucleus {
    @inlinable @discardableResult
    public func lcOpen(_ segment: UnsafePointer<KnCap>?, _ flags: UInt32, _ li: UnsafeMutablePointer<Int32>?) -> Int32 {
        table.pointee.lcOpen(table.pointee.`self`, segment, flags, li)
    }
    @inlinable @discardableResult public func lcClose(_ li: Int32) -> Int32 {
        table.pointee.lcClose(table.pointee.`self`, li)
    }
    @inlinable @discardableResult public func lcCap(_ li: Int32, _ lccap: UnsafeMutablePointer<KnCap>?) -> Int32 {
        table.pointee.lcCap(table.pointee.`self`, li, lccap)
    }
    @inlinable @discardableResult
    public func lcFlush(_ range: UnsafePointer<KnObjDesc>?, _ flags: UInt32, _ orderNumber: UInt64) -> Int32 {
        table.pointee.lcFlush(table.pointee.`self`, range, flags, orderNumber)
    }
    @inlinable @discardableResult
    public func lcSetRights(_ range: UnsafePointer<KnObjDesc>?, _ rights: UInt32, _ orderNumber: UInt64) -> Int32 {
        table.pointee.lcSetRights(table.pointee.`self`, range, rights, orderNumber)
    }
    @inlinable @discardableResult public func lcStat(_ li: Int32, _ stat: UnsafeMutablePointer<KnLcStat>?) -> Int32 {
        table.pointee.lcStat(table.pointee.`self`, li, stat)
    }
    @inlinable @discardableResult
    public func sgCreateAt(
        _ mapper: UnsafePointer<KnUniqueId>?, _ options: UInt32, _ segment: UnsafeMutablePointer<KnCap>?
    ) -> Int32 {
        table.pointee.sgCreateAt(table.pointee.`self`, mapper, options, segment)
    }
}
