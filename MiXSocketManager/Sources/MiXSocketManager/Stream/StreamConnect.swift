import CMiXFile
import CMiXSocket

/// Connections: listen(2), connect(2), accept(2), for AF_UNIX and TCP alike. The connection is whole when connect returns; accept
/// only takes it out of the backlog, so that data may be sent before.
extension Socket {
    func listen(_ wanted: Int32, _ credentials: Credentials) throws(Errno) {
        if isDatagram { throw .EOPNOTSUPP }
        if family.isInet { try bindAutomatically(toward: nil) }
        let limit = Int(max(0, min(UInt32(bitPattern: wanted), 4096)))
        let binding = try state.withLock { (state) throws(Errno) -> PortBinding? in
            switch state.phase {
            case .idle, .listening: break
            default: throw .EINVAL
            }
            if family == .unix && state.local == .unnamed { throw .EINVAL }
            return state.binding
        }
        if let binding { try manager.ports.listen(self, binding, true) }
        try state.withLock { (state) throws(Errno) in
            var backlog = Backlog(limit: limit)
            switch state.phase {
            case .idle: break
            case .listening(let now): (backlog.waiting, backlog.hopeful) = (now.waiting, now.hopeful)
            default: throw .EINVAL
            }
            state.credentials = credentials
            state.phase = .listening(backlog)
        }
    }

    enum Progress {
        case done
        case waits
    }

    /// `listener`: what the address named; nil: nobody is there. `remote`: how the client calls it.
    func connectStream(to listener: Socket?, as remote: Address, _ credentials: Credentials, nonBlocking: Bool)
        throws(Errno)
        -> Progress
    {
        let wasDone = try state.withLock { (state) throws(Errno) -> Progress? in
            switch state.phase {
            case .idle:
                if isTcp { try state.takeError() }
                state.credentials = credentials
                return nil
            case .connecting:
                if nonBlocking { throw .EALREADY }
                return .waits
            case .connected where state.isFresh:
                state.isFresh = false
                return .done
            case .listening: throw isTcp ? .EISCONN : .EINVAL
            case .connected, .disconnected, .closed: throw .EISCONN
            }
        }
        if let wasDone { return wasDone }
        guard let listener else { return try refuse(nonBlocking) }
        if listener.kind != kind || listener === self { throw listener === self ? .ECONNREFUSED : .EPROTOTYPE }
        switch try listener.admit(self, remote) {
        case .admitted:
            if !(isTcp && nonBlocking) { return .done }
            // As over a wire: told later that it is done.
            state.withLock { $0.isFresh = true }
            return .waits
        case .full:
            if !isTcp && nonBlocking { throw .EAGAIN }
            return listener.hope(self, remote) ? .waits : try refuse(nonBlocking)
        case .notListening: return try refuse(nonBlocking)
        }
    }

    private func refuse(_ nonBlocking: Bool) throws(Errno) -> Progress {
        guard isTcp && nonBlocking else { throw .ECONNREFUSED }
        change { state, effects in
            state.error = Errno.ECONNREFUSED.number
            state.watches.fire(Poll.all, &effects.postings)
        }
        return .waits
    }

    enum Admission {
        case admitted, full, notListening
    }

    /// The listener's side: makes the other end of `client` and queues it.
    private func admit(_ client: Socket, _ remote: Address) throws(Errno) -> Admission {
        let look = state.withLock { state -> (Admission, Options, Credentials, Address) in
            var admission = Admission.notListening
            if case .listening(let backlog) = state.phase { admission = backlog.isFull ? .full : .admitted }
            return (admission, state.options, state.credentials, state.local)
        }
        guard look.0 == .admitted else { return look.0 }
        let child = try Socket(manager, family, kind, transport, look.2)
        let (clientName, clientCredentials) = client.change { state, _ in
            state.phase = .connected(child)
            state.remote = remote
            state.peerCredentials = look.2
            return (state.local, state.credentials)
        }
        child.state.withLock { state in
            state.phase = .connected(client)
            state.local = isTcp ? remote : look.3
            state.remote = clientName
            state.options = look.1  // accepted connections have those of their listener
            state.peerCredentials = clientCredentials
        }
        if case .inet(let address) = remote { child.joinPort(address, of: self) }
        let admission = change { state, effects -> Admission in
            guard case .listening(var backlog) = state.phase else { return .notListening }
            if backlog.isFull { return .full }
            backlog.waiting.append(child)
            state.phase = .listening(backlog)
            state.watches.fire(Poll.input, &effects.postings)
            return .admitted
        }
        if admission != .admitted {
            client.state.withLock { $0.phase = .idle }
            child.state.withLock { $0.phase = .closed }
            child.releasePort()
            manager.sockets.remove(child.number)
        }
        return admission
    }

    /// Waits for a place. False: nobody listens any more.
    private func hope(_ client: Socket, _ remote: Address) -> Bool {
        client.state.withLock { state in
            state.phase = .connecting(self)
            state.remote = remote
        }
        let listens = state.withLock { state in
            guard case .listening(var backlog) = state.phase else { return false }
            backlog.hopeful.append(client)
            state.phase = .listening(backlog)
            return true
        }
        if !listens { client.state.withLock { $0.phase = .idle } }
        return listens
    }

    func accept() throws(Errno) -> Socket {
        if isDatagram { throw .EOPNOTSUPP }
        let (child, next) = try state.withLock { (state) throws(Errno) -> (Socket, Socket?) in
            guard case .listening(var backlog) = state.phase else { throw .EINVAL }
            guard !backlog.waiting.isEmpty else { throw .EAGAIN }
            let child = backlog.waiting.removeFirst()
            let next = backlog.hopeful.isEmpty ? nil : backlog.hopeful.removeFirst()
            state.phase = .listening(backlog)
            return (child, next)
        }
        if let next { complete(next) }
        return child
    }

    /// There is a place for one that hoped.
    private func complete(_ client: Socket) {
        let remote = client.state.withLock { state -> Address? in
            guard case .connecting(let listener) = state.phase, listener === self else { return nil }
            return state.remote
        }
        guard let remote else { return }
        let admission = (try? admit(client, remote)) ?? .notListening
        client.change { state, effects in
            if admission != .admitted, case .connecting = state.phase {
                state.phase = .idle
                state.error = Errno.ECONNREFUSED.number
            }
            state.watches.fire(Poll.all, &effects.postings)
        }
    }

    /// socketpair(2).
    static func pair(_ a: Socket, _ b: Socket) {
        a.state.withLock { state in
            state.phase = .connected(b)
            state.peerCredentials = state.credentials
        }
        b.state.withLock { state in
            state.phase = .connected(a)
            state.peerCredentials = state.credentials
        }
    }

    /// The socket listens no more: who waits in its backlog is reset, who hoped is refused.
    func endListening(_ backlog: Backlog) {
        for child in backlog.waiting { child.close(resetting: true) }
        for client in backlog.hopeful {
            client.change { state, effects in
                guard case .connecting(let listener) = state.phase, listener === self else { return }
                state.phase = .idle
                state.error = Errno.ECONNREFUSED.number
                state.watches.fire(Poll.all, &effects.postings)
            }
        }
    }
}
