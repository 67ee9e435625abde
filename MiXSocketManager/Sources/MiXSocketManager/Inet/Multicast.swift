/// A group that a socket has joined (IP_ADD_MEMBERSHIP, IPV6_JOIN_GROUP).
struct Membership: Equatable {
    let group: InetHost
}

extension Socket {
    static let mostMemberships = 20  // net.ipv4.igmp_max_memberships

    /// EADDRINUSE: joined already; EADDRNOTAVAIL: not joined.
    func setMembership(_ group: InetHost, joined: Bool) throws(Errno) {
        guard group.isMulticast else { throw .EINVAL }
        try state.withLock { (state) throws(Errno) in
            let membership = Membership(group: group)
            if joined {
                if state.memberships.contains(membership) { throw .EADDRINUSE }
                if state.memberships.count >= Self.mostMemberships { throw .ENOBUFS }
                state.memberships.append(membership)
            } else {
                guard let index = state.memberships.firstIndex(of: membership) else { throw .EADDRNOTAVAIL }
                state.memberships.remove(at: index)
            }
        }
    }

    func hasJoined(_ group: InetHost) -> Bool { state.withLock { $0.memberships.contains(Membership(group: group)) } }
}
