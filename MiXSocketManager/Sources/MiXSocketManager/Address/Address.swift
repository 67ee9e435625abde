/// What a socket is called, or sends to.
enum Address: Equatable {
    case unnamed
    case unix(UnixName)
    case inet(InetAddress)
    case netlink(port: UInt32, groups: UInt32)

    /// As the sockaddr struct of a socket of `family`.
    func encoded(_ family: Family) -> [UInt8] {
        var bytes = little(UInt16(family.rawValue))
        switch self {
        case .unnamed:
            switch family {
            case .unix: break
            case .inet: bytes += [UInt8](repeating: 0, count: 14)
            case .inet6: bytes += [UInt8](repeating: 0, count: 26)
            case .netlink: bytes += [UInt8](repeating: 0, count: 10)
            }
        case .unix(let name): bytes += name.encoded
        case .inet(let address): bytes = address.encoded(family)
        case .netlink(let port, let groups): bytes += [0, 0] + little(port) + little(groups)
        }
        return bytes
    }

    /// The family that a sockaddr says; nil where it is too short for one.
    static func family(of bytes: UnsafeRawBufferPointer) -> UInt16? {
        bytes.count >= 2 ? bytes.loadUnaligned(as: UInt16.self) : nil
    }
}

/// Address families (socket(2)).
enum Family: UInt32 {
    case unix = 1
    case inet = 2
    case inet6 = 10
    case netlink = 16

    var isInet: Bool { self == .inet || self == .inet6 }
}

/// Bytes in the host's order.
func little<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { [UInt8]($0) }
}
/// Bytes in the network's order.
func big<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { [UInt8]($0) } }
