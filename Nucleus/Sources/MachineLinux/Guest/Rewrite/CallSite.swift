import CChorus
import NucleusCore

/// What can be done about a syscall instruction, from the bytes around it alone.
enum CallSite: Equatable {
    /// `mov $number,%eax` before it becomes a jump; the instruction stays, so that a jump straight to it traps as ever.
    case load(UInt32)
    /// The C library's syscall(): its last argument's load does, and happens in the trampoline.
    case argument
    /// The instruction becomes a two-byte jump to padding behind the end of its function, this far from its own end.
    case padding(Int)

    /// `before`: 23 bytes in front of the instruction, fewer if there is no more text. `behind`: what follows it.
    /// `number`: what was in eax at the trap. nil: it stays as it is.
    init?(before: ArraySlice<UInt8>, behind: ArraySlice<UInt8>, number: UInt32) {
        if Self.loads(number, before) {
            self = .load(number)
        } else if before.suffix(23).elementsEqual(Self.moves + Trampoline.loadArgument) {
            self = .argument
        } else if let padding = Self.padding(behind) {
            self = .padding(padding)
        } else {
            return nil
        }
    }

    /// What its trampoline begins with.
    var first: [UInt8] {
        switch self {
        case .load(let number): Trampoline.load(number)
        case .argument: Trampoline.loadArgument
        case .padding: Trampoline.nop
        }
    }

    private static let prefixes: [UInt8] = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]

    /// The arguments of syscall(2) to where the call wants them.
    private static let moves: [UInt8] = [
        0x48, 0x89, 0xf8, 0x48, 0x89, 0xf7, 0x48, 0x89, 0xd6, 0x48, 0x89, 0xca, 0x4d, 0x89, 0xc2, 0x4d, 0x89, 0xc8,
    ]

    /// Really this instruction: no prefix before it makes it another one, and it loads what was there.
    private static func loads(_ number: UInt32, _ before: ArraySlice<UInt8>) -> Bool {
        let before = before.suffix(6)
        guard before.count == 6, let first = before.first, first & 0xf0 != 0x40, !prefixes.contains(first) else {
            return false
        }
        return Array(before.dropFirst()) == Trampoline.load(number)
    }

    /// Decodes from the instruction's end on, where an instruction surely begins, to the return; what fills the space up to
    /// the next function is never run. Only what C libraries have between the two is known here.
    private static func padding(_ behind: ArraySlice<UInt8>) -> Int? {
        var at = behind.startIndex
        func byte(_ i: Int) -> UInt8 { at + i < behind.endIndex ? behind[at + i] : 0xff }
        loop: while at < behind.endIndex {
            switch (byte(0), byte(1)) {
            case (0xc3, _):  // ret
                at += 1
                break loop
            case (0x3d, _): at += 5  // cmp $imm32,%eax
            case (0x48, 0x3d): at += 6  // cmp $imm32,%rax
            case (0x48, 0x89), (0x48, 0x85), (0x48, 0x31):  // mov, test, xor between registers
                guard byte(2) >= 0xc0 else { return nil }
                at += 3
            case (0x89, let operands), (0x85, let operands), (0x31, let operands):
                guard operands >= 0xc0 else { return nil }
                at += 2
            case (0x70...0x7f, _): at += 2  // jcc rel8
            case (0x0f, 0x80...0x8f): at += 6  // jcc rel32
            case (0x48, 0x83) where byte(2) == 0xc4: at += 4  // add $imm8,%rsp
            case (0x58...0x5f, _): at += 1  // pop
            case (0x41, 0x58...0x5f): at += 2
            default: return nil
            }
        }
        let start = at
        while at < behind.endIndex, at - start < 5 {
            let length = nop(behind[at...])
            guard length > 0 else { return nil }
            at += length
        }
        // The two-byte jump's displacement counts from its own end, which is where `behind` begins.
        guard at <= behind.endIndex, at - start >= 5, start - behind.startIndex <= 127 else { return nil }
        return start - behind.startIndex
    }

    /// Length of the nop (Intel SDM, NOP) or int3 at the beginning, 0 if it is something else.
    private static func nop(_ code: ArraySlice<UInt8>) -> Int {
        var at = code.startIndex
        while at < code.endIndex, code[at] == 0x66 || code[at] == 0x2e { at += 1 }
        let prefix = at - code.startIndex
        guard at < code.endIndex else { return 0 }
        if code[at] == 0x90 || (code[at] == 0xcc && prefix == 0) { return prefix + 1 }
        guard at + 2 < code.endIndex, code[at] == 0x0f, code[at + 1] == 0x1f else { return 0 }
        switch code[at + 2] {
        case 0x00: return prefix + 3
        case 0x40: return prefix + 4
        case 0x44: return prefix + 5
        case 0x80: return prefix + 7
        case 0x84: return prefix + 8
        default: return 0
        }
    }
}
