import CChorus

/// Messages in the black box.
extension Site {
    @inline(__always) func trace(
        call head: KnMsgHead, _ op: UInt32, _ result: Int32, _ reply: ReplyPlace, _ thread: Thread, since began: UInt64
    ) {
        let size = result == K_OK ? reply.capacity : 0
        trace.add(
            K_TR_CALL, head.srcPort.raw, head.target.raw, UInt64(head.bodySize) &<< 32 | UInt64(op),
            UInt64(size) &<< 32 | UInt64(UInt32(bitPattern: result)), thread: thread.li, since: began)
    }

    /// A handler that ran on a thread of the nucleus' own.
    func trace(
        handler kind: UInt32, _ name: KnUniqueId, _ what: UInt32, bytes: UInt32 = 0, _ result: Int32, _ thread: Thread,
        since began: UInt64
    ) {
        trace.add(
            K_TR_HANDLER, UInt64(kind), name.raw, UInt64(bytes) &<< 32 | UInt64(what),
            UInt64(UInt32(bitPattern: result)), thread: thread.li, since: began)
    }

    func traceDropped(_ target: KnUniqueId, _ code: Int32) {
        trace.add(
            K_TR_DROPPED, target.raw, UInt64(bitPattern: Int64(code)), thread: Thread.current(self)?.li ?? 0)
    }
}
