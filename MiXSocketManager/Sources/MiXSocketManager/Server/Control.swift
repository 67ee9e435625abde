import CMiXFile
import CMiXSocket

/// ioctl(2) of sockets: sizes of what waits (tcp(7), udp(7), unix(7)) and the interfaces (netdevice(7)).
extension SocketManager {
    func control(_ socket: Socket, _ exchange: inout Exchange) throws(Errno) -> Int64 {
        let command = UInt32(truncatingIfNeeded: exchange.request.arg.0)
        switch command {
        case 0x541b:  // FIONREAD
            if socket.isListening { throw .EINVAL }
            let waiting = socket.state.withLock { socket.isDatagram ? $0.queue.firstSize : $0.queue.count }
            try exchange.put(value: Int32(clamping: waiting))
        case 0x5411:  // TIOCOUTQ: what the other end has not read of a connection of AF_UNIX; the loop takes at once
            let waiting = socket.family == .unix ? socket.peer?.state.withLock { $0.queue.count } ?? 0 : 0
            try exchange.put(value: Int32(clamping: waiting))
        case 0x8905:  // SIOCATMARK
            guard socket.isTcp else { throw .ENOTTY }
            try exchange.put(value: Int32(socket.state.withLock { $0.urgent.ahead == 0 } ? 1 : 0))
        case 0x8910...0x8970:
            guard socket.family.isInet || socket.family == .unix || socket.family == .netlink else { throw .ENOTTY }
            try exchange.put(try Interfaces.control(command, exchange.body))
        default: throw .ENOTTY
        }
        return 0
    }
}
