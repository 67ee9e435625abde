/// What of /proc/net is about interfaces, addresses and routes: the loop's, which do not change.
extension Interfaces {
    static func table(_ name: String) -> String? {
        switch name {
        case "dev":
            "Inter-|   Receive                                                |  Transmit\n"
                + " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n"
                + "    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0\n"
        case "if_inet6": "00000000000000000000000000000001 01 80 10 80       lo\n"
        case "route": "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
        case "ipv6_route":
            "00000000000000000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 "
                + "00000000 00000002 00000000 80200001       lo\n"
        case "arp": "IP address       HW type     Flags       HW address            Mask     Device\n"
        case "igmp":
            "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n1\tlo        :     1      V3\n"
                + "\t\t\t\t010000E0     1 0:00000000\t\t0\n"
        case "igmp6": "1    lo              ff020000000000000000000000000001     1 0000000C 0\n"
        case "fib_trie": ["Main", "Local"].map { $0 + ":\n" + trie }.joined()
        case "rt_cache":
            "Iface\tDestination\tGateway \tFlags\t\tRefCnt\tUse\tMetric\tSource\t\tMTU\tWindow\tIRTT\tTOS\tHHRef\tHHUptod\tSpecDst\n"
        case "ptype": "Type Device      Function\n0800          ip_rcv\n86dd          ipv6_rcv\n"
        case "psched": "000003e8 00000040 000f4240 3b9aca00\n"
        case "dev_mcast": ""
        case "mcfilter": "Idx Device        MCA        SRC    INC    EXC\n"
        default: nil
        }
    }

    /// Both tables of a loop show the same tree.
    private static let trie = """
          +-- 127.0.0.0/8 2 0 2
             +-- 127.0.0.0/31 1 0 0
                |-- 127.0.0.0
                   /8 host LOCAL
                |-- 127.0.0.1
                   /32 host LOCAL
             |-- 127.255.255.255
                /32 link BROADCAST

        """
}
