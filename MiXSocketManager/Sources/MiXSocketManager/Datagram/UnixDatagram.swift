/// Datagrams of AF_UNIX: reliable, in order, and bounded by the receiver (unix(7)).
enum Datagram {
    /// net.unix.max_dgram_qlen: messages that may wait beside the one that comes next.
    static let longest = 10
}

extension Socket {
    /// connect(2) of datagrams: where they go, and whom they come from. nil: nowhere any more.
    func connectDatagram(to peer: Socket?, as remote: Address) throws(Errno) {
        if let peer, peer.kind != kind { throw .EPROTOTYPE }
        change { state, effects in
            if let peer { state.phase = .connected(peer) } else { state.phase = .idle }
            state.remote = remote
            state.watches.fire(Poll.output, &effects.postings)
        }
    }

    /// `destination` nil: whom it is connected to.
    func sendDatagram(_ data: UnsafeRawBufferPointer, to destination: Socket?, _ ancillary: Ancillary) throws(Errno)
        -> Int
    {
        let (target, isConnected, sender) = try state.withLock { (state) throws(Errno) -> (Socket, Bool, Address) in
            try state.takeError()
            if state.sendShut { throw .EPIPE }
            if data.count > state.options.sendBuffer { throw .EMSGSIZE }
            if let destination { return (destination, false, state.local) }
            guard case .connected(let peer) = state.phase else {
                throw state.remote == .unnamed ? .ENOTCONN : .ECONNREFUSED
            }
            return (peer, true, state.local)
        }
        if target.kind != kind { throw .EPROTOTYPE }
        var ancillary = ancillary
        ancillary.sender = sender
        do {
            return try target.change { (state, effects) throws(Errno) -> Int in
                if case .closed = state.phase { throw .ECONNREFUSED }
                if case .connected(let friend) = state.phase, friend !== self { throw .EPERM }
                if state.receiveShut { throw .EPIPE }
                if state.queue.messages > Datagram.longest {
                    state.blockedAt = 1
                    if !isConnected, !state.strangers.contains(where: { $0 === self }) { state.strangers.append(self) }
                    throw .EAGAIN
                }
                state.queue.append(message: data, ancillary)
                state.watches.fire(Poll.input, &effects.postings)
                return data.count
            }
        } catch {
            // Whoever it was connected to is no more; the next one is told ENOTCONN.
            if error == .ECONNREFUSED && isConnected { state.withLock { $0.phase = .idle } }
            throw error
        }
    }

    func receiveDatagram(_ target: UnsafeMutableRawBufferPointer, _ flags: UInt32) throws(Errno) -> Received {
        if flags & Message.outOfBand != 0 { throw .EOPNOTSUPP }
        if flags & Message.errorQueue != 0 { throw .EAGAIN }
        let (received, senders) = try state.withLock { (state) throws(Errno) -> (Received, [Socket]) in
            if state.queue.isEmpty {
                try state.takeError()
                if state.receiveShut { return (Received(), []) }
                throw .EAGAIN
            }
            var received = Received()
            received.hasMessage = true
            state.takeMessage(target, flags, &received)
            guard flags & Message.peek == 0, state.blockedAt > 0, state.queue.messages <= Datagram.longest / 2 else {
                return (received, [])
            }
            state.blockedAt = 0
            defer { state.strangers = [] }
            return (received, state.strangers + (state.phase.peer.map { [$0] } ?? []))
        }
        for sender in senders { sender.fire(Poll.output) }
        return received
    }
}
