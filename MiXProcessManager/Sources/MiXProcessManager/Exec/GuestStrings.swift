import CChorus

/// Reads argument vectors of a trapped thread. Strings lie close together, so whole pages are fetched and kept: one
/// round trip a page instead of one a string.
struct GuestStrings {
    let call: Call
    private var pages: [UInt64: [UInt8]] = [:]
    private let page = AddressSpace.page

    init(_ call: Call) { self.call = call }

    private mutating func fetch(_ address: UInt64) throws(Errno) -> [UInt8] {
        let start = AddressSpace.pageDown(address)
        if let known = pages[start] { return known }
        let bytes = try call.copyIn(start, count: Int(page))
        pages[start] = bytes
        return bytes
    }

    private mutating func word(_ address: UInt64) throws(Errno) -> UInt64 {
        var value: UInt64 = 0
        for index in 0..<UInt64(8) {
            let at = address &+ index
            value |= UInt64(try fetch(at)[Int(at & (page - 1))]) << (index * 8)
        }
        return value
    }

    mutating func string(_ address: UInt64, limit: Int) throws(Errno) -> [UInt8] {
        var text: [UInt8] = []
        var at = address
        while true {
            let bytes = try fetch(at)
            let rest = bytes[Int(at & (page - 1))...]
            if let end = rest.firstIndex(of: 0) {
                text.append(contentsOf: rest[..<end])
                if text.count >= limit { throw .E2BIG }
                return text
            }
            text.append(contentsOf: rest)
            if text.count >= limit { throw .E2BIG }
            at = AddressSpace.pageDown(at) &+ page
        }
    }

    /// A NULL-terminated vector; a null vector is an empty one, as Linux takes it.
    mutating func vector(_ address: UInt64, total: inout Int) throws(Errno) -> [[UInt8]] {
        guard address != 0 else { return [] }
        var texts: [[UInt8]] = []
        var at = address
        while true {
            let pointer = try word(at)
            if pointer == 0 { return texts }
            let text = try string(pointer, limit: 131_072)
            total += text.count + 9
            if total > 6 << 20 { throw .E2BIG }
            texts.append(text)
            at &+= 8
        }
    }
}
