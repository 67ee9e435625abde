import ActorKit
import CChorus
import CMiXFile

/// /proc/PID/net: one network for all processes, whose texts the Socket Manager makes.
enum ProcNet {
    static let files: [Name] = [
        "arp", "dev", "dev_mcast", "fib_trie", "icmp", "icmp6", "if_inet6", "igmp", "igmp6", "ipv6_route", "mcfilter",
        "netlink", "netstat", "packet", "protocols", "psched", "ptype", "raw", "raw6", "route", "rt_cache", "snmp",
        "sockstat", "sockstat6", "tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "unix",
    ].map { Name($0) }

    /// What sysctl(8) says of the network.
    static let settings: [(path: String, text: String)] = [
        ("core/somaxconn", "4096\n"), ("core/rmem_default", "212992\n"), ("core/wmem_default", "212992\n"),
        ("core/rmem_max", "212992\n"), ("core/wmem_max", "212992\n"), ("core/optmem_max", "131072\n"),
        ("ipv4/ip_local_port_range", "32768\t60999\n"), ("ipv4/ip_unprivileged_port_start", "1024\n"),
        ("ipv4/ip_forward", "0\n"), ("ipv4/ip_default_ttl", "64\n"), ("ipv4/ip_nonlocal_bind", "0\n"),
        ("ipv4/tcp_rmem", "4096\t131072\t6291456\n"), ("ipv4/tcp_wmem", "4096\t16384\t4194304\n"),
        ("ipv4/tcp_congestion_control", "cubic\n"), ("ipv4/tcp_available_congestion_control", "cubic\n"),
        ("ipv4/tcp_fin_timeout", "60\n"), ("ipv4/tcp_max_syn_backlog", "4096\n"), ("ipv4/tcp_syncookies", "1\n"),
        ("ipv4/tcp_keepalive_time", "7200\n"), ("ipv4/tcp_keepalive_intvl", "75\n"),
        ("ipv4/tcp_keepalive_probes", "9\n"), ("ipv4/tcp_fastopen", "0\n"), ("ipv6/bindv6only", "0\n"),
        ("ipv6/conf/all/disable_ipv6", "0\n"), ("ipv6/conf/lo/disable_ipv6", "0\n"), ("unix/max_dgram_qlen", "10\n"),
    ]
}

extension ProcessClient {
    /// ENOENT where nobody serves sockets.
    func network(_ name: Name, _ caller: Caller) throws(Errno) -> [UInt8] {
        var group = KnUniqueId()
        guard nucleus.grpName(K_STAMP_SOCKET, &group) >= 0 else { throw .ENOENT }
        var out: [UInt8] = []
        while out.count < 16 << 20 {
            var got = 0
            let asked = name.withBytes { bytes in
                Result { () throws(Errno) in
                    try call(
                        SOCK_TABLE, caller, to: group, pid: 0, offset: UInt64(out.count), input: bytes,
                        capacity: Self.room
                    ) { piece in
                        got = piece.count
                        out.append(contentsOf: piece)
                    }
                }
            }
            _ = try asked.get()
            if got < Self.room { break }
        }
        return out
    }
}
