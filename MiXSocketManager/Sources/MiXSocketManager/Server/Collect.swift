import CMiXFile
import CMiXSocket

/// Descriptors in messages that nobody can receive any more, because the sockets they wait in are only named by such messages.
extension SocketManager {
    /// Body: sockets whose every descriptor is in some message. Out: those that no other socket leads to. With SOCK_PURGE what waits in
    /// them is thrown away.
    func collect(_ exchange: inout Exchange) throws(Errno) -> Int64 {
        let candidates = Set(
            (0..<exchange.body.count / 8).map { exchange.body.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self) })
        if exchange.request.flags & UInt32(SOCK_PURGE) != 0 {
            for socket in candidates.compactMap({ sockets.find($0) }) {
                socket.change { state, effects in effects.dropped += state.queue.removeAll() }
            }
            return 0
        }
        var reached: Set<UInt64> = []
        var next = sockets.all.filter { !candidates.contains($0.number) }
        while let socket = next.popLast() {
            for found in socket.heldSockets where candidates.contains(found) && reached.insert(found).inserted {
                if let inner = sockets.find(found) { next.append(inner) }
            }
        }
        for lost in candidates.subtracting(reached).sorted() where sockets.find(lost) != nil {
            try exchange.put(value: lost)
        }
        return Int64(exchange.replied)
    }
}

extension Socket {
    /// Sockets whose descriptors wait here, or in a connection that nobody has accepted.
    fileprivate var heldSockets: [UInt64] {
        let (own, waiting) = state.withLock { state -> ([UInt64], [Socket]) in
            let own = state.queue.rights.map(\.socket)
            if case .listening(let backlog) = state.phase { return (own, backlog.waiting) }
            return (own, [])
        }
        return (own + waiting.flatMap { child in child.state.withLock { $0.queue.rights.map(\.socket) } }).filter {
            $0 != 0
        }
    }
}
