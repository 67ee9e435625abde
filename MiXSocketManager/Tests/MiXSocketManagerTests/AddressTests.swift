import Testing

@testable import MiXSocketManager

private func decode(_ bytes: [UInt8], _ family: Family, mixing: Bool = false) throws(Errno) -> InetAddress {
    try bytes.withUnsafeBytes { raw in
        Result { () throws(Errno) in try InetAddress.decode(raw, family, mixing: mixing) }
    }.get()
}

@Suite struct AddressTests {
    @Test func inetAddressesKeepTheirShape() throws {
        let four = InetAddress(host: .loopback4, port: 0x1234)
        #expect(four.encoded(.inet) == [2, 0, 0x12, 0x34, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0])
        #expect(try decode(four.encoded(.inet), .inet) == four)
        let six = InetAddress(host: .loopback6, port: 80, scope: 1)
        #expect(six.encoded(.inet6).count == 28)
        #expect(try decode(six.encoded(.inet6), .inet6) == six)
        // An IPv4 address to a socket of IPv6 is told in its mapped form.
        #expect([UInt8](four.encoded(.inet6)[8..<24]) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1])
        #expect(InetHost(v4: 0xe000_0001).isMulticast && !InetHost.loopback4.isMulticast)
    }

    @Test func whatIsTooShortOrForeignIsRefused() {
        #expect(throws: Errno.EINVAL) { try decode([2], .inet) }
        #expect(throws: Errno.EINVAL) { try decode([2, 0, 0, 80, 127, 0, 0, 1], .inet) }
        #expect(throws: Errno.EAFNOSUPPORT) { try decode([1, 0] + [UInt8](repeating: 0, count: 14), .inet) }
        #expect(throws: Errno.EAFNOSUPPORT) {
            try decode(InetAddress(host: .loopback4, port: 1).encoded(.inet) + [UInt8](repeating: 0, count: 12), .inet6)
        }
    }

    @Test func unixNames() throws {
        func name(_ bytes: [UInt8]) throws(Errno) -> UnixName? {
            try bytes.withUnsafeBytes { raw in
                Result { () throws(Errno) in try UnixName.decode(raw, node: .init(device: 1, inode: 2)) }
            }.get()
        }
        #expect(try name([1, 0]) == nil)
        #expect(try name([1, 0] + Array("path".utf8) + [0, 9])?.bytes == Array("path".utf8))
        #expect(try name([1, 0, 0, 65, 0])?.bytes == [0, 65, 0])
        #expect(throws: Errno.EINVAL) { try name([2, 0, 65]) }
        #expect(throws: Errno.EINVAL) { try name([1, 0] + [UInt8](repeating: 65, count: 109)) }
    }

    @Test func controlMessagesOfPackets() throws {
        func header(_ bytes: [UInt8]) throws(Errno) -> PacketHeader {
            try bytes.withUnsafeBytes { raw in Result { () throws(Errno) in try PacketHeader(raw) } }.get()
        }
        let hops = little(UInt64(20)) + little(Int32(0)) + little(Int32(2)) + little(Int32(9)) + [0, 0, 0, 0]
        #expect(try header(hops).hops == 9)
        #expect(throws: Errno.EINVAL) { try header(little(UInt64(99)) + little(Int32(0)) + little(Int32(2))) }
        #expect(throws: Errno.EINVAL) {
            try header(little(UInt64(20)) + little(Int32(0)) + little(Int32(99)) + little(Int32(9)) + [0, 0, 0, 0])
        }
    }
}
