import CMiXFile
import CMiXSocket

/// bind(2) and connect(2), by family.
extension SocketManager {
    func bind(_ socket: Socket, _ exchange: inout Exchange) throws(Errno) -> Int64 {
        switch socket.family {
        case .unix:
            let name = try UnixName.decode(exchange.body, node: exchange.node)
            let isFree = socket.state.withLock { $0.local == .unnamed }
            guard isFree else {
                if name == nil { return 0 }
                throw .EINVAL
            }
            let bound: UnixName
            if let name {
                try unixNames.bind(socket, name)
                bound = name
            } else {
                bound = try unixNames.bindAutomatically(socket)
            }
            socket.state.withLock { $0.local = .unix(bound) }
        case .inet, .inet6:
            let address = try socket.inetAddress(exchange.body, binding: true)
            try socket.bindInet(address, uid: exchange.request.cred.uid, isPrivileged: exchange.isPrivileged)
        case .netlink: try socket.bindNetlink(exchange.body, exchange.request.cred)
        }
        try exchange.put(socket.names.local.encoded(socket.family))
        return 0
    }

    func connect(_ socket: Socket, _ exchange: Exchange) throws(Errno) -> Int64 {
        guard let named = Address.family(of: exchange.body) else { throw .EINVAL }
        let nonBlocking = exchange.isNonBlocking
        let credentials = Credentials(exchange.request.cred)
        let progress: Socket.Progress
        switch (socket.family, socket.kind) {
        case (.netlink, _):
            try socket.connectNetlink(exchange.body)
            return 0
        case (.unix, .datagram):
            if named == 0 {
                try socket.connectDatagram(to: nil, as: .unnamed)
                return 0
            }
            let (peer, name) = try find(exchange.body, exchange.node)
            try socket.connectDatagram(to: peer, as: .unix(name))
            return 0
        case (.unix, _):
            let (listener, name) = try find(exchange.body, exchange.node)
            if socket.passesCredentials, socket.names.local == .unnamed {
                let own = try unixNames.bindAutomatically(socket)
                socket.state.withLock { $0.local = .unix(own) }
            }
            progress = try socket.connectStream(to: listener, as: .unix(name), credentials, nonBlocking: nonBlocking)
        case (_, .datagram):
            try socket.connectUdp(to: named == 0 ? nil : try socket.inetAddress(exchange.body))
            return 0
        default:
            if named == 0 {
                try socket.disconnect()
                return 0
            }
            let address = try socket.reachable(try socket.inetAddress(exchange.body))
            if address.port == 0 { throw .ECONNREFUSED }
            if socket.isIdle { try socket.bindAutomatically(toward: address.host) }
            let listener = ports.listener(address)
            socket.chooseSource(toward: address.host)
            progress = try socket.connectStream(to: listener, as: .inet(address), credentials, nonBlocking: nonBlocking)
        }
        switch progress {
        case .done: return 0
        case .waits: throw .EINPROGRESS
        }
    }

    /// Whose name it is. ECONNREFUSED: nobody's.
    private func find(_ body: UnsafeRawBufferPointer, _ node: UnixName.Node) throws(Errno) -> (Socket, UnixName) {
        guard let name = try UnixName.decode(body, node: node) else { throw .EINVAL }
        guard let socket = unixNames.find(name) else { throw .ECONNREFUSED }
        return (socket, name)
    }

    /// The socket that a datagram of AF_UNIX names; nil: none is named.
    func destination(_ address: UnsafeRawBufferPointer, _ node: UnixName.Node) throws(Errno) -> Socket? {
        address.isEmpty ? nil : try find(address, node).0
    }
}

extension Socket {
    var passesCredentials: Bool { state.withLock { $0.options.passesCredentials } }
    var isIdle: Bool {
        state.withLock { state in
            if case .idle = state.phase { return true }
            return false
        }
    }

    /// A socket bound to any address has the one that its connection comes from.
    func chooseSource(toward host: InetHost) {
        state.withLock { state in
            guard case .idle = state.phase, case .inet(var local) = state.local, local.host.isAny else { return }
            local.host = Self.source(toward: host)
            state.local = .inet(local)
        }
    }

    /// connect(2) to AF_UNSPEC: TCP resets the connection, and the socket may be used anew.
    func disconnect() throws(Errno) {
        let (peer, ended) = change { state, effects -> (Socket?, Backlog?) in
            let phase = state.phase
            state.phase = .idle
            (state.remote, state.receiveShut, state.sendShut, state.error) = (.unnamed, false, false, 0)
            effects.dropped += state.queue.removeAll()
            state.watches.fire(Poll.all, &effects.postings)
            if case .listening(let backlog) = phase { return (nil, backlog) }
            return (phase.peer, nil)
        }
        if let ended { endListening(ended) }
        peer?.lost(self, abruptly: true)
    }
}
