import CChorus

/// The memory of a UNIX process whose trap is being served.
struct ProcessMemory {
    let thread: Thread
    let machine: any UnixMachine

    func read<Value: BitwiseCopyable>(_ value: Value, from address: UInt64) throws(KnError) -> Value {
        var value = value
        let code = withUnsafeMutableBytes(of: &value) { machine.copyIn(thread, address, $0) }
        guard code == K_OK else { throw KnError(rawValue: code) }
        return value
    }

    func write<Value: BitwiseCopyable>(_ value: Value, to address: UInt64) throws(KnError) {
        var value = value
        let code = withUnsafeBytes(of: &value) { machine.copyOut(thread, $0, address, deferred: false) }
        guard code == K_OK else { throw KnError(rawValue: code) }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, from address: UInt64) throws(KnError) {
        if buffer.count >= Self.direct {
            guard machine.actorRead(thread.actor, address, buffer) == Int32(buffer.count) else { throw .fault }
            return
        }
        let code = machine.copyIn(thread, address, buffer)
        guard code == K_OK else { throw KnError(rawValue: code) }
    }

    func write(_ buffer: UnsafeRawBufferPointer, to address: UInt64) throws(KnError) {
        if buffer.count >= Self.direct {
            guard machine.actorWrite(thread.actor, address, buffer) == Int32(buffer.count) else { throw .fault }
            return
        }
        let code = machine.copyOut(thread, buffer, address, deferred: false)
        guard code == K_OK else { throw KnError(rawValue: code) }
    }

    /// Gives the whole pages of a range back.
    func release(_ address: UInt64, _ size: UInt64) {
        let (start, overflow) = address.addingReportingOverflow(Self.page - 1)
        let (last, beyond) = address.addingReportingOverflow(size)
        guard !overflow, !beyond else { return }
        let from = start & ~(Self.page - 1)
        let to = last & ~(Self.page - 1)
        guard from < to else { return }
        var region = KnRgnDesc()
        region.startAddr = from
        region.size = to - from
        _ = machine.rgnAdvise(thread.actor, region, Self.dontNeed)
    }

    /// From here on one copy between address spaces is cheaper than two by way of the mailbox.
    private static var direct: Int { 16 * 1024 }
    private static var page: UInt64 { 4096 }
    private static var dontNeed: Int32 { 4 }
}
