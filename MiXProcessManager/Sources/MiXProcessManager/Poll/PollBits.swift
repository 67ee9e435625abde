/// Bits of poll(2) and epoll(7); the two agree on all they share.
enum PollBits {
    static let input: UInt32 = 0x1
    static let priority: UInt32 = 0x2
    static let output: UInt32 = 0x4
    static let error: UInt32 = 0x8
    static let hangUp: UInt32 = 0x10
    static let invalid: UInt32 = 0x20
    static let readNormal: UInt32 = 0x40
    static let readBand: UInt32 = 0x80
    static let writeNormal: UInt32 = 0x100
    static let writeBand: UInt32 = 0x200
    static let readHangUp: UInt32 = 0x2000

    /// Reported whether asked for or not.
    static let unasked: UInt32 = error | hangUp
    /// What files without a state of their own are ready for.
    static let always: UInt32 = input | output | readNormal | writeNormal

    static let readable: UInt32 = input | readNormal
    static let writable: UInt32 = output | writeNormal

    // select(2)'s three sets (fs/select.c).
    static let selectRead: UInt32 = readNormal | readBand | input | hangUp | error | invalid
    static let selectWrite: UInt32 = writeNormal | writeBand | output | error | invalid
    static let selectExcept: UInt32 = priority | invalid
}
