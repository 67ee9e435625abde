import CMiXFile
import CMiXSocket

/// The texts of /proc/net (proc(5)).
extension SocketManager {
    func table(_ exchange: inout Exchange) throws(Errno) -> Int64 {
        let text: String
        switch UInt32(truncatingIfNeeded: exchange.request.arg.0) {
        case UInt32(SOCK_TABLE_UNIX): text = unixTable
        case UInt32(SOCK_TABLE_TCP): text = inetTable(.inet, .stream)
        case UInt32(SOCK_TABLE_TCP6): text = inetTable(.inet6, .stream)
        case UInt32(SOCK_TABLE_UDP): text = inetTable(.inet, .datagram)
        case UInt32(SOCK_TABLE_UDP6): text = inetTable(.inet6, .datagram)
        default: throw .EINVAL
        }
        let bytes = [UInt8](text.utf8)
        let offset = Int(min(exchange.request.offset, UInt64(bytes.count)))
        let count = min(bytes.count - offset, exchange.room.count)
        try exchange.put([UInt8](bytes[offset..<offset + count]))
        return Int64(count)
    }

    private var unixTable: String {
        var text = "Num       RefCount Protocol Flags    Type St Inode Path\n"
        for socket in sockets.all where socket.family == .unix {
            let (name, isListening, isConnected) = socket.state.withLock { state -> (String, Bool, Bool) in
                var name = ""
                if case .unix(let own) = state.local {
                    name = " " + String(decoding: own.bytes.map { $0 == 0 ? 0x40 : $0 }, as: UTF8.self)
                }
                if case .listening = state.phase { return (name, true, false) }
                return (name, false, state.phase.peer != nil)
            }
            let flags = isListening ? "00010000" : "00000000"
            let state = isConnected ? "03" : "01"
            text +=
                "\(hex(socket.number, 16)): 00000002 00000000 \(flags) \(hex(UInt64(socket.kind.rawValue), 4)) \(state)"
                + " \(pad("\(socket.inode)", 5))\(name)\n"
        }
        return text
    }

    private func inetTable(_ family: Family, _ kind: Socket.Kind) -> String {
        let title = family == .inet6 ? "remote_address                        " : "rem_address   "
        var text =
            "  sl  local_address \(family == .inet6 ? "                        " : "")\(title)st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        var line = 0
        for socket in sockets.all where socket.family == family && socket.kind == kind {
            let (local, remote, state, unread, uid) = socket.state.withLock { state in
                (
                    state.local, state.remote,
                    socket.isTcp ? socket.tcpState(state) : (state.remote == .unnamed ? 7 : 1), state.queue.count,
                    state.credentials.uid
                )
            }
            if local == .unnamed { continue }
            text +=
                "\(pad("\(line)", 4)): \(place(local, family)) \(place(remote, family)) \(hex(UInt64(state), 2))"
                + " 00000000:\(hex(UInt64(unread), 8)) 00:00000000 00000000 \(pad("\(uid)", 5))        0 \(socket.inode) 1 0000000000000000 20 0 0 10 -1\n"
            line += 1
        }
        return text
    }

    /// Address and port; the address as words in the host's order.
    private func place(_ address: Address, _ family: Family) -> String {
        var host = family == .inet6 ? InetHost.any6 : .any4
        var port: UInt16 = 0
        if case .inet(let known) = address { (host, port) = (known.host, known.port) }
        let bytes = family == .inet6 ? host.mapped : big(host.v4)
        var words = ""
        for index in stride(from: 0, to: bytes.count, by: 4) {
            words += bytes[index..<index + 4].reversed().map { hex(UInt64($0), 2) }.joined()
        }
        return "\(words):\(hex(UInt64(port), 4))"
    }

    private func hex(_ value: UInt64, _ width: Int) -> String {
        let digits = String(value, radix: 16, uppercase: true)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
    private func pad(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}
