/// Poll bits (asm-generic/poll.h).
enum Poll {
    static let input: UInt32 = 0x1 | 0x40
    static let priority: UInt32 = 0x2
    static let output: UInt32 = 0x4 | 0x100
    static let error: UInt32 = 0x8
    static let hangUp: UInt32 = 0x10
    static let readHangUp: UInt32 = 0x2000
    static let all: UInt32 = input | priority | output | error | hangUp | readHangUp
}
