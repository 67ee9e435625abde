extension Socket {
    /// getsockopt(2): the value, which the client cuts to its room.
    func option(_ name: Options.Name) throws(Errno) -> [UInt8] {
        switch (name.level, name.name) {
        case (1, 3): return little(Int32(kind.rawValue))
        case (1, 4): return little(takeErrorNumber())
        case (1, 13): return state.withLock { little($0.options.linger.on) + little($0.options.linger.seconds) }
        case (1, 17): return peerCredentials()
        case (1, 19): return little(Int32(1))  // SO_SNDLOWAT
        case (1, 20), (1, 66):
            return state.withLock { little($0.options.timeouts.receive.0) + little($0.options.timeouts.receive.1) }
        case (1, 21), (1, 67):
            return state.withLock { little($0.options.timeouts.send.0) + little($0.options.timeouts.send.1) }
        case (1, 25): return state.withLock { $0.options.device.isEmpty ? [] : $0.options.device + [0] }
        case (1, 7): return little(Int32(clamping: state.withLock { $0.options.sendBuffer }))
        case (1, 8): return little(Int32(clamping: state.withLock { $0.options.receiveBuffer }))
        case (1, 30): return little(Int32(isListening ? 1 : 0))
        case (1, 38): return little(transport)
        case (1, 39): return little(Int32(family.rawValue))
        case (1, 57): return little(secret)  // SO_COOKIE
        case (1, 28):  // SO_PEERNAME
            let remote = state.withLock { $0.remote }
            if remote == .unnamed { throw .ENOTCONN }
            return remote.encoded(family)
        case (6, 11) where isTcp: return tcpInformation()
        case (6, 13) where isTcp:
            let name = state.withLock { $0.options.congestion }
            return name + [UInt8](repeating: 0, count: 16 - name.count)
        case (6, 31) where isTcp: return []
        case (0, 32) where family.isInet: return [0, 0, 0, 0]
        default:
            guard let rule = OptionTable.rule(name, self), name.name != 32 || name.level != 1,
                name.name != 33 || name.level != 1
            else {
                throw family.isInet && name.level != 1 && ![0, 6, 17, 41].contains(name.level)
                    ? .EOPNOTSUPP : .ENOPROTOOPT
            }
            return little(state.withLock { $0.options.value(name, default: rule.preset) })
        }
    }

    var isListening: Bool {
        state.withLock { state in
            if case .listening = state.phase { return true }
            return false
        }
    }

    private func takeErrorNumber() -> Int32 {
        state.withLock { state in
            defer { state.error = 0 }
            return state.error
        }
    }

    /// struct ucred; of a socket that is not connected nobody's.
    private func peerCredentials() -> [UInt8] {
        let known = state.withLock { $0.peerCredentials }
        guard family == .unix, known != .nobody else {
            return little(Int32(0)) + little(UInt32.max) + little(UInt32.max)
        }
        return little(known.pid) + little(known.uid) + little(known.gid)
    }

    /// struct tcp_info (linux/tcp.h), of a connection without a wire: state, options and window are true, times are those of the loop.
    private func tcpInformation() -> [UInt8] {
        let (number, unread) = state.withLock { (tcpState($0), $0.queue.count) }
        var bytes = [UInt8](repeating: 0, count: 248)
        bytes[0] = number
        func put(_ value: UInt32, _ at: Int) { bytes.replaceSubrange(at..<at + 4, with: little(value)) }
        bytes[5] = 7  // timestamps, selective acknowledgement, window scaling
        put(200_000, 8)  // rto, microseconds
        put(32768, 16)  // snd_mss
        put(32768, 20)
        put(UInt32(clamping: unread), 28)
        put(65535, 60)  // pmtu
        put(10, 80)  // snd_cwnd
        put(32768, 84)  // advmss
        put(3, 88)  // reordering
        return bytes
    }

    /// TCP_ESTABLISHED and its kin (net/tcp_states.h).
    func tcpState(_ state: State) -> UInt8 {
        switch state.phase {
        case .idle: 7
        case .listening: 10
        case .connecting: 2
        case .connected: state.sendShut ? (state.receiveShut ? 11 : 4) : (state.receiveShut ? 8 : 1)
        case .disconnected(let resets): resets ? (state.sendShut ? 7 : 8) : 7
        case .closed: 7
        }
    }
}
