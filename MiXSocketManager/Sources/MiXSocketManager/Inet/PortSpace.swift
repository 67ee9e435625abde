import ActorKit

/// What a socket of TCP or UDP has of its port; for giving it back.
struct PortBinding {
    let transport: Transport
    let port: UInt16
}

enum Transport {
    case tcp, udp
}

/// Ports of TCP and UDP: who has which at which address, and who gets what comes for them.
final class PortSpace: Sendable {
    /// One socket's claim to a port.
    struct Claim {
        let socket: Socket
        let host: InetHost
        let takesV4: Bool  // an IPv6 socket bound to any address, not IPV6_V6ONLY
        let isV6: Bool
        let sharesAddress: Bool  // SO_REUSEADDR
        let sharesPort: Bool  // SO_REUSEPORT
        let uid: UInt32
        var isListening = false
        var peer: InetAddress?  // of a connected UDP socket

        func covers(_ host: InetHost) -> Bool {
            if self.host == host { return true }
            if self.host == .any6, isV6 { return !host.isV4 || takesV4 }
            return self.host == .any4 && host.isV4
        }

        func meets(_ other: Claim) -> Bool { covers(other.host) || other.covers(host) }
    }

    private typealias Claims = [UInt16: [UInt64: Claim]]
    private let tcp = Guarded<Claims>([:])
    private let udp = Guarded<Claims>([:])
    /// ip(7), net.ipv4.ip_local_port_range.
    static let automatic: ClosedRange<UInt16> = 32768...60999

    private func claims(_ transport: Transport) -> Guarded<Claims> { transport == .tcp ? tcp : udp }

    /// Gives the socket `port`, or one that is free for 0. The port.
    func bind(_ transport: Transport, _ claim: Claim, port: UInt16) throws(Errno) -> UInt16 {
        let start = UInt16.random(in: Self.automatic)
        let found = claims(transport).withLock { claims -> UInt16? in
            if port != 0 {
                let others = claims[port] ?? [:]
                if others.values.contains(where: { Self.conflict($0, claim, transport) }) { return nil }
                claims[port, default: [:]][claim.socket.number] = claim
                return port
            }
            let span = Self.automatic.count
            for step in 0..<span {
                let candidate =
                    Self.automatic.lowerBound + UInt16((Int(start - Self.automatic.lowerBound) + step) % span)
                if claims[candidate]?.isEmpty ?? true {
                    claims[candidate] = [claim.socket.number: claim]
                    return candidate
                }
            }
            return nil
        }
        guard let found else { throw .EADDRINUSE }
        return found
    }

    /// A connection that a listener made has its port too.
    func join(_ transport: Transport, _ claim: Claim, port: UInt16) {
        claims(transport).withLock { $0[port, default: [:]][claim.socket.number] = claim }
    }

    private static func conflict(_ a: Claim, _ b: Claim, _ transport: Transport) -> Bool {
        guard a.meets(b) else { return false }
        if a.sharesPort && b.sharesPort && a.uid == b.uid { return false }
        return !(a.sharesAddress && b.sharesAddress && !(transport == .tcp && (a.isListening || b.isListening)))
    }

    /// listen(2): EADDRINUSE where another one of the same address listens.
    func listen(_ socket: Socket, _ binding: PortBinding, _ listening: Bool) throws(Errno) {
        let isFree = claims(binding.transport).withLock { claims in
            guard let mine = claims[binding.port]?[socket.number] else { return true }
            if listening {
                let others = claims[binding.port] ?? [:]
                for other in others.values where other.socket !== socket && other.isListening && other.meets(mine) {
                    if !(other.sharesPort && mine.sharesPort && other.uid == mine.uid) { return false }
                }
            }
            claims[binding.port]?[socket.number]?.isListening = listening
            return true
        }
        if !isFree { throw .EADDRINUSE }
    }

    func setPeer(_ socket: Socket, _ binding: PortBinding, _ peer: InetAddress?) {
        claims(binding.transport).withLock { $0[binding.port]?[socket.number]?.peer = peer }
    }

    func release(_ socket: Socket, _ binding: PortBinding) {
        claims(binding.transport).withLock { claims in
            claims[binding.port]?[socket.number] = nil
            if claims[binding.port]?.isEmpty ?? false { claims[binding.port] = nil }
        }
    }

    /// Who listens for TCP connections to `address`: at just that address rather than at any.
    func listener(_ address: InetAddress) -> Socket? {
        tcp.withLock { claims in
            guard let all = claims[address.port]?.values else { return nil }
            return Self.best(all.filter { $0.isListening && $0.covers(address.host) }, address.host)
        }
    }

    /// Who gets a UDP packet: a socket connected to just its sender, one bound to just that address, any.
    func receiver(_ address: InetAddress, from source: InetAddress) -> Socket? {
        udp.withLock { claims in
            guard let all = claims[address.port]?.values else { return nil }
            let fitting = all.filter { $0.covers(address.host) && ($0.peer == nil || Self.same($0.peer, source)) }
            let connected = fitting.filter { $0.peer != nil }
            return Self.best(connected.isEmpty ? fitting : connected, address.host)
        }
    }

    private static func same(_ a: InetAddress?, _ b: InetAddress) -> Bool { a?.host == b.host && a?.port == b.port }

    /// Everybody who may get a packet to a group at this port.
    func receivers(port: UInt16, v4: Bool) -> [Socket] {
        udp.withLock { claims in
            (claims[port] ?? [:]).values.filter { v4 ? !$0.isV6 || $0.takesV4 : $0.isV6 }.map(\.socket)
        }
    }

    /// Of several at the same address (SO_REUSEPORT) any, so that the load is spread.
    private static func best(_ claims: [Claim], _ host: InetHost) -> Socket? {
        let exact = claims.filter { $0.host == host }
        if let one = exact.randomElement() { return one.socket }
        let sameFamily = claims.filter { $0.isV6 != host.isV4 }
        return (sameFamily.isEmpty ? claims : sameFamily).randomElement()?.socket
    }
}
