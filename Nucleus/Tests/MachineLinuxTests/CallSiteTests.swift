import Testing

@testable import MachineLinux

/// What is done about a syscall instruction, from the bytes around it.
@Suite struct CallSiteTests {
    private let load: [UInt8] = [0xb8, 0x6e, 0, 0, 0]
    private let back: [UInt8] = [0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff, 0x73, 0x08, 0xc3]  // cmp $-4095,%rax; jae; ret
    private let filler: [UInt8] = [0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0]

    private func shape(_ before: [UInt8], _ behind: [UInt8], _ number: UInt32 = 110) -> CallSite? {
        CallSite(before: before[...], behind: behind[...], number: number)
    }

    @Test func aLoadBecomesAJump() {
        #expect(shape([0xc3] + load, []) == .load(110))
        #expect(shape([0x90] + load, back + filler) == .load(110))
    }

    @Test(arguments: [[0x41], [0x48], [0x66], [0xf3], [0x2e], []] as [[UInt8]])
    func aPrefixOrTheBeginningOfTheTextIsInDoubt(before: [UInt8]) { #expect(shape(before + load, []) == nil) }

    @Test func anotherNumberInEaxIsNoLoadOfIt() { #expect(shape([0xc3] + load, [], 39) == nil) }

    @Test func theFunctionOfTheLibraryIsKnown() {
        let moves: [UInt8] = [
            0x48, 0x89, 0xf8, 0x48, 0x89, 0xf7, 0x48, 0x89, 0xd6, 0x48, 0x89, 0xca, 0x4d, 0x89, 0xc2, 0x4d, 0x89, 0xc8,
            0x4c, 0x8b, 0x4c, 0x24, 0x08,
        ]
        #expect(shape(moves, back) == .argument)
        #expect(shape([0x90] + moves, back) == .argument)
        #expect(shape(Array(moves.dropFirst()), back) == nil)
    }

    @Test func whatIsBehindTheReturnIsFree() {
        #expect(shape([0x90, 0x90, 0x90, 0x90, 0x31, 0xc0], back + filler, 0) == .padding(9))
        #expect(shape([], [0xc3] + [UInt8](repeating: 0xcc, count: 5), 0) == .padding(1))
        #expect(shape([], [0xc3, 0x0f, 0x1f, 0x40, 0x00, 0x90], 0) == .padding(1))
    }

    @Test(
        arguments: [
            [0xc3, 0x0f, 0x1f, 0x40, 0x00],  // four bytes of it
            [0xc3, 0x0f, 0x1f, 0x40, 0x00, 0x55],  // and then code
            [0xc3], [], [0x48], [0x48, 0x3d, 0, 0],
            [0xe8, 0, 0, 0, 0, 0xc3, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc],  // an instruction that is not known here
            [0x48, 0x89, 0x07, 0xc3, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc],  // a store
            [0xcc, 0xcc, 0xcc, 0xcc, 0xcc],  // no return before it
        ] as [[UInt8]])
    func anythingElseStays(behind: [UInt8]) { #expect(shape([], behind, 0) == nil) }

    @Test func aShortJumpReaches127Bytes() {
        let skip = [UInt8](repeating: 0x5b, count: 126)  // pop %rbx
        #expect(shape([], skip + [0xc3] + filler, 0) == .padding(127))
        #expect(shape([], [0x5b] + skip + [0xc3] + filler, 0) == nil)
    }

    @Test func randomBytesDoNotTrap() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...170, using: &random)).map { _ in
                [0xc3, 0x0f, 0x1f, 0x48, 0x66, 0x90, 0x84, UInt8.random(in: 0...255, using: &random)].randomElement()
                    ?? 0
            }
            let at = Int.random(in: 0...min(6, bytes.count), using: &random)
            guard case .padding(let distance) = CallSite(before: bytes[..<at], behind: bytes[at...], number: 0) else {
                continue
            }
            #expect(at + distance + 5 <= bytes.count && bytes[at + distance - 1] == 0xc3)
        }
    }

    @Test func trampolinesAreWhatTheGateExpects() {
        var page = TrampolinePage(0x4040_1000)
        let first = page.add(0x40_1006, load), second = page.add(0x40_2000, Trampoline.nop)
        #expect(first.address == 0x4040_1040 && second.address == 0x4040_1080)
        #expect(first.code.count == 40 && second.code.count == 40)
        #expect(first.code[..<5] == load[...])
        #expect(Array(first.code[Int(Trampoline.ownCall)..<20]) == [0x0f, 0x05])
        #expect(Array(first.code[Int(Trampoline.returnAddress)...]) == Trampoline.bytes(0x40_1008, 8))
        #expect(page.trampoline(at: second.address + 17) == second && page.trampoline(at: 0x4040_1000) == nil)
        #expect(page.reaches(0x40_1006) && !page.reaches(0x40_1006 + 1 << 32))
    }
}
