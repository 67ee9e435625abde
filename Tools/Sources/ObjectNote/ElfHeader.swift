/// The parts of an ELF object (elf(5)) that a loader must know before dlopen.
struct ElfHeader {
    let programOffset: UInt64
    let programCount: UInt16

    static let wanted = "a 64-bit x86-64 ELF shared object"

    init(_ image: borrowing ElfImage) throws(ObjectError) {
        guard image.bytes.count >= 4, image.bytes.prefix(4).elementsEqual([0x7f, 0x45, 0x4c, 0x46]) else {
            throw image.error("is not an ELF file", Self.wanted)
        }
        let class_ = try image.read(UInt8.self, at: 4, of: "the ELF header")
        let data = try image.read(UInt8.self, at: 5, of: "the ELF header")
        guard class_ == 2, data == 1 else {
            let found = class_ == 1 ? "32-bit" : data == 2 ? "big-endian" : "of an unknown class"
            throw image.error("is a \(found) ELF file", Self.wanted)
        }
        let type = try image.read(UInt16.self, at: 16, of: "the ELF header")
        let machine = try image.read(UInt16.self, at: 18, of: "the ELF header")
        guard machine == 62 else { throw image.error("is for machine \(Self.machine(machine))", "x86-64 (62)") }
        guard type == 3 else { throw image.error("is \(Self.type(type))", "a shared object (type 3)") }
        programOffset = try image.read(UInt64.self, at: 32, of: "the ELF header")
        let entrySize = try image.read(UInt16.self, at: 54, of: "the ELF header")
        programCount = try image.read(UInt16.self, at: 56, of: "the ELF header")
        guard entrySize == 56 else { throw image.error("has program headers of \(entrySize) bytes", "56 bytes") }
        _ = try image.range(programOffset, UInt64(programCount) * 56, of: "the program header table")
        // Last in most files: a file cut anywhere shows it.
        let sections = try image.read(UInt64.self, at: 40, of: "the ELF header")
        let sectionSize = UInt64(try image.read(UInt16.self, at: 58, of: "the ELF header"))
        let sectionCount = UInt64(try image.read(UInt16.self, at: 60, of: "the ELF header"))
        _ = try image.range(sections, sectionCount * sectionSize, of: "the section header table")
    }

    struct Segment {
        let type: UInt32
        let offset, address, size: UInt64
    }

    func segments(_ image: borrowing ElfImage) throws(ObjectError) -> [Segment] {
        var found: [Segment] = []
        for index in 0..<UInt64(programCount) {
            let at = programOffset + index * 56
            let segment = Segment(
                type: try image.read(UInt32.self, at: at, of: "a program header"),
                offset: try image.read(UInt64.self, at: at + 8, of: "a program header"),
                address: try image.read(UInt64.self, at: at + 16, of: "a program header"),
                size: try image.read(UInt64.self, at: at + 32, of: "a program header"))
            // dlopen maps what is missing all the same, and dies of it.
            if segment.size > 0 { _ = try image.range(segment.offset, segment.size, of: "segment \(index)") }
            found.append(segment)
        }
        return found
    }

    private static func machine(_ number: UInt16) -> String {
        let names: [UInt16: String] = [3: "i386", 40: "arm", 183: "aarch64", 243: "riscv", 8: "mips", 21: "ppc64"]
        return names[number].map { "\(number) (\($0))" } ?? "\(number)"
    }

    private static func type(_ number: UInt16) -> String {
        switch number {
        case 1: "a relocatable object (type 1)"
        case 2: "a fixed executable (type 2)"
        case 4: "a core file (type 4)"
        default: "of type \(number)"
        }
    }
}
