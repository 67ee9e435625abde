/// Network interfaces as programs see them: the loop.
enum Interfaces {
    static let name = "lo"
    static let index: Int32 = 1
    static let mtu: Int32 = 65536
    /// IFF_UP | IFF_LOOPBACK | IFF_RUNNING (netdevice(7)).
    static let flags: UInt16 = 0x1 | 0x8 | 0x40

    /// SIOCGIF… on struct ifreq (40 bytes); SIOCGIFCONF's list travels behind its struct ifconf. EPERM for what would change something.
    static func control(_ command: UInt32, _ body: UnsafeRawBufferPointer) throws(Errno) -> [UInt8] {
        if command == 0x8912 { return request(address) }  // SIOCGIFCONF
        guard body.count >= 40 else { throw .EINVAL }
        if command == 0x8910 {  // SIOCGIFNAME
            guard body.loadUnaligned(fromByteOffset: 16, as: Int32.self) == index else { throw .ENODEV }
            return request(little(index))
        }
        guard body.prefix(16).prefix(while: { $0 != 0 }).elementsEqual(name.utf8) else { throw .ENODEV }
        switch command {
        case 0x8913: return request(little(flags))
        case 0x8915: return request(address)  // SIOCGIFADDR
        case 0x8917: return request(little(UInt16(2)) + [UInt8](repeating: 0, count: 14))  // SIOCGIFDSTADDR
        case 0x8919: return request(little(UInt16(2)) + [UInt8](repeating: 0, count: 14))  // SIOCGIFBRDADDR
        case 0x891b: return request(little(UInt16(2)) + [0, 0, 255, 0, 0, 0] + [UInt8](repeating: 0, count: 8))
        case 0x891d: return request(little(Int32(0)))  // SIOCGIFMETRIC
        case 0x8921: return request(little(mtu))
        case 0x8927: return request(little(UInt16(772)) + [UInt8](repeating: 0, count: 14))  // ARPHRD_LOOPBACK
        case 0x8933: return request(little(index))
        case 0x8942: return request(little(Int32(1000)))  // SIOCGIFTXQLEN
        case 0x8914, 0x8916, 0x8918, 0x891a, 0x891c, 0x891e, 0x8922, 0x8924, 0x8943: throw .EPERM
        default: throw .ENOTTY
        }
    }

    private static var address: [UInt8] { InetAddress(host: .loopback4, port: 0).encoded(.inet) }

    private static func request(_ value: [UInt8]) -> [UInt8] {
        let named = [UInt8](name.utf8) + [UInt8](repeating: 0, count: 16 - name.utf8.count) + value
        return named + [UInt8](repeating: 0, count: 40 - named.count)
    }
}
