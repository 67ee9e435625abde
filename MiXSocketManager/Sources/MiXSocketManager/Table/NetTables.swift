import CMiXFile
import CMiXSocket

/// The texts of /proc/net (proc(5)), by their names there.
extension SocketManager {
    func table(_ exchange: inout Exchange) throws(Errno) -> Int64 {
        guard exchange.body.count <= 32 else { throw .ENOENT }
        guard let text = text(String(decoding: exchange.body, as: UTF8.self), exchange.request.cred) else {
            throw .ENOENT
        }
        let bytes = [UInt8](text.utf8)
        let offset = Int(min(exchange.request.offset, UInt64(bytes.count)))
        let count = min(bytes.count - offset, exchange.room.count)
        try exchange.put([UInt8](bytes[offset..<offset + count]))
        return Int64(count)
    }

    private func text(_ name: String, _ cred: MixCred) -> String? {
        switch name {
        case "unix": unixTable
        case "tcp": inetTable(.inet, .stream)
        case "tcp6": inetTable(.inet6, .stream)
        case "udp": inetTable(.inet, .datagram)
        case "udp6": inetTable(.inet6, .datagram)
        case "udplite", "raw", "icmp": Self.title4 + Self.titleEnd + " ref pointer drops\n"
        case "udplite6", "raw6", "icmp6": Self.title6 + Self.titleEnd + " ref pointer drops\n"
        case "netlink": netlinkTable
        case "packet": "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n"
        case "sockstat": sockStatistics(.inet)
        case "sockstat6": sockStatistics(.inet6)
        case "protocols": protocolTable
        case "snmp": snmp
        case "netstat": "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 0 0 0\n"
        default: Interfaces.table(name)
        }
    }

    private var unixTable: String {
        var text = "Num       RefCount Protocol Flags    Type St Inode Path\n"
        for socket in sockets.all where socket.family == .unix {
            let (name, isListening, isConnected) = socket.state.withLock { state -> (String, Bool, Bool) in
                var name = ""
                if case .unix(let own) = state.local { name = " " + own.text }
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

    private static let title4 = "  sl  local_address rem_address  "
    private static let title6 = "  sl  local_address                         remote_address                       "
    private static let titleEnd = " st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"

    private func inetTable(_ family: Family, _ kind: Socket.Kind) -> String {
        var text = family == .inet6 ? Self.title6 : Self.title4
        text += Self.titleEnd + (kind == .datagram ? " ref pointer drops\n" : "\n")
        var line = 0
        for socket in sockets.all where socket.family == family && socket.kind == kind {
            guard let row = socket.inetRow else { continue }
            text +=
                "\(pad("\(line)", 4)): \(place(row.local, family)) \(place(row.remote, family)) \(hex(UInt64(row.state), 2))"
                + " 00000000:\(hex(UInt64(row.unread), 8)) 00:00000000 00000000 \(pad("\(row.uid)", 5))"
                + "        0 \(socket.inode) 2 0000000000000000 "
                + (kind == .datagram ? "0\n" : row.state == 10 ? "100 0 0 10 0\n" : "20 0 0 10 -1\n")
            line += 1
        }
        return text
    }

    private var netlinkTable: String {
        var text =
            "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n"
        for socket in sockets.all where socket.family == .netlink {
            let (local, unread) = socket.state.withLock { ($0.local, $0.queue.count) }
            guard case .netlink(let port, let groups) = local else { continue }
            text +=
                "\(hex(socket.number, 16)) \(fill("\(socket.transport)", 3)) \(fill("\(port)", 10)) \(hex(UInt64(groups), 8))"
                + " \(fill("\(unread)", 8)) 0        0     2        0        \(socket.inode)\n"
        }
        return text
    }

    /// Connections in the backlog are told of as `alloc` alone, as nobody has them open.
    private func sockStatistics(_ family: Family) -> String {
        let all = sockets.all
        func count(_ family: Family, _ kind: Socket.Kind) -> Int {
            all.count { $0.family == family && $0.kind == kind && $0.inetRow != nil }
        }
        if family == .inet6 {
            return "TCP6: inuse \(count(.inet6, .stream))\nUDP6: inuse \(count(.inet6, .datagram))\n"
                + "UDPLITE6: inuse 0\nRAW6: inuse 0\nFRAG6: inuse 0 memory 0\n"
        }
        return "sockets: used \(all.count)\n"
            + "TCP: inuse \(count(.inet, .stream)) orphan 0 tw 0 alloc \(all.count { $0.isTcp }) mem 0\n"
            + "UDP: inuse \(count(.inet, .datagram)) mem 0\nUDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n"
    }

    private var protocolTable: String {
        let all = sockets.all
        var text =
            "protocol  size sockets  memory press maxhdr  slab module     cl co di ac io in de sh ss gs se re bi br ha uh gp em\n"
        func add(_ name: String, _ count: Int, _ flags: String) {
            text += "\(fill(name, 9)) 1024 \(pad("\(count)", 6))      -1   NI       0   no   kernel      \(flags)\n"
        }
        let inet = "y  y  y  n  y  n  n  y  y  y  y  n  n  n  y  y  y  n"
        let unix = "y  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n"
        for (name, family) in [("v6", Family.inet6), ("", .inet)] {
            add("UDP" + name, all.count { $0.family == family && $0.kind == .datagram }, inet)
            add("TCP" + name, all.count { $0.family == family && $0.kind == .stream }, inet)
        }
        add("UNIX-STREAM", all.count { $0.family == .unix && $0.kind == .stream }, unix)
        add("UNIX", all.count { $0.family == .unix && $0.kind != .stream }, unix)
        add("NETLINK", all.count { $0.family == .netlink }, "n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n")
        return text
    }

    /// There are no segments and no packets: what is counted are the connections.
    private var snmp: String {
        let connected = sockets.all.count { $0.isTcp && [1, 8].contains($0.inetRow?.state) }
        return "Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards"
            + " InDelivers OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs"
            + " FragFails FragCreates\nIp: 2 64" + String(repeating: " 0", count: 17) + "\n"
            + "Icmp: InMsgs InErrors InCsumErrors OutMsgs OutErrors\nIcmp: 0 0 0 0 0\n"
            + "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab"
            + " InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors\n"
            + "Tcp: 1 200 120000 -1 0 0 0 0 \(connected) 0 0 0 0 0 0\n"
            + "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors\nUdp: 0 0 0 0 0 0 0\n"
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
    private func fill(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}

extension UnixName {
    /// As /proc/net/unix shows it: NULs, of abstract names, as @.
    var text: String { String(decoding: bytes.map { $0 == 0 ? 0x40 : $0 }, as: UTF8.self) }
}

extension Socket {
    struct InetRow {
        let local: Address
        let remote: Address
        /// As tcp_states.h numbers them; UDP: 7, or 1 where connected.
        let state: UInt8
        /// Of a listener: connections that wait.
        let unread: Int
        /// Of a listener: how many may.
        let limit: Int
        let uid: UInt32
    }

    /// What is told of a socket of TCP or UDP that has a port; nil where it has none.
    var inetRow: InetRow? {
        state.withLock { state in
            guard state.local != .unnamed, state.binding != nil else { return nil }
            var (unread, limit) = (state.queue.count, 0)
            if case .listening(let backlog) = state.phase { (unread, limit) = (backlog.waiting.count, backlog.limit) }
            let number = isTcp ? tcpState(state) : (state.remote == .unnamed ? 7 : 1)
            if number == 7 && isTcp { return nil }  // a closed one is in no table
            return InetRow(
                local: state.local, remote: state.remote, state: number, unread: unread, limit: limit,
                uid: state.credentials.uid)
        }
    }

}
