import CChorus
import NucleusCore

/// A page of trampolines in a guest, near the text it serves. The first of its slots holds the gate's address.
struct TrampolinePage: Sendable {
    static let slotSize: UInt64 = 32, slots = 4096 / slotSize

    let start: VmAddr
    /// Sites and numbers of the slots from the second one on.
    private var origins: [(site: VmAddr, number: UInt32)] = []

    init(_ start: VmAddr) { self.start = start }

    var isFull: Bool { origins.count + 1 >= Int(Self.slots) }
    func contains(_ address: VmAddr) -> Bool { address &- start < 4096 }

    /// A jump with a 32-bit displacement leads from one to the other, wherever in the page it ends.
    func reaches(_ site: VmAddr) -> Bool {
        let near: UInt64 = 0x7fff_0000
        return site > start ? site - start < near : start - site < near
    }

    func origin(of address: VmAddr) -> (site: VmAddr, number: UInt32)? {
        let slot = Int((address - start) / Self.slotSize) - 1
        return slot >= 0 && slot < origins.count ? origins[slot] : nil
    }

    /// Takes the next slot: its address and what it has to hold.
    mutating func add(_ site: VmAddr, _ number: UInt32) -> (address: VmAddr, code: [UInt8]) {
        origins.append((site, number))
        let address = start + UInt64(origins.count) * Self.slotSize
        // mov $number,%eax; lea site+7(%rip),%r11; jmp *start(%rip)
        var code: [UInt8] = [0xb8]
        append(number, &code)
        code += [0x4c, 0x8d, 0x1d]
        append(displacement(from: address + 12, to: site + 7), &code)
        code += [0xff, 0x25]
        append(displacement(from: address + 18, to: start), &code)
        return (address, code)
    }

    /// What a rewritten site begins with.
    static func jump(from site: VmAddr, to trampoline: VmAddr) -> [UInt8] {
        var code: [UInt8] = [0xe9]
        append(displacement(from: site + 5, to: trampoline), &code)
        return code
    }

    /// What it began with before.
    static func load(_ number: UInt32) -> [UInt8] {
        var code: [UInt8] = [0xb8]
        append(number, &code)
        return code
    }
}

private func displacement(from: VmAddr, to: VmAddr) -> UInt32 { UInt32(truncatingIfNeeded: to &- from) }

private func append(_ word: UInt32, _ code: inout [UInt8]) {
    for shift in stride(from: 0, to: 32, by: 8) { code.append(UInt8(truncatingIfNeeded: word >> UInt32(shift))) }
}
