/// A small ELF shared object, made by hand so that each field can be made wrong.
struct ElfBuilder {
    var ident: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    var type: UInt16 = 3
    var machine: UInt16 = 62
    var kind: UInt32 = 2
    var abiMajor: UInt16 = 1
    var abiMinor: UInt16 = 0
    var owner = "CHORUS"
    var noteSize: UInt32 = 64
    var symbol = "kn_actor_main"
    var section: UInt16 = 7
    var symbolCount: UInt32 = 2

    static let noteAt = 0x200
    static let dynamicAt = 0x300
    static let symbolsAt = 0x400
    static let stringsAt = 0x500
    static let hashAt = 0x600
    static let length = 0x700

    var bytes: [UInt8] {
        var image = [UInt8](repeating: 0, count: Self.length)
        func put<Number: FixedWidthInteger>(_ number: Number, _ at: Int) {
            withUnsafeBytes(of: number.littleEndian) { image.replaceSubrange(at..<(at + $0.count), with: $0) }
        }
        func text(_ string: String, _ at: Int) {
            image.replaceSubrange(at..<(at + string.utf8.count), with: string.utf8)
        }
        image.replaceSubrange(0..<16, with: ident)
        put(type, 16)
        put(machine, 18)
        put(UInt64(64), 32)
        put(UInt16(56), 54)
        put(UInt16(3), 56)
        let load = (UInt32(1), 0, Self.length)
        let dynamic = (UInt32(2), Self.dynamicAt, 0x40)
        let note = (UInt32(4), Self.noteAt, 12 + 8 + 64)
        for (index, (type, offset, size)) in [load, dynamic, note].enumerated() {
            let at = 64 + index * 56
            put(type, at)
            put(UInt64(offset), at + 8)
            put(UInt64(offset), at + 16)
            put(UInt64(size), at + 32)
        }
        put(UInt32(7), Self.noteAt)
        put(noteSize, Self.noteAt + 4)
        put(UInt32(0x4348_4f52), Self.noteAt + 8)
        text(owner, Self.noteAt + 12)
        put(kind, Self.noteAt + 20)
        put(abiMajor, Self.noteAt + 24)
        put(abiMinor, Self.noteAt + 26)
        text("Sample", Self.noteAt + 28)
        text("1.2.3", Self.noteAt + 60)
        for (index, (tag, value)) in [(6, Self.symbolsAt), (5, Self.stringsAt), (4, Self.hashAt), (0, 0)].enumerated() {
            put(UInt64(tag), Self.dynamicAt + index * 16)
            put(UInt64(value), Self.dynamicAt + index * 16 + 8)
        }
        put(UInt32(1), Self.symbolsAt + 24)
        image[Self.symbolsAt + 28] = 0x12
        put(section, Self.symbolsAt + 30)
        text(symbol, Self.stringsAt + 1)
        put(UInt32(1), Self.hashAt)
        put(symbolCount, Self.hashAt + 4)
        return image
    }
}
