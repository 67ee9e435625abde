import CChorus

/// Poll bits (asm-generic/poll.h).
enum Poll {
    static let input: UInt32 = 1 | 0x40
    static let output: UInt32 = 4 | 0x100
    static let error: UInt32 = 8
    static let hangUp: UInt32 = 0x10
    static let priority: UInt32 = 2
    static let always: UInt32 = error | hangUp  // reported whether asked for or not
}

extension KnUniqueId {
    static func == (a: KnUniqueId, b: KnUniqueId) -> Bool { a.uiHead == b.uiHead && a.uiTail == b.uiTail }
}
