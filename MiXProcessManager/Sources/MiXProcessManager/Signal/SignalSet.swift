/// Signal numbers (signal(7), x86-64).
enum Signal {
    static let hup: Int32 = 1, int: Int32 = 2, quit: Int32 = 3, ill: Int32 = 4, trap: Int32 = 5, abrt: Int32 = 6
    static let bus: Int32 = 7, fpe: Int32 = 8, kill: Int32 = 9, usr1: Int32 = 10, segv: Int32 = 11, usr2: Int32 = 12
    static let pipe: Int32 = 13, alrm: Int32 = 14, term: Int32 = 15, stkflt: Int32 = 16, chld: Int32 = 17
    static let cont: Int32 = 18, stop: Int32 = 19, tstp: Int32 = 20, ttin: Int32 = 21, ttou: Int32 = 22
    static let urg: Int32 = 23, xcpu: Int32 = 24, xfsz: Int32 = 25, vtalrm: Int32 = 26, prof: Int32 = 27
    static let winch: Int32 = 28, io: Int32 = 29, pwr: Int32 = 30, sys: Int32 = 31
    static let firstRealTime: Int32 = 32, last: Int32 = 64
    static func isValid(_ signal: Int32) -> Bool { signal >= 1 && signal <= last }
}

/// A set of signals in the layout of the kernel's sigset_t (8 bytes).
struct SignalSet: Equatable {
    var bits: UInt64 = 0

    init(bits: UInt64 = 0) { self.bits = bits }
    init(_ signals: Int32...) { for signal in signals { insert(signal) } }

    private static func bit(_ signal: Int32) -> UInt64 { 1 << UInt64(signal - 1) }
    func contains(_ signal: Int32) -> Bool { bits & Self.bit(signal) != 0 }
    mutating func insert(_ signal: Int32) { bits |= Self.bit(signal) }
    mutating func remove(_ signal: Int32) { bits &= ~Self.bit(signal) }
    func subtracting(_ other: SignalSet) -> SignalSet { SignalSet(bits: bits & ~other.bits) }
    func union(_ other: SignalSet) -> SignalSet { SignalSet(bits: bits | other.bits) }
    var isEmpty: Bool { bits == 0 }
    /// Lowest member, or nil.
    var first: Int32? { bits == 0 ? nil : Int32(bits.trailingZeroBitCount) + 1 }

    static let allBits = ~unblockable.bits
    static let unblockable = SignalSet(Signal.kill, Signal.stop)
    static let stops = SignalSet(Signal.stop, Signal.tstp, Signal.ttin, Signal.ttou)
    /// Synchronous signals are delivered before all others (signal(7)).
    static let synchronous = SignalSet(Signal.segv, Signal.bus, Signal.ill, Signal.trap, Signal.fpe, Signal.sys)
    static let ignoredByDefault = SignalSet(Signal.chld, Signal.cont, Signal.urg, Signal.winch)
    static let coreByDefault = SignalSet(
        Signal.quit, Signal.ill, Signal.trap, Signal.abrt, Signal.bus, Signal.fpe, Signal.segv, Signal.xcpu,
        Signal.xfsz, Signal.sys)
}
