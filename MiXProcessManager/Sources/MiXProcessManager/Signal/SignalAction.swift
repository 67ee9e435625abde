/// What a process does on one signal (struct kernel_sigaction).
struct SignalAction: Equatable {
    static let byDefault: UInt64 = 0, ignore: UInt64 = 1
    static let noChildStop: UInt64 = 1, noChildWait: UInt64 = 2, sigInfo: UInt64 = 4
    static let restorerGiven: UInt64 = 0x0400_0000, onStack: UInt64 = 0x0800_0000, restart: UInt64 = 0x1000_0000
    static let noDefer: UInt64 = 0x4000_0000, resetHandler: UInt64 = 0x8000_0000
    /// All that there are, with SA_EXPOSE_TAGBITS: others are told back as 0 (sigaction(2), "Dynamically probing for flag
    /// bit support").
    static let known =
        noChildStop | noChildWait | sigInfo | 0x800 | restorerGiven | onStack | restart | noDefer | resetHandler

    var handler: UInt64 = byDefault
    var flags: UInt64 = 0
    var restorer: UInt64 = 0
    var mask = SignalSet()

    func has(_ flag: UInt64) -> Bool { flags & flag != 0 }
    var isHandler: Bool { handler > Self.ignore }
    /// SIG_IGN, or SIG_DFL of a signal whose default is to do nothing.
    func ignores(_ signal: Int32) -> Bool {
        handler == Self.ignore || handler == Self.byDefault && SignalSet.ignoredByDefault.contains(signal)
    }
}

/// sigaltstack(2) of a task.
struct AltStack: Equatable {
    static let onStack: Int32 = 1, disable: Int32 = 2, autoDisarm: UInt32 = 0x8000_0000
    var base: UInt64 = 0
    var size: UInt64 = 0
    var flags: UInt32 = UInt32(disable)

    var isEnabled: Bool { flags & UInt32(Self.disable) == 0 && size > 0 }
    func contains(_ rsp: UInt64) -> Bool { isEnabled && rsp > base && rsp - base <= size }
}
