import CMiXFile
import CMiXSocket

/// SOCK_SEND and SOCK_RECV: what a body holds besides data.
extension SocketManager {
    func send(_ socket: Socket, _ exchange: Exchange) throws(Errno) -> Int64 {
        let request = exchange.request
        let parts = Parts(request.arg.0)
        guard let (address, rights, control, data) = parts.split(exchange.body) else { throw .EINVAL }
        if !rights.isEmpty && socket.family != .unix { throw .EINVAL }
        var ancillary = Ancillary()
        ancillary.rights = rights
        let says = request.arg.3 & UInt64(SOCK_CREDENTIALS) != 0
        switch (socket.family, socket.kind) {
        case (.netlink, _): return Int64(try socket.sendNetlink(data))
        case (.unix, .datagram):
            let target = try destination(address, exchange.node)
            if says || socket.passesCredentials || (target ?? socket.peer)?.passesCredentials ?? false {
                ancillary.credentials = Credentials(request.cred)
            }
            return Int64(try socket.sendDatagram(data, to: target, ancillary))
        case (.unix, _):
            if !address.isEmpty { throw socket.peer == nil ? .EOPNOTSUPP : .EISCONN }
            if says || socket.passesCredentials || socket.peer?.passesCredentials ?? false {
                ancillary.credentials = Credentials(request.cred)
            }
            return Int64(try socket.sendStream(data, ancillary, request.flags))
        case (_, .datagram):
            if request.flags & Message.outOfBand != 0 { throw .EOPNOTSUPP }
            return Int64(
                try socket.sendUdp(
                    data, to: address.isEmpty ? nil : try socket.inetAddress(address), try PacketHeader(control)))
        default: return Int64(try socket.sendStream(data, ancillary, request.flags))
        }
    }

    func receive(_ socket: Socket, _ exchange: inout Exchange) throws(Errno) -> Int64 {
        let request = exchange.request
        let capacity = Int(min(request.size, UInt64(SOCK_DATA_MAX)))
        // Data goes to the end of the room first, then what belongs in front of it is known.
        let front = exchange.room.count - capacity
        guard front >= Parts.mostInFront else { throw .EINVAL }
        let target = UnsafeMutableRawBufferPointer(rebasing: exchange.room[front...])
        let received: Socket.Received =
            socket.isDatagram
            ? try socket.receiveDatagram(target, request.flags) : try socket.receiveStream(target, request.flags)
        let ancillary = received.ancillary
        let name = socket.isDatagram ? ancillary.sender : .unnamed
        let address: [UInt8] = name == .unnamed && socket.family != .netlink ? [] : name.encoded(socket.family)
        let control = socket.controlRecords(ancillary)
        try exchange.put(address)
        for right in ancillary.rights { try exchange.put(value: right) }
        try exchange.put(control)
        let inBody = min(received.count, capacity)
        let from = UnsafeRawBufferPointer(rebasing: target[..<inBody])
        let at = exchange.replied
        // The two may overlap.
        UnsafeMutableRawBufferPointer(rebasing: exchange.room[at..<at + inBody]).copyMemory(from: from)
        exchange.replied += inBody
        exchange.reply.value.0 =
            Parts(address: address.count, rights: ancillary.rights.count, control: control.count).raw
        exchange.reply.value.1 = UInt64(received.flags)
        if socket.family == .unix, received.hasMessage, socket.passesCredentials {
            let credentials = ancillary.credentials ?? .nobody
            exchange.reply.value.2 = UInt64(UInt32(bitPattern: credentials.pid)) | UInt64(credentials.uid) << 32
            exchange.reply.value.3 = UInt64(credentials.gid) | UInt64(SOCK_CREDENTIALS) << 32
        }
        return Int64(received.count)
    }
}

/// MixSocketParts of mix/mixSocket.h.
struct Parts {
    let address: Int
    let rights: Int
    let control: Int
    /// Address, tokens and control records together stay below it.
    static let mostInFront = 8192

    init(address: Int, rights: Int, control: Int) {
        (self.address, self.rights, self.control) = (address, rights, control)
    }
    init(_ raw: UInt64) {
        self.init(address: Int(raw & 0xffff), rights: Int(raw >> 16 & 0xffff), control: Int(raw >> 32 & 0xffff))
    }
    var raw: UInt64 { UInt64(address) | UInt64(rights) << 16 | UInt64(control) << 32 }

    /// nil where the body does not hold them.
    func split(
        _ body: UnsafeRawBufferPointer
    ) -> (UnsafeRawBufferPointer, [MixSocketRight], UnsafeRawBufferPointer, UnsafeRawBufferPointer)? {
        let size = MemoryLayout<MixSocketRight>.size
        let records = address + rights * size
        let front = records + control
        guard rights <= Int(SOCK_RIGHTS_MAX), front <= body.count, front <= Self.mostInFront else { return nil }
        let tokens = (0..<rights).map {
            body.loadUnaligned(fromByteOffset: address + $0 * size, as: MixSocketRight.self)
        }
        return (
            UnsafeRawBufferPointer(rebasing: body[..<address]), tokens,
            UnsafeRawBufferPointer(rebasing: body[records..<front]),
            UnsafeRawBufferPointer(rebasing: body[front...])
        )
    }
}

extension Socket {
    var peer: Socket? { state.withLock { $0.phase.peer } }
}
