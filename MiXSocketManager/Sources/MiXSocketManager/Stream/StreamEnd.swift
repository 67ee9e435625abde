/// shutdown(2) and the end of a socket.
extension Socket {
    enum Direction: UInt64 {
        case receive = 0, send, both
        var receives: Bool { self != .send }
        var sends: Bool { self != .receive }
    }

    func shutdown(_ direction: Direction) throws(Errno) {
        var ended: Backlog?
        let peer = try change { (state, effects) throws(Errno) -> Socket? in
            defer { state.watches.fire(Poll.all, &effects.postings) }
            switch state.phase {
            case .connected(let peer):
                if direction.receives { state.receiveShut = true }
                if direction.sends { state.sendShut = true }
                return peer
            case .listening(let backlog) where isTcp:
                // TCP listens no more, and who waits in accept(2) is told EINVAL.
                if !direction.receives { throw .ENOTCONN }
                ended = backlog
                state.phase = .idle
                return nil
            case .disconnected where !isTcp || state.error == 0:
                if direction.receives { state.receiveShut = true }
                if direction.sends { state.sendShut = true }
                return nil
            case .idle where family == .unix || state.remote != .unnamed:
                // A socket of AF_UNIX need not be connected.
                if direction.receives { state.receiveShut = true }
                if direction.sends { state.sendShut = true }
                if family.isInet && !isDatagram { throw .ENOTCONN }
                return nil
            case .idle, .listening, .connecting, .disconnected, .closed: throw .ENOTCONN
            }
        }
        if let ended {
            let binding = state.withLock { $0.binding }
            if let binding { try? manager.ports.listen(self, binding, false) }
            endListening(ended)
        }
        guard let peer, !isDatagram else { return }
        peer.change { state, effects in
            if direction.sends { state.receiveShut = true }
            if direction.receives && !isTcp { state.sendShut = true }
            state.watches.fire(Poll.all, &effects.postings)
        }
    }

    /// The last descriptor is gone, or (`resetting`) the connection never came to be.
    func close(resetting: Bool = false) {
        manager.sockets.remove(number)
        let (phase, local, isAbrupt) = change { state, effects -> (Phase, Address, Bool) in
            let isAbrupt = resetting || !state.queue.isEmpty || isTcp && state.options.lingersNot
            defer { state.phase = .closed }
            effects.dropped += state.queue.removeAll()
            (state.memberships, state.strangers) = ([], [])
            state.watches.fire(Poll.all, &effects.postings)
            return (state.phase, state.local, isAbrupt)
        }
        switch phase {
        case .listening(let backlog): endListening(backlog)
        case .connecting(let listener):
            listener.state.withLock { state in
                guard case .listening(var backlog) = state.phase else { return }
                backlog.hopeful.removeAll { $0 === self }
                state.phase = .listening(backlog)
            }
        case .connected(let peer) where !isDatagram: peer.lost(self, abruptly: isAbrupt)
        case .connected(let peer): peer.fire(Poll.all)
        case .idle, .disconnected, .closed: break
        }
        if case .unix(let name) = local { manager.unixNames.release(self, name) }
        releasePort()
    }

    /// The other end is gone. With unread data, or to be quick, it resets the connection.
    func lost(_ peer: Socket, abruptly: Bool) {
        change { state, effects in
            guard case .connected(let known) = state.phase, known === peer else { return }
            state.phase = .disconnected(resets: isTcp && !abruptly)
            state.receiveShut = true
            if !isTcp { state.sendShut = true }
            if abruptly { state.error = Errno.ECONNRESET.number }
            state.watches.fire(Poll.all, &effects.postings)
        }
    }
}
