import CChorus
import NucleusCore

/// A slot in a page near the text: loads the number (or has done so already), and goes to the gate with its own address in
/// r11. Behind that, for threads that cannot go there, a syscall instruction of its own and the way back.
struct Trampoline: Sendable, Equatable {
    static let size: UInt64 = 64
    /// entry.S knows both.
    static let ownCall: UInt64 = 18, returnAddress: UInt64 = 32

    let address: VmAddr
    /// The syscall instruction it stands for.
    let call: VmAddr
    /// Its first instruction, five bytes: the one that made room for the jump to it, or a nop.
    let first: [UInt8]

    var page: VmAddr { address & ~4095 }

    var code: [UInt8] {
        var code = first
        code += [0x4c, 0x8d, 0x1d] + Self.displacement(from: address + 12, to: address)  // lea address(%rip),%r11
        code += [0xff, 0x25] + Self.displacement(from: address + 18, to: page)  // jmp *page(%rip)
        code += [0x0f, 0x05]
        code += Self.jump(from: address + 20, to: call + 2)
        code += [UInt8](repeating: 0xcc, count: Int(Self.returnAddress) - code.count)
        return code + Self.bytes(call + 2, 8)
    }

    static func jump(from site: VmAddr, to target: VmAddr) -> [UInt8] {
        [0xe9] + displacement(from: site + 5, to: target)
    }

    /// mov $number,%eax
    static func load(_ number: UInt32) -> [UInt8] { [0xb8] + bytes(UInt64(number), 4) }

    /// mov 8(%rsp),%r9
    static let loadArgument: [UInt8] = [0x4c, 0x8b, 0x4c, 0x24, 0x08]
    static let nop: [UInt8] = [0x0f, 0x1f, 0x44, 0x00, 0x00]
    /// Whether the syscall instruction is still there.
    var isLoad: Bool { first != Self.nop }

    static func bytes(_ word: UInt64, _ count: UInt64) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) }
    }

    private static func displacement(from: VmAddr, to: VmAddr) -> [UInt8] { bytes(to &- from, 4) }
}

/// A page of them. The first slot holds the gate's address.
struct TrampolinePage: Sendable {
    let start: VmAddr
    private(set) var trampolines: [Trampoline] = []

    init(_ start: VmAddr) { self.start = start }

    var isFull: Bool { trampolines.count + 1 >= Int(4096 / Trampoline.size) }

    /// A jump with a 32-bit displacement leads from one to the other, wherever in the page it ends.
    func reaches(_ site: VmAddr) -> Bool {
        let near: UInt64 = 0x7fff_0000
        return site > start ? site - start < near : start - site < near
    }

    func trampoline(at address: VmAddr) -> Trampoline? {
        guard address &- start < 4096 else { return nil }
        let slot = Int((address - start) / Trampoline.size) - 1
        return slot >= 0 && slot < trampolines.count ? trampolines[slot] : nil
    }

    mutating func add(_ call: VmAddr, _ first: [UInt8]) -> Trampoline {
        let address = start + UInt64(trampolines.count + 1) * Trampoline.size
        trampolines.append(Trampoline(address: address, call: call, first: first))
        return trampolines[trampolines.count - 1]
    }
}
