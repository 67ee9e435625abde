import CChorus

/// Traps of a subsystem's own, and exceptions of servers, since ABI 1.1.
extension Nucleus {
    @inlinable @discardableResult
    public func svTrapTable(
        _ trap: UInt32, _ entries: UnsafePointer<KnTrapEntry>?, _ count: UInt32, _ cookie: UnsafeMutableRawPointer?
    ) -> Int32 {
        table.pointee.svTrapTable(table.pointee.`self`, trap, entries, count, cookie)
    }
    @inlinable @discardableResult
    public func trapRaise(
        _ trap: UInt32, _ number: UInt32, _ args: UnsafePointer<UInt64>?, _ result: UnsafeMutablePointer<Int64>? = nil
    ) -> Int32 {
        table.pointee.trapRaise(table.pointee.`self`, trap, number, args, result)
    }
    @inlinable @discardableResult
    public func trapEntry(_ trap: UInt32, _ number: UInt32, _ entry: UnsafeMutablePointer<KnTrapEntry>?) -> Int32 {
        table.pointee.trapEntry(table.pointee.`self`, trap, number, entry)
    }
    @inlinable @discardableResult
    public func svActorExcHandlerConnect(
        _ actor: UnsafePointer<KnCap>?, _ handler: KnActorExcHdl?, _ cookie: UnsafeMutableRawPointer?
    ) -> Int32 {
        table.pointee.svActorExcHandlerConnect(table.pointee.`self`, actor, handler, cookie)
    }
    @inlinable @discardableResult public func svActorExcHandlerDisconnect(_ actor: UnsafePointer<KnCap>?) -> Int32 {
        table.pointee.svActorExcHandlerDisconnect(table.pointee.`self`, actor)
    }
    @inlinable @discardableResult
    public func actorExcPort(_ actor: UnsafePointer<KnCap>?, _ port: UnsafePointer<KnUniqueId>?) -> Int32 {
        table.pointee.actorExcPort(table.pointee.`self`, actor, port)
    }
}

/// Arguments of a trap's specific handler, as `K_A_*` in C. Positions count from the first argument behind the cookie.
extension KnArg {
    @inlinable public static var int32: KnArg {
        KnArg(type: UInt8(K_ARG_I32), dir: UInt8(K_IN), len: 0, lenArg: 0, size: 0)
    }
    @inlinable public static var uint32: KnArg {
        KnArg(type: UInt8(K_ARG_U32), dir: UInt8(K_IN), len: 0, lenArg: 0, size: 0)
    }
    @inlinable public static var int64: KnArg {
        KnArg(type: UInt8(K_ARG_I64), dir: UInt8(K_IN), len: 0, lenArg: 0, size: 0)
    }
    @inlinable public static var uint64: KnArg {
        KnArg(type: UInt8(K_ARG_U64), dir: UInt8(K_IN), len: 0, lenArg: 0, size: 0)
    }
    /// At most `size` bytes with the NUL.
    @inlinable public static func string(_ size: UInt32) -> KnArg {
        KnArg(type: UInt8(K_ARG_STR), dir: UInt8(K_IN), len: 0, lenArg: 0, size: size)
    }
    /// One `type`, in direction K_IN, K_OUT or K_INOUT.
    @inlinable public static func one<Value: BitwiseCopyable>(_ direction: UInt32, _ type: Value.Type) -> KnArg {
        KnArg(
            type: UInt8(K_ARG_BUF), dir: UInt8(direction), len: UInt8(K_LEN_FIXED), lenArg: 0,
            size: UInt32(MemoryLayout<Value>.stride))
    }
    /// As many as the `uint32` argument at `count` says.
    @inlinable public static func several<Value: BitwiseCopyable>(in count: UInt8, _ type: Value.Type) -> KnArg {
        KnArg(
            type: UInt8(K_ARG_BUF), dir: UInt8(K_IN), len: UInt8(K_LEN_ARG), lenArg: count,
            size: UInt32(MemoryLayout<Value>.stride))
    }
    /// As many as the UInt32 of the in-out argument at `count` has room for; it says afterwards how many there are.
    @inlinable public static func several<Value: BitwiseCopyable>(out count: UInt8, _ type: Value.Type) -> KnArg {
        KnArg(
            type: UInt8(K_ARG_BUF), dir: UInt8(K_OUT), len: UInt8(K_LEN_REF), lenArg: count,
            size: UInt32(MemoryLayout<Value>.stride))
    }
}

extension KnTrapEntry {
    /// `handler`: a C function that takes the cookie and then `args`, and returns Int32.
    @inlinable public init(_ name: StaticString, _ args: [KnArg], handler: UnsafeRawPointer?) {
        self.init()
        self.handler = unsafeBitCast(handler, to: (@convention(c) () -> Void)?.self)
        count = UInt32(args.count)
        withUnsafeMutableBytes(of: &self.name) { bytes in
            name.withUTF8Buffer { bytes.copyBytes(from: $0.prefix(bytes.count - 1)) }
        }
        withUnsafeMutableBytes(of: &self.args) { bytes in
            let places = bytes.bindMemory(to: KnArg.self)
            for (index, arg) in args.enumerated() where index < places.count { places[index] = arg }
        }
    }
}
