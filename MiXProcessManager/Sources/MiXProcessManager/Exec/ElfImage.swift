/// An ELF64 x86-64 program as its headers describe it, every field checked before it is used (elf(5)).
struct ElfImage {
    struct Segment: Equatable {
        var address: UInt64
        var memorySize: UInt64
        var offset: UInt64
        var fileSize: UInt64
        var protection: UInt32  // PROT_*

        var pageStart: UInt64 { AddressSpace.pageDown(address) }
        var pageEnd: UInt64 { (address + memorySize + AddressSpace.page - 1) & ~(AddressSpace.page - 1) }
    }
    var isPositionIndependent: Bool
    var entry: UInt64
    /// Address of the program headers in the image, without the load bias; 0 when no segment holds them.
    var headersAddress: UInt64
    var headerCount: UInt64
    var segments: [Segment]
    var interpreter: [UInt8]?
    var wantsExecutableStack: Bool

    static let headerSize = 64, entrySize = 56
    static let magic: [UInt8] = [0x7f, 0x45, 0x4c, 0x46]
    /// Program headers beyond this many bytes are refused, as Linux does.
    static let maxHeaderBytes = 65536

    var lowest: UInt64 { segments.first?.pageStart ?? 0 }
    var highest: UInt64 { segments.last?.pageEnd ?? 0 }

    /// `read` gives exactly the bytes asked for, or throws.
    static func parse(
        header: [UInt8], fileSize: UInt64, read: (UInt64, Int) throws(Errno) -> [UInt8]
    ) throws(Errno) -> ElfImage {
        guard header.count >= headerSize, Array(header[0..<4]) == magic else { throw .ENOEXEC }
        let fields = Fields(header)
        // 64-bit, little-endian, version 1; x86-64; executable or shared object.
        guard header[4] == 2, header[5] == 1, header[6] == 1, fields.half(18) == 62 else { throw .ENOEXEC }
        let type = fields.half(16)
        guard type == 2 || type == 3 else { throw .ENOEXEC }
        let tableOffset = fields.word(32)
        let count = Int(fields.half(56))
        let tableSize = count * entrySize
        guard fields.half(54) == UInt64(entrySize), count > 0, tableSize <= maxHeaderBytes else { throw .ENOEXEC }
        guard fits(tableOffset, UInt64(tableSize), fileSize) else { throw .ENOEXEC }
        let table = Fields(try read(tableOffset, tableSize))
        guard table.count >= tableSize else { throw .ENOEXEC }

        var image = ElfImage(
            isPositionIndependent: type == 3, entry: fields.word(24), headersAddress: 0, headerCount: UInt64(count),
            segments: [], interpreter: nil, wantsExecutableStack: false)
        for index in 0..<count {
            let base = index * entrySize
            let flags = table.quarter(base + 4)
            let offset = table.word(base + 8)
            let address = table.word(base + 16)
            let inFile = table.word(base + 32)
            let inMemory = table.word(base + 40)
            let alignment = table.word(base + 48)
            switch table.quarter(base) {
            case 1:  // PT_LOAD
                if inMemory == 0 { continue }
                guard inFile <= inMemory, fits(offset, inFile, fileSize), alignment & (alignment &- 1) == 0 else {
                    throw .ENOEXEC
                }
                guard address % AddressSpace.page == offset % AddressSpace.page else { throw .ENOEXEC }
                guard inMemory < AddressSpace.highest, address < AddressSpace.highest,
                    address + inMemory < AddressSpace.highest
                else { throw .ENOMEM }
                let protection = (flags & 4 != 0 ? 1 : 0) | (flags & 2 != 0 ? 2 : 0) | (flags & 1 != 0 ? 4 : 0)
                let segment = Segment(
                    address: address, memorySize: inMemory, offset: offset, fileSize: inFile,
                    protection: UInt32(protection))
                // Ascending and in pages of their own: no segment may replace part of another.
                if let last = image.segments.last, segment.pageStart < last.pageEnd { throw .ENOEXEC }
                image.segments.append(segment)
            case 3:  // PT_INTERP
                guard image.interpreter == nil, inFile >= 2, inFile <= 4096, fits(offset, inFile, fileSize) else {
                    throw .ENOEXEC
                }
                var path = try read(offset, Int(inFile))
                guard path.count == Int(inFile), path.last == 0 else { throw .ENOEXEC }
                path = Array(path.prefix { $0 != 0 })
                guard !path.isEmpty else { throw .ENOEXEC }
                image.interpreter = path
            case 0x6474_e551:  // PT_GNU_STACK
                image.wantsExecutableStack = flags & 1 != 0
            default: continue
            }
        }
        guard !image.segments.isEmpty else { throw .ENOEXEC }
        if !image.isPositionIndependent {
            guard image.lowest >= AddressSpace.lowest else { throw .ENOEXEC }
        }
        for segment in image.segments
        where tableOffset >= segment.offset && tableOffset - segment.offset + UInt64(tableSize) <= segment.fileSize {
            image.headersAddress = segment.address + (tableOffset - segment.offset)
            break
        }
        return image
    }

    private static func fits(_ offset: UInt64, _ size: UInt64, _ limit: UInt64) -> Bool {
        offset <= limit && size <= limit - offset
    }

    private struct Fields {
        let bytes: [UInt8]
        init(_ bytes: [UInt8]) { self.bytes = bytes }
        var count: Int { bytes.count }
        func half(_ at: Int) -> UInt64 { load(at, 2) }
        func quarter(_ at: Int) -> UInt64 { load(at, 4) }
        func word(_ at: Int) -> UInt64 { load(at, 8) }
        private func load(_ at: Int, _ size: Int) -> UInt64 {
            guard at >= 0, at + size <= bytes.count else { return 0 }
            return (0..<size).reversed().reduce(0) { $0 << 8 | UInt64(bytes[at + $1]) }
        }
    }
}
