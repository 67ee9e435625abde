/// Local addresses and ports of sockets of AF_INET and AF_INET6.
extension Socket {
    var portTransport: Transport { kind == .stream ? .tcp : .udp }

    /// The address in a sockaddr; an unspecific one for bind(2) may come without a family.
    func inetAddress(_ bytes: UnsafeRawBufferPointer, binding: Bool = false) throws(Errno) -> InetAddress {
        if binding, family == .inet, bytes.count >= 16, Address.family(of: bytes) == 0,
            bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self) == 0
        {
            return InetAddress(
                host: .any4, port: UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
        }
        let address = try InetAddress.decode(bytes, family, mixing: !binding && isDatagram)
        let only6 = state.withLock { $0.options.isOnlyV6 }
        if family == .inet6, only6, address.host.isV4 { throw binding ? .EINVAL : .ENETUNREACH }
        return address
    }

    /// bind(2): what this site has of addresses is its loop; groups may be bound to receive from them.
    func bindInet(_ wanted: InetAddress, uid: UInt32, isPrivileged: Bool) throws(Errno) {
        if wanted.port != 0 && wanted.port < 1024 && !isPrivileged { throw .EACCES }
        let host = wanted.host
        let mayFree = state.withLock { $0.options.isFreeBind }
        guard host.isAny || host.isLoopback || host.isMulticast && isDatagram || mayFree else { throw .EADDRNOTAVAIL }
        let claim = try state.withLock { (state) throws(Errno) -> PortSpace.Claim in
            guard state.binding == nil, case .idle = state.phase else { throw .EINVAL }
            return makeClaim(host, state, uid)
        }
        let port = try manager.ports.bind(portTransport, claim, port: wanted.port)
        take(InetAddress(host: host, port: port, scope: wanted.scope))
        state.withLock { $0.isHostGiven = !host.isAny }
    }

    private func makeClaim(_ host: InetHost, _ state: State, _ uid: UInt32) -> PortSpace.Claim {
        PortSpace.Claim(
            socket: self, host: host, takesV4: family == .inet6 && !state.options.isOnlyV6, isV6: family == .inet6,
            sharesAddress: state.options.flag(.reuseAddress), sharesPort: state.options.flag(.reusePort), uid: uid)
    }

    private func take(_ address: InetAddress) {
        let binding = PortBinding(transport: portTransport, port: address.port)
        state.withLock { state in
            state.local = .inet(address)
            state.binding = binding
        }
    }

    /// What connect(2), listen(2) and sendto(2) do for a socket without a port. `host`: what it goes to.
    func bindAutomatically(toward host: InetHost?) throws(Errno) {
        let own = host.map(Self.source) ?? (family == .inet6 ? .any6 : .any4)
        let claim = state.withLock { state -> PortSpace.Claim? in
            guard state.binding == nil else { return nil }
            return makeClaim(own, state, state.credentials.uid)
        }
        guard let claim else { return }
        let port: UInt16
        do throws(Errno) { port = try manager.ports.bind(portTransport, claim, port: 0) } catch {
            throw host == nil ? error : (isDatagram ? .EAGAIN : .EADDRNOTAVAIL)
        }
        take(InetAddress(host: own, port: port))
    }

    /// The address that a packet to `host` comes from.
    static func source(toward host: InetHost) -> InetHost { host.isV4 ? .loopback4 : .loopback6 }

    /// Where a packet to `address` really goes: nowhere in particular is this site itself. ENETUNREACH beyond the loop.
    func reachable(_ address: InetAddress) throws(Errno) -> InetAddress {
        var address = address
        if address.host.isAny { address.host = address.host.isV4 || family == .inet ? .loopback4 : .loopback6 }
        guard address.host.isLoopback || address.host.isMulticast && isDatagram else { throw .ENETUNREACH }
        return address
    }

    /// A connection of a listener at `address`.
    func joinPort(_ address: InetAddress, of listener: Socket) {
        let claim = listener.state.withLock { makeClaim(address.host, $0, $0.credentials.uid) }
        manager.ports.join(.tcp, claim, port: address.port)
        take(address)
    }

    func releasePort() {
        let binding = state.withLock { state in
            defer { state.binding = nil }
            return state.binding
        }
        if let binding { manager.ports.release(self, binding) }
    }
}
