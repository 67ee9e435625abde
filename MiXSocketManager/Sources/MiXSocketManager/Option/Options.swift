/// Options of one socket (socket(7), ip(7), ipv6(7), tcp(7), udp(7)). Most are numbers that are only kept; what has a consequence has a name here.
struct Options {
    struct Name: Hashable {
        let level: Int32
        let name: Int32
    }

    private var values: [Name: Int32] = [:]
    private let family: Family
    private let kind: Socket.Kind
    var congestion: [UInt8] = [UInt8]("cubic".utf8)
    var device: [UInt8] = []
    /// SO_RCVTIMEO, SO_SNDTIMEO: seconds and microseconds. The waiting is the client's.
    var timeouts: (receive: (Int64, Int64), send: (Int64, Int64)) = ((0, 0), (0, 0))
    /// SO_LINGER: on, seconds.
    var linger: (on: Int32, seconds: Int32) = (0, 0)

    init(_ family: Family, _ kind: Socket.Kind) {
        (self.family, self.kind) = (family, kind)
    }

    subscript(name: Name) -> Int32? {
        get { values[name] }
        set { values[name] = newValue }
    }

    func value(_ name: Name, default fallback: Int32) -> Int32 { values[name] ?? fallback }
    func flag(_ name: Name) -> Bool { (values[name] ?? 0) != 0 }

    /// Bytes, as used: what setsockopt(2) was given is doubled (socket(7)).
    var sendBuffer: Int { Int(values[.sendBuffer] ?? (isTcp ? 2_626_560 : 212_992)) }
    var receiveBuffer: Int { Int(values[.receiveBuffer] ?? (isTcp ? 131_072 : 212_992)) }
    private var isTcp: Bool { family.isInet && kind == .stream }

    var lowWater: Int { Int(values[.receiveLowWater] ?? 1) }
    var isOnlyV6: Bool { family == .inet6 && flag(.onlyV6) }
    var isFreeBind: Bool { flag(.freeBind) || flag(.transparent) }
    /// SO_LINGER with no time: close(2) resets.
    var lingersNot: Bool { linger.on != 0 && linger.seconds == 0 }
    var passesCredentials: Bool { flag(.passCredentials) }
    var wantsTime: Bool { flag(.timestamp) || flag(.timestampNanoseconds) }

    /// Of a packet to `v4` or not, where sendmsg(2) says nothing else.
    func hops(v4: Bool) -> Int32 {
        let value = v4 ? value(.hops, default: -1) : value(.hops6, default: -1)
        return value < 0 ? 64 : value
    }
    func service(v4: Bool) -> Int32 { max(0, v4 ? value(.service, default: 0) : value(.service6, default: 0)) }

    func loopsMulticast(v4: Bool) -> Bool { value(v4 ? .multicastLoop : .multicastLoop6, default: 1) != 0 }
}

extension Options.Name {
    static let reuseAddress = socket(2), broadcast = socket(6), sendBuffer = socket(7), receiveBuffer = socket(8)
    static let keepAlive = socket(9), urgentInline = socket(10), reusePort = socket(15), passCredentials = socket(16)
    static let receiveLowWater = socket(18), timestamp = socket(29), timestampNanoseconds = socket(35)
    static let freeBind = ip(15), transparent = ip(19), packetInfo = ip(8), multicastLoop = ip(34)
    static let hops = ip(2), service = ip(1), hops6 = ip6(16), service6 = ip6(67)
    static let receiveHops = ip(12), receiveService = ip(13), receiveHops6 = ip6(51), receiveService6 = ip6(66)
    static let onlyV6 = ip6(26), receivePacketInfo6 = ip6(49), multicastLoop6 = ip6(19)

    static func socket(_ name: Int32) -> Self { Self(level: 1, name: name) }
    static func ip(_ name: Int32) -> Self { Self(level: 0, name: name) }
    static func ip6(_ name: Int32) -> Self { Self(level: 41, name: name) }
    static func tcp(_ name: Int32) -> Self { Self(level: 6, name: name) }
    static func udp(_ name: Int32) -> Self { Self(level: 17, name: name) }
}
