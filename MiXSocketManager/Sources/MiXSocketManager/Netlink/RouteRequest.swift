/// A request to the kernel's routing tables, and its answers.
struct RouteRequest {
    private let type: UInt16
    private let flags: UInt16
    private let sequence: UInt32
    private let family: UInt8
    private let header: [UInt8]
    /// What follows struct nlmsghdr.
    private let body: [UInt8]

    init(_ bytes: UnsafeRawBufferPointer) {
        type = bytes.loadUnaligned(fromByteOffset: 4, as: UInt16.self)
        flags = bytes.loadUnaligned(fromByteOffset: 6, as: UInt16.self)
        sequence = bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self)
        family = bytes.count > RouteMessage.headerSize ? bytes[RouteMessage.headerSize] : 0
        header = [UInt8](bytes.prefix(RouteMessage.headerSize))
        body = [UInt8](bytes.dropFirst(RouteMessage.headerSize))
    }

    private static let multi: UInt16 = 2  // NLM_F_MULTI
    private static let dump: UInt16 = 0x300  // NLM_F_DUMP

    /// Datagrams to come back.
    func answers(port: UInt32) -> [[UInt8]] {
        let isDump = flags & Self.dump == Self.dump
        switch type {
        case 18: return list(link(port, isDump), port, isDump)  // RTM_GETLINK
        case 22 where isDump: return list(addresses(port), port, true)  // RTM_GETADDR
        case 26 where isDump: return list(routes(port), port, true)  // RTM_GETROUTE
        case 30 where isDump, 34 where isDump, 38 where isDump: return list([], port, true)
        case 26:
            guard let way = way(port) else { return [error(Errno.ENETUNREACH, port)] }
            return [way.encoded]
        case 16, 17, 19, 20, 21, 24, 25, 28, 29, 32, 33: return [error(.EPERM, port)]
        case 0..<16: return flags & 4 != 0 ? [error(Errno(0), port)] : []
        default: return [error(.EOPNOTSUPP, port)]
        }
    }

    private func list(_ messages: [RouteMessage], _ port: UInt32, _ isDump: Bool) -> [[UInt8]] {
        let body = messages.flatMap(\.encoded)
        guard isDump else { return body.isEmpty ? [error(.ENODEV, port)] : [body] }
        let done = RouteMessage(3, flags: Self.multi, sequence: sequence, port: port, body: little(Int32(0))).encoded
        return body.isEmpty ? [done] : [body, done]
    }

    /// NLMSG_ERROR; 0 acknowledges.
    private func error(_ error: Errno, _ port: UInt32) -> [UInt8] {
        RouteMessage(2, flags: 0, sequence: sequence, port: port, body: little(-error.number) + header).encoded
    }

    private func message(_ type: UInt16, _ port: UInt32, _ body: [UInt8], multi: Bool = true) -> RouteMessage {
        RouteMessage(type, flags: multi ? Self.multi : 0, sequence: sequence, port: port, body: body)
    }

    /// struct ifinfomsg, and attributes IFLA_*.
    private func link(_ port: UInt32, _ isDump: Bool) -> [RouteMessage] {
        let body =
            [0, 0] + little(UInt16(772)) + little(Interfaces.index) + little(UInt32(Interfaces.flags) | 0x10000)
            + little(UInt32(0))
        var message = message(16, port, body, multi: isDump)
        message.add(3, [UInt8](Interfaces.name.utf8) + [0])
        message.add(13, little(UInt32(1000)))  // queue
        message.add(16, [0])  // state: unknown, as of all loops
        message.add(17, [0])
        message.add(4, little(UInt32(Interfaces.mtu)))
        message.add(27, little(UInt32(0)))
        message.add(6, [UInt8]("noqueue".utf8) + [0])
        message.add(1, [0, 0, 0, 0, 0, 0])
        message.add(2, [0, 0, 0, 0, 0, 0])
        return [message]
    }

    /// struct ifaddrmsg, and attributes IFA_*.
    private func addresses(_ port: UInt32) -> [RouteMessage] {
        var all: [RouteMessage] = []
        if family == 0 || family == 2 {
            var message = message(20, port, [2, 8, 0x80, 254] + little(UInt32(1)))
            message.add(1, InetHost.loopback4.bytes)
            message.add(2, InetHost.loopback4.bytes)
            message.add(3, [UInt8](Interfaces.name.utf8) + [0])
            message.add(8, little(UInt32(0x80)))
            message.add(6, little(UInt32.max) + little(UInt32.max) + [UInt8](repeating: 0, count: 8))
            all.append(message)
        }
        if family == 0 || family == 10 {
            var message = message(20, port, [10, 128, 0x80, 254] + little(UInt32(1)))
            message.add(1, InetHost.loopback6.bytes)
            message.add(8, little(UInt32(0x80)))
            message.add(6, little(UInt32.max) + little(UInt32.max) + [UInt8](repeating: 0, count: 8))
            all.append(message)
        }
        return all
    }

    /// struct rtmsg, and attributes RTA_*: the local table's routes to the loop; the main table is empty.
    private func routes(_ port: UInt32) -> [RouteMessage] {
        var all: [RouteMessage] = []
        // RTPROT_KERNEL; RT_SCOPE_HOST, or RT_SCOPE_LINK; RTN_LOCAL, or RTN_BROADCAST.
        func add(
            _ family: UInt8, _ bits: UInt8, _ destination: [UInt8], _ source: [UInt8], scope: UInt8 = 254,
            type: UInt8 = 2
        ) {
            var message = message(24, port, [family, bits, 0, 0, 255, 2, scope, type] + little(UInt32(0)))
            message.add(15, little(UInt32(255)))
            message.add(1, destination)
            message.add(7, source)
            message.add(4, little(Interfaces.index))
            all.append(message)
        }
        if family == 0 || family == 2 {
            add(2, 8, [127, 0, 0, 0], InetHost.loopback4.bytes)
            add(2, 32, InetHost.loopback4.bytes, InetHost.loopback4.bytes)
            add(2, 32, [127, 255, 255, 255], InetHost.loopback4.bytes, scope: 253, type: 3)
        }
        if family == 0 || family == 10 { add(10, 128, InetHost.loopback6.bytes, InetHost.loopback6.bytes) }
        return all
    }

    /// The route to one destination; nil where there is none.
    private func way(_ port: UInt32) -> RouteMessage? {
        guard let destination = attribute(1) else { return nil }  // RTA_DST
        let isV4 = family == 2 && destination.count == 4 && destination[0] == 127
        let isV6 = family == 10 && destination == InetHost.loopback6.bytes
        guard isV4 || isV6 else { return nil }
        // RTM_F_CLONED, and of IPv4 RTCF_LOCAL.
        let flags: UInt32 = isV4 ? 0x8000_0200 : 0x200
        let bits = UInt8(destination.count * 8)
        var message = message(
            24, port, [family, bits, 0, 0, isV4 ? 254 : 255, isV4 ? 0 : 2, 0, 2] + little(flags), multi: false)
        message.add(15, little(UInt32(isV4 ? 254 : 255)))
        message.add(1, destination)
        message.add(4, little(Interfaces.index))
        message.add(7, isV4 ? InetHost.loopback4.bytes : InetHost.loopback6.bytes)
        if isV4 { message.add(25, little(UInt32(0))) }  // RTA_UID
        message.add(12, [UInt8](repeating: 0, count: 32))  // RTA_CACHEINFO
        return message
    }

    /// Of struct rtmsg, which is 12 bytes.
    private func attribute(_ wanted: UInt16) -> [UInt8]? {
        var at = 12
        while at + 4 <= body.count {
            let size = Int(UInt16(body[at]) | UInt16(body[at + 1]) << 8)
            guard size >= 4, at + size <= body.count else { return nil }
            if UInt16(body[at + 2]) | UInt16(body[at + 3]) << 8 == wanted { return [UInt8](body[at + 4..<at + size]) }
            at += (size + 3) / 4 * 4
        }
        return nil
    }
}
