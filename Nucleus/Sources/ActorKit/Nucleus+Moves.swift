import CChorus

/// Bodies of messages that are moved, since ABI 1.1.
extension Nucleus {
    @inlinable @discardableResult
    public func msgAllocate(_ size: UInt32, _ body: UnsafeMutablePointer<VmAddr>?) -> Int32 {
        table.pointee.msgAllocate(table.pointee.`self`, size, body)
    }
    @inlinable @discardableResult public func msgFree(_ body: VmAddr) -> Int32 {
        table.pointee.msgFree(table.pointee.`self`, body)
    }
    @inlinable @discardableResult
    public func msgTake(_ body: UnsafeMutablePointer<VmAddr>?, _ size: UnsafeMutablePointer<UInt32>?) -> Int32 {
        table.pointee.msgTake(table.pointee.`self`, body, size)
    }
    @inlinable @discardableResult
    public func ipcSendMove(
        _ source: KnPortLid, _ dest: UnsafePointer<KnIpcDest>?, _ mode: UInt32, _ annex: UnsafeRawPointer?,
        _ body: VmAddr, _ size: UInt32
    ) -> Int32 {
        table.pointee.ipcSendMove(table.pointee.`self`, source, dest, mode, annex, body, size)
    }
    @inlinable @discardableResult
    public func ipcCallMove(
        _ source: KnPortLid, _ dest: UnsafePointer<KnIpcDest>?, _ mode: UInt32, _ annex: UnsafeRawPointer?,
        _ body: VmAddr, _ size: UInt32, _ replyAnnex: UnsafeMutableRawPointer?,
        _ replyBody: UnsafeMutableRawPointer?, _ replySize: UnsafeMutablePointer<UInt32>?, _ flags: UInt32,
        _ delay: Int32
    ) -> Int32 {
        table.pointee.ipcCallMove(
            table.pointee.`self`, source, dest, mode, annex, body, size, replyAnnex, replyBody, replySize, flags, delay)
    }
}
