/// Looking one name up among the dynamic symbols, through the hash table that the dynamic linker itself uses: an
/// object without one would not load either.
struct ElfSymbols {
    private let symbols, strings: UInt64
    private let count: UInt64

    init?(_ image: borrowing ElfImage, _ segments: [ElfHeader.Segment]) throws(ObjectError) {
        guard let dynamic = segments.first(where: { $0.type == 2 }) else { return nil }
        _ = try image.range(dynamic.offset, dynamic.size, of: "the dynamic section")
        var tags: [UInt64: UInt64] = [:]
        var at = dynamic.offset
        while at + 16 <= dynamic.offset + dynamic.size {
            let tag = try image.read(UInt64.self, at: at, of: "the dynamic section")
            if tag == 0 { break }
            tags[tag] = try image.read(UInt64.self, at: at + 8, of: "the dynamic section")
            at += 16
        }
        guard let symtab = tags[6].flatMap({ Self.place($0, segments, image.bytes.count) }),
            let strtab = tags[5].flatMap({ Self.place($0, segments, image.bytes.count) })
        else { return nil }
        symbols = symtab
        strings = strtab
        if let hash = tags[4].flatMap({ Self.place($0, segments, image.bytes.count) }) {  // DT_HASH's nchain
            count = UInt64(try image.read(UInt32.self, at: hash + 4, of: "the symbol hash table"))
        } else if let hash = tags[0x6fff_fef5].flatMap({ Self.place($0, segments, image.bytes.count) }) {
            count = try Self.gnuCount(image, hash)
        } else {
            return nil
        }
    }

    /// File offset of an address.
    private static func place(_ address: UInt64, _ segments: [ElfHeader.Segment], _ size: Int) -> UInt64? {
        for segment in segments where segment.type == 1 && address >= segment.address {
            let within = address - segment.address
            let offset = segment.offset &+ within
            if within < segment.size && offset < UInt64(size) { return offset }
        }
        return nil
    }

    /// A GNU hash table has no symbol count: it is one behind the end of the last chain.
    private static func gnuCount(_ image: borrowing ElfImage, _ hash: UInt64) throws(ObjectError) -> UInt64 {
        let what = "the symbol hash table"
        let buckets = UInt64(try image.read(UInt32.self, at: hash, of: what))
        let first = UInt64(try image.read(UInt32.self, at: hash + 4, of: what))
        let bloom = UInt64(try image.read(UInt32.self, at: hash + 8, of: what))
        let table = hash + 16 + bloom * 8
        _ = try image.range(table, buckets * 4, of: what)
        var last: UInt64 = 0
        for index in 0..<buckets {
            last = max(last, UInt64(try image.read(UInt32.self, at: table + index * 4, of: what)))
        }
        if last < first { return first }
        let chains = table + buckets * 4
        while try image.read(UInt32.self, at: chains + (last - first) * 4, of: what) & 1 == 0 { last += 1 }
        return last + 1
    }

    /// A defined, global symbol of this name.
    func defines(_ name: String, in image: borrowing ElfImage) throws(ObjectError) -> Bool {
        _ = try image.range(symbols, count &* 24, of: "the dynamic symbol table")
        for index in 0..<count {
            let at = symbols + index * 24
            let text = UInt64(try image.read(UInt32.self, at: at, of: "a symbol"))
            guard image.isText(name, at: strings &+ text) else { continue }
            let info = try image.read(UInt8.self, at: at + 4, of: "a symbol")
            let section = try image.read(UInt16.self, at: at + 6, of: "a symbol")
            if section != 0 && info >> 4 != 0 { return true }
        }
        return false
    }
}
