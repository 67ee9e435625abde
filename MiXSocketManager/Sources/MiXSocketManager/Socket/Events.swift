/// What poll(2) says of a socket.
extension Socket {
    var events: UInt32 {
        let (bits, peer, allowance) = state.withLock { state in
            (state.ownEvents(self), state.phase.peer, state.options.sendBuffer)
        }
        guard bits & Poll.output == 0, let peer, state.withLock({ !$0.sendShut }) else { return bits }
        return peer.hasRoom(for: self, allowance) ? bits | Poll.output : bits
    }

    /// Whether a third of what may be queued here is free; else whoever frees it wakes the sender.
    private func hasRoom(for sender: Socket, _ allowance: Int) -> Bool {
        state.withLock { state in
            if isDatagram {
                if state.queue.messages <= Datagram.longest { return true }
                state.blockedAt = 1
                return false
            }
            let capacity = isTcp ? allowance + state.options.receiveBuffer : allowance
            if (capacity - state.queue.count) * 3 >= capacity { return true }
            state.blockedAt = capacity
            return false
        }
    }
}

extension Socket.Phase {
    /// Whose queue it sends to.
    var peer: Socket? {
        if case .connected(let peer) = self { return peer }
        return nil
    }
}

extension Socket.State {
    /// Without whether the other end has room.
    fileprivate func ownEvents(_ socket: Socket) -> UInt32 {
        var bits: UInt32 = error != 0 ? Poll.error : 0
        if case .listening(let backlog) = phase { return bits | (backlog.waiting.isEmpty ? 0 : Poll.input) }
        if !queue.isEmpty && queue.count >= min(options.lowWater, options.receiveBuffer) || queue.messages > 1 {
            bits |= Poll.input
        }
        if receiveShut { bits |= Poll.input | Poll.readHangUp }
        if urgent.byte != nil || urgent.ahead == 0 { bits |= Poll.priority }
        if socket.isDatagram {
            if !queue.isEmpty { bits |= Poll.input }
            if receiveShut && sendShut { bits |= Poll.hangUp }
            if socket.family.isInet || phase.peer == nil { bits |= Poll.output }
            return bits
        }
        switch phase {
        case .idle: bits |= Poll.output | Poll.hangUp  // as a closed connection
        case .connecting: break
        case .connected:
            if receiveShut && sendShut { bits |= Poll.hangUp }
            if sendShut { bits |= Poll.output }
        case .disconnected(let resets):
            bits |= Poll.output | Poll.input | Poll.readHangUp
            if !socket.isTcp || !resets || sendShut { bits |= Poll.hangUp }
        case .listening, .closed: bits |= Poll.hangUp
        }
        return bits
    }
}
