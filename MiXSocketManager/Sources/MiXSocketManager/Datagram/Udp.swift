import Glibc

/// UDP over the loop (udp(7)): what nobody has room for is lost.
extension Socket {
    static let longestPacket = 65507

    func connectUdp(to wanted: InetAddress?) throws(Errno) {
        guard let wanted else {
            let binding = state.withLock { state in
                state.remote = .unnamed
                if case .inet(var local) = state.local, !state.isHostGiven {
                    local.host = family == .inet6 ? .any6 : .any4
                    state.local = .inet(local)
                }
                return state.binding
            }
            if let binding { manager.ports.setPeer(self, binding, nil) }
            return
        }
        let address = try reachable(wanted)
        try bindAutomatically(toward: nil)
        let binding = state.withLock { state in
            state.remote = .inet(address)
            if case .inet(var local) = state.local, !state.isHostGiven, !address.host.isMulticast {
                local.host = Self.source(toward: address.host)
                state.local = .inet(local)
            }
            return state.binding
        }
        if let binding { manager.ports.setPeer(self, binding, address) }
    }

    func sendUdp(_ data: UnsafeRawBufferPointer, to wanted: InetAddress?, _ header: PacketHeader) throws(Errno) -> Int {
        let (remote, mayBroadcast, options) = try state.withLock { (state) throws(Errno) -> (Address, Bool, Options) in
            try state.takeError()
            if state.sendShut { throw .EPIPE }
            return (state.remote, state.options.flag(.broadcast), state.options)
        }
        if data.count > Self.longestPacket { throw .EMSGSIZE }
        let address: InetAddress
        if let wanted {
            if wanted.port == 0 { throw .EINVAL }
            if wanted.host.isBroadcast && !mayBroadcast { throw .EACCES }
            address = try reachable(wanted)
        } else {
            guard case .inet(let known) = remote else { throw .EDESTADDRREQ }
            address = known
        }
        try bindAutomatically(toward: nil)
        var source = InetAddress(host: Self.source(toward: address.host), port: 0)
        if case .inet(let local) = state.withLock({ $0.local }) {
            source.port = local.port
            if !local.host.isAny && !local.host.isMulticast && local.host.isV4 == address.host.isV4 {
                source.host = local.host
            }
        }
        let isV4 = address.host.isV4
        var ancillary = Ancillary()
        ancillary.sender = .inet(source)
        ancillary.packet = (address, header.hops ?? options.hops(v4: isV4), header.service ?? options.service(v4: isV4))
        if address.host.isMulticast {
            let loops = options.loopsMulticast(v4: isV4)
            for receiver in manager.ports.receivers(port: address.port, v4: isV4) where loops || receiver !== self {
                if receiver.hasJoined(address.host) { receiver.deliver(data, ancillary) }
            }
        } else if let receiver = manager.ports.receiver(address, from: source) {
            receiver.deliver(data, ancillary)
        } else if remote != .unnamed {
            // The answer is "port unreachable", which a connected socket is told of later (udp(7)).
            change { state, effects in
                state.error = Errno.ECONNREFUSED.number
                state.watches.fire(Poll.error | Poll.input | Poll.output, &effects.postings)
            }
        }
        return data.count
    }

    private func deliver(_ data: UnsafeRawBufferPointer, _ packet: Ancillary) {
        var ancillary = packet
        change { state, effects in
            if state.receiveShut { return }
            // What a packet costs beside its data counts too, or empty ones would be free.
            guard state.queue.count + (state.queue.messages + 1) * 512 + data.count <= state.options.receiveBuffer * 2
            else { return }
            if state.options.wantsTime { ancillary.time = realTime() }
            state.queue.append(message: data, ancillary)
            state.watches.fire(Poll.input, &effects.postings)
        }
    }
}

/// Nanoseconds since 1970.
func realTime() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return Int64(now.tv_sec) &* 1_000_000_000 &+ Int64(now.tv_nsec)
}
