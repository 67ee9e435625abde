/// A classic BPF program over `struct seccomp_data` (seccomp(2); linux/bpf_common.h), checked before it may run.
struct BpfProgram {
    struct Instruction: BitwiseCopyable {
        var code: UInt16
        var jumpTrue: UInt8
        var jumpFalse: UInt8
        var k: UInt32
    }
    private let code: [Instruction]
    static let longest = 4096
    static let dataSize: UInt32 = 64
    private static let scratch = 16

    var count: Int { code.count }

    /// nil where Linux refuses it: an unknown instruction, a jump out, a load that is not a word of the data, a division by
    /// zero, scratch memory read before it is written, or no return at the end.
    init?(_ code: [Instruction]) {
        guard 1...Self.longest ~= code.count else { return nil }
        for (index, instruction) in code.enumerated() where !Self.isValid(instruction, at: index, of: code.count) {
            return nil
        }
        guard let last = code.last, last.code & 7 == 6, Self.writesBeforeReads(code) else { return nil }
        self.code = code
    }

    private static func isValid(_ now: Instruction, at index: Int, of count: Int) -> Bool {
        switch now.code {
        case 0x20: return now.k < dataSize && now.k % 4 == 0  // ld [k]
        case 0x00, 0x01, 0x80, 0x81: return true  // ld #k, ldx #k, ld #len, ldx #len
        case 0x60, 0x61, 0x02, 0x03: return now.k < UInt32(scratch)  // ld M[k], ldx M[k], st, stx
        case 0x04, 0x14, 0x24, 0x44, 0x54, 0xa4, 0x0c, 0x1c, 0x2c, 0x3c, 0x4c, 0x5c, 0x6c, 0x7c, 0xac, 0x84:
            return true
        case 0x34: return now.k != 0  // div #k
        case 0x64, 0x74: return now.k < 32  // lsh, rsh
        case 0x05: return Int(now.k) < count - index - 1  // ja
        case 0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d:
            return index + 1 + Int(now.jumpTrue) < count && index + 1 + Int(now.jumpFalse) < count
        case 0x06, 0x16, 0x07, 0x87: return true  // ret #k, ret a, tax, txa
        default: return false
        }
    }

    /// On every way to a load from scratch memory it has been stored to. Jumps go forward only, so one pass does.
    private static func writesBeforeReads(_ code: [Instruction]) -> Bool {
        var written = [UInt16](repeating: .max, count: code.count)
        var now: UInt16 = 0
        for (index, instruction) in code.enumerated() {
            now &= written[index]
            let bit: UInt16 = 1 << UInt16(instruction.k & 15)
            func reach(_ offset: Int) { written[index + 1 + offset] &= now }
            switch instruction.code {
            case 0x02, 0x03: now |= bit
            case 0x60, 0x61: if now & bit == 0 { return false }
            case 0x05:
                reach(Int(instruction.k))
                now = .max
            case 0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d:
                reach(Int(instruction.jumpTrue))
                reach(Int(instruction.jumpFalse))
                now = .max
            default: break
            }
        }
        return true
    }

    /// `words`: the sixteen words of the data. Returns what the filter says.
    func run(_ words: borrowing [UInt32]) -> UInt32 {
        var (a, x): (UInt32, UInt32) = (0, 0)
        return withUnsafeTemporaryAllocation(of: UInt32.self, capacity: Self.scratch) { memory in
            memory.initialize(repeating: 0)
            var next = 0
            while next < code.count {
                let now = code[next]
                next += 1
                let operand = now.code & 8 != 0 ? x : now.k
                switch now.code {
                case 0x20: a = words[Int(now.k / 4)]
                case 0x00: a = now.k
                case 0x01: x = now.k
                case 0x80: a = Self.dataSize
                case 0x81: x = Self.dataSize
                case 0x60: a = memory[Int(now.k)]
                case 0x61: x = memory[Int(now.k)]
                case 0x02: memory[Int(now.k)] = a
                case 0x03: memory[Int(now.k)] = x
                case 0x04, 0x0c: a &+= operand
                case 0x14, 0x1c: a &-= operand
                case 0x24, 0x2c: a &*= operand
                case 0x34, 0x3c:
                    if operand == 0 { return 0 }
                    a /= operand
                case 0x44, 0x4c: a |= operand
                case 0x54, 0x5c: a &= operand
                case 0x64, 0x6c: a &<<= operand
                case 0x74, 0x7c: a &>>= operand
                case 0xa4, 0xac: a ^= operand
                case 0x84: a = 0 &- a
                case 0x05: next += Int(now.k)
                case 0x15, 0x1d: next += Int(a == operand ? now.jumpTrue : now.jumpFalse)
                case 0x25, 0x2d: next += Int(a > operand ? now.jumpTrue : now.jumpFalse)
                case 0x35, 0x3d: next += Int(a >= operand ? now.jumpTrue : now.jumpFalse)
                case 0x45, 0x4d: next += Int(a & operand != 0 ? now.jumpTrue : now.jumpFalse)
                case 0x06: return now.k
                case 0x16: return a
                case 0x07: x = a
                case 0x87: a = x
                default: return 0
                }
            }
            return 0
        }
    }
}
