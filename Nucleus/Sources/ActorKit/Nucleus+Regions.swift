import CChorus

/// Regions between actors and their attributes, since ABI 1.1.
extension Nucleus {
    @inlinable @discardableResult
    public func rgnMapFromActor(
        _ target: UnsafePointer<KnCap>?, _ targetRegion: UnsafeMutablePointer<KnRgnDesc>?,
        _ source: UnsafePointer<KnCap>?, _ sourceRegion: UnsafePointer<KnRgnDesc>?
    ) -> Int32 {
        table.pointee.rgnMapFromActor(table.pointee.`self`, target, targetRegion, source, sourceRegion)
    }
    @inlinable @discardableResult
    public func rgnInitFromActor(
        _ target: UnsafePointer<KnCap>?, _ targetRegion: UnsafeMutablePointer<KnRgnDesc>?,
        _ source: UnsafePointer<KnCap>?, _ sourceRegion: UnsafePointer<KnRgnDesc>?
    ) -> Int32 {
        table.pointee.rgnInitFromActor(table.pointee.`self`, target, targetRegion, source, sourceRegion)
    }
    @inlinable @discardableResult
    public func rgnSetInherit(_ actor: UnsafePointer<KnCap>?, _ region: UnsafePointer<KnRgnDesc>?) -> Int32 {
        table.pointee.rgnSetInherit(table.pointee.`self`, actor, region)
    }
    @inlinable @discardableResult
    public func rgnSetPaging(_ actor: UnsafePointer<KnCap>?, _ region: UnsafePointer<KnRgnDesc>?) -> Int32 {
        table.pointee.rgnSetPaging(table.pointee.`self`, actor, region)
    }
    @inlinable @discardableResult
    public func rgnSetOpaque(_ actor: UnsafePointer<KnCap>?, _ region: UnsafePointer<KnRgnDesc>?) -> Int32 {
        table.pointee.rgnSetOpaque(table.pointee.`self`, actor, region)
    }
    @inlinable @discardableResult
    public func rgnStat2(
        _ actor: UnsafePointer<KnCap>?, _ from: VmAddr, _ count: UnsafeMutablePointer<UInt32>?,
        _ stats: UnsafeMutablePointer<KnRgnStat2>?
    ) -> Int32 {
        table.pointee.rgnStat2(table.pointee.`self`, actor, from, count, stats)
    }
    @inlinable @discardableResult public func sgSyncAll() -> Int32 {
        table.pointee.sgSyncAll(table.pointee.`self`)
    }
}
