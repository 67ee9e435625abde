/// An address of IPv4 or IPv6; the former in its mapped form (RFC 4291, 2.5.5.2), so that both compare.
struct InetHost: Hashable {
    var high: UInt64  // host order
    var low: UInt64

    init(high: UInt64, low: UInt64) { (self.high, self.low) = (high, low) }
    init(v4: UInt32) { self.init(high: 0, low: 0xffff_0000_0000 | UInt64(v4)) }

    static let any6 = InetHost(high: 0, low: 0)
    static let any4 = InetHost(v4: 0)
    static let loopback6 = InetHost(high: 0, low: 1)
    static let loopback4 = InetHost(v4: 0x7f00_0001)

    var isV4: Bool { high == 0 && low >> 32 == 0xffff }
    var v4: UInt32 { UInt32(truncatingIfNeeded: low) }
    var isAny: Bool { self == .any6 || self == .any4 }
    var isLoopback: Bool { isV4 ? v4 >> 24 == 127 : self == .loopback6 }
    var isMulticast: Bool { isV4 ? v4 >> 28 == 0xe : high >> 56 == 0xff }
    var isBroadcast: Bool { isV4 && v4 == 0xffff_ffff }

    var bytes: [UInt8] { isV4 ? big(v4) : big(high) + big(low) }
    var mapped: [UInt8] { big(high) + big(low) }
}

/// Where a packet goes to or comes from.
struct InetAddress: Hashable {
    var host: InetHost
    var port: UInt16
    var scope: UInt32 = 0

    /// sockaddr_in or sockaddr_in6.
    func encoded(_ family: Family) -> [UInt8] {
        if family == .inet6 {
            return little(UInt16(10)) + big(port) + [0, 0, 0, 0] + host.mapped + little(scope)
        }
        return little(UInt16(2)) + big(port) + big(host.v4) + [UInt8](repeating: 0, count: 8)
    }

    /// EINVAL: too short; EAFNOSUPPORT: of a family that a socket of `family` cannot reach. `mixing`: an IPv6 socket takes IPv4's too.
    static func decode(_ bytes: UnsafeRawBufferPointer, _ family: Family, mixing: Bool) throws(Errno) -> InetAddress {
        guard let named = Address.family(of: bytes) else { throw .EINVAL }
        switch (named, family) {
        case (2, _) where family == .inet || family == .inet6 && mixing:
            guard bytes.count >= 16 else { throw .EINVAL }
            return InetAddress(host: InetHost(v4: number(bytes, 4)), port: number(bytes, 2))
        case (10, .inet6):
            guard bytes.count >= 24 else { throw .EINVAL }
            return InetAddress(
                host: InetHost(high: number(bytes, 8), low: number(bytes, 16)), port: number(bytes, 2),
                scope: bytes.count >= 28 ? bytes.loadUnaligned(fromByteOffset: 24, as: UInt32.self) : 0)
        default:
            if bytes.count < (family == .inet ? 16 : 24) { throw .EINVAL }
            throw .EAFNOSUPPORT
        }
    }

    private static func number<Value: FixedWidthInteger & BitwiseCopyable>(_ bytes: UnsafeRawBufferPointer, _ at: Int)
        -> Value
    {
        Value(bigEndian: bytes.loadUnaligned(fromByteOffset: at, as: Value.self))
    }
}
