/// personality(2): the flags that mean something to a 64-bit program; the others are kept and given back.
enum Personality {
    static let table: [(Int, String, SystemCallHandler)] = [(135, "personality", personality)]

    static let uname26: UInt64 = 0x2_0000, noRandomize: UInt64 = 0x4_0000, readImpliesExecute: UInt64 = 0x40_0000
    static let stickyTimeouts: UInt64 = 0x400_0000
    private static let compatLayout: UInt64 = 0x20_0000, mapPageZero: UInt64 = 0x10_0000

    @Sendable private static func personality(_ call: Call) throws(Errno) -> Outcome {
        let old = call.process.personality
        if call.uint(0) != 0xffff_ffff { call.process.personality = UInt64(call.uint(0)) }
        return .done(value: old)
    }

    /// After execve(2); programs that change who they are do not take over what would weaken them.
    static func afterExec(_ old: UInt64, changesIdentity: Bool) -> UInt64 {
        let dangerous = readImpliesExecute | noRandomize | compatLayout | mapPageZero
        return old & ~(changesIdentity ? dangerous : readImpliesExecute)
    }
}

extension Process {
    /// PROT_* as mmap and mprotect take it.
    func readable(_ protection: UInt32) -> UInt32 {
        personality & Personality.readImpliesExecute != 0 && protection & 1 != 0 ? protection | 4 : protection
    }
}
