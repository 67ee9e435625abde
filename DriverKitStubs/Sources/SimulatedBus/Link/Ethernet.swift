/// Ethernet frames as links carry them: without preamble and FCS, not padded (IEEE 802.3, clause 3).
package enum Ethernet {
    package static let header = 14
    /// An 802.1Q tag comes on top of what the MTU allows.
    package static let tag = 4
    package static let leastMtu = 68  // RFC 791
    package static let mostMtu = 9216
    package static let mostFrame = mostMtu + header + tag

    /// The longest frame of a link, tagged if the frame is: its type is at 12.
    package static func most(_ mtu: Int, _ frame: UnsafeRawBufferPointer) -> Int {
        guard frame.count >= header else { return mtu + header }
        let type = UInt16(frame[12]) << 8 | UInt16(frame[13])
        return mtu + header + (type == 0x8100 || type == 0x88a8 ? tag : 0)
    }
}

/// An address of a link.
package struct MacAddress: Equatable {
    package let bytes: [UInt8]

    /// "52:54:00:12:34:56", of one station; nil for anything else.
    package init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let bytes = parts.compactMap { $0.utf8.count == 2 ? UInt8($0, radix: 16) : nil }
        guard parts.count == 6, bytes.count == 6, bytes[0] & 1 == 0, bytes.contains(where: { $0 != 0 }) else {
            return nil
        }
        self.bytes = bytes
    }

    /// Locally administered, and always the same for a name (FNV-1a).
    package init(derivedFrom name: String) {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        bytes = [0x02] + (0..<5).map { UInt8(truncatingIfNeeded: hash >> (8 * $0)) }
    }
}
