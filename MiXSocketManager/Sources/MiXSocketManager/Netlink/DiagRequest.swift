/// A request of sock_diag(7), which ss(8) asks, and its answers: all sockets of a family that are in one of the wanted states.
struct DiagRequest {
    private let sequence: UInt32
    private let isDump: Bool
    private let type: UInt16
    private let header: [UInt8]
    private let family: UInt8
    private let transport: UInt8
    private let states: UInt32
    private let shows: UInt32

    init(_ bytes: UnsafeRawBufferPointer) {
        type = bytes.loadUnaligned(fromByteOffset: 4, as: UInt16.self)
        isDump = bytes.loadUnaligned(fromByteOffset: 6, as: UInt16.self) & 0x300 == 0x300
        sequence = bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self)
        header = [UInt8](bytes.prefix(RouteMessage.headerSize))
        let body = bytes.dropFirst(RouteMessage.headerSize)
        func word(_ at: Int) -> UInt32 {
            body.count >= at + 4
                ? bytes.loadUnaligned(fromByteOffset: RouteMessage.headerSize + at, as: UInt32.self) : 0
        }
        (family, transport) = body.count >= 2 ? (body[body.startIndex], body[body.startIndex + 1]) : (0, 0)
        states = word(4)
        // struct unix_diag_req has an inode before, struct inet_diag_req_v2 its extensions.
        shows = word(12)
    }

    func answers(_ manager: SocketManager, port: UInt32) -> [[UInt8]] {
        guard type == 20 else { return [error(.EINVAL, port)] }  // SOCK_DIAG_BY_FAMILY
        guard isDump else { return [error(.EOPNOTSUPP, port)] }
        var bodies: [[UInt8]] = []
        switch family {
        case UInt8(Family.unix.rawValue):
            for socket in manager.sockets.all where socket.family == .unix {
                if let answer = unix(socket, port) { bodies.append(answer) }
            }
        case UInt8(Family.inet.rawValue), UInt8(Family.inet6.rawValue):
            for socket in manager.sockets.all
            where socket.family.rawValue == UInt32(family) && socket.transport == Int32(transport) {
                if let answer = inet(socket, port) { bodies.append(answer) }
            }
        case UInt8(Family.netlink.rawValue): break
        default: return [error(Errno(2), port)]  // ENOENT: nobody answers for the family
        }
        let done = RouteMessage(3, flags: 2, sequence: sequence, port: port, body: little(Int32(0))).encoded
        return gather(bodies) + [done]
    }

    /// As many messages to a datagram as fit what programs read at a time.
    private func gather(_ bodies: [[UInt8]]) -> [[UInt8]] {
        var all: [[UInt8]] = []
        for body in bodies {
            if let last = all.last, last.count + body.count <= 8192 {
                all[all.count - 1] += body
            } else {
                all.append(body)
            }
        }
        return all
    }

    private func error(_ error: Errno, _ port: UInt32) -> [UInt8] {
        RouteMessage(2, flags: 0, sequence: sequence, port: port, body: little(-error.number) + header).encoded
    }

    /// struct inet_diag_msg.
    private func inet(_ socket: Socket, _ port: UInt32) -> [UInt8]? {
        guard let row = socket.inetRow, states >> UInt32(row.state) & 1 != 0 else { return nil }
        var body: [UInt8] = [family, row.state, 0, 0]
        let ends = [row.local, row.remote].map { address -> InetAddress in
            if case .inet(let known) = address { return known }
            return InetAddress(host: socket.family == .inet6 ? .any6 : .any4, port: 0)
        }
        for end in ends { body += big(end.port) }
        for end in ends {
            let bytes = socket.family == .inet6 ? end.host.mapped : end.host.bytes
            body += bytes + [UInt8](repeating: 0, count: 16 - bytes.count)
        }
        body += little(UInt32(0)) + little(socket.number)  // interface, cookie
        body += little(UInt32(0)) + little(UInt32(row.unread)) + little(UInt32(row.limit))
        body += little(row.uid) + little(UInt32(truncatingIfNeeded: socket.inode))
        var message = RouteMessage(20, flags: 2, sequence: sequence, port: port, body: body)
        message.add(8, [UInt8(0)])  // INET_DIAG_SHUTDOWN
        if socket.family == .inet6 {
            // What is bound to an address of its own takes no other family's (ipv6(7), IPV6_V6ONLY).
            let isOnly = socket.state.withLock { $0.options.isOnlyV6 } || !ends[0].host.isAny && !ends[0].host.isV4
            message.add(11, [isOnly ? 1 : 0])  // INET_DIAG_SKV6ONLY
        }
        return message.encoded
    }

    /// struct unix_diag_msg.
    private func unix(_ socket: Socket, _ port: UInt32) -> [UInt8]? {
        let (name, peer, state, unread, limit, shut) = socket.state.withLock {
            state -> (UnixName?, Socket?, UInt8, Int, Int, UInt8) in
            var name: UnixName?
            if case .unix(let known) = state.local { name = known }
            let shut: UInt8 = (state.receiveShut ? 1 : 0) | (state.sendShut ? 2 : 0)
            if case .listening(let backlog) = state.phase {
                return (name, nil, 10, backlog.waiting.count, backlog.limit, shut)
            }
            return (name, state.phase.peer, state.phase.peer == nil ? 7 : 1, state.queue.count, 0, shut)
        }
        guard states >> UInt32(state) & 1 != 0 else { return nil }
        let body =
            [family, UInt8(socket.kind.rawValue), state, 0] + little(UInt32(truncatingIfNeeded: socket.inode))
            + little(socket.number)
        var message = RouteMessage(20, flags: 2, sequence: sequence, port: port, body: body)
        if shows & 1 != 0, let name { message.add(0, name.bytes) }  // UDIAG_SHOW_NAME
        if shows & 4 != 0, let peer { message.add(2, little(UInt32(truncatingIfNeeded: peer.inode))) }
        if shows & 16 != 0 { message.add(4, little(UInt32(unread)) + little(UInt32(limit))) }  // UDIAG_SHOW_RQLEN
        message.add(6, [shut])
        return message.encoded
    }
}
