import CChorus

/// Where things are in the memory of a process; shared after clone(CLONE_VM).
final class AddressSpace: @unchecked Sendable {
    // Sendable: guarded by `lock`.
    let lock = Lock()
    var map = AddressMap()
    /// mlockall(2), MCL_FUTURE.
    var locksFuture = false
    /// Contexts of io_setup(2) by their addresses; a forked process has none.
    var aio: [UInt64: AioContext] = [:]
    var breakStart: UInt64 = 0
    var breakEnd: UInt64 = 0
    var mmapTop: UInt64 = AddressSpace.highest
    var stackTop: UInt64 = 0
    var stackBottom: UInt64 = 0
    var codeStart: UInt64 = 0
    var codeEnd: UInt64 = 0
    var argumentsStart: UInt64 = 0
    var argumentsEnd: UInt64 = 0
    var environmentStart: UInt64 = 0
    var environmentEnd: UInt64 = 0
    var vdso: UInt64 = 0

    /// What user programs may use; the stub lives above.
    static let lowest: UInt64 = 0x10000
    static let highest: UInt64 = 0x7f00_0000_0000
    static let page: UInt64 = 4096

    static func pageDown(_ value: UInt64) -> UInt64 { value & ~(page - 1) }
    /// nil when it does not fit.
    static func pageUp(_ value: UInt64) -> UInt64? {
        let (sum, overflow) = value.addingReportingOverflow(page - 1)
        return overflow ? nil : sum & ~(page - 1)
    }

    init() {}

    /// For a forked process.
    func copy() -> AddressSpace {
        let new = AddressSpace()
        lock.withLock {
            new.map = map
            new.map.mark(0, .max) { $0.isLocked = false }
            new.breakStart = breakStart
            new.breakEnd = breakEnd
            new.mmapTop = mmapTop
            new.stackTop = stackTop
            new.stackBottom = stackBottom
            new.codeStart = codeStart
            new.codeEnd = codeEnd
            new.argumentsStart = argumentsStart
            new.argumentsEnd = argumentsEnd
            new.environmentStart = environmentStart
            new.environmentEnd = environmentEnd
            new.vdso = vdso
        }
        return new
    }
}
