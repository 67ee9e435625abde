import ActorKit

/// Which socket a name of AF_UNIX stands for.
final class UnixNames: Sendable {
    private struct State {
        var abstract: [[UInt8]: Socket] = [:]
        var nodes: [UnixName.Node: Socket] = [:]
        var nextAutomatic: UInt32 = 0
    }
    private let state = Guarded(State())

    func bind(_ socket: Socket, _ name: UnixName) throws(Errno) {
        let isFree = state.withLock { state in
            if let node = name.node {
                // A node is made new for each bind(2); its numbers may have been those of an old one.
                state.nodes[node] = socket
                return true
            }
            if state.abstract[name.bytes] != nil { return false }
            state.abstract[name.bytes] = socket
            return true
        }
        if !isFree { throw .EADDRINUSE }
    }

    /// Autobind: five hexadecimal digits (unix(7)).
    func bindAutomatically(_ socket: Socket) throws(Errno) -> UnixName {
        let name = state.withLock { state -> UnixName? in
            for _ in 0..<1 << 20 {
                let digits = String(state.nextAutomatic & 0xfffff, radix: 16)
                state.nextAutomatic &+= 1
                let bytes = [0] + [UInt8](repeating: 0x30, count: 5 - digits.utf8.count) + [UInt8](digits.utf8)
                if state.abstract[bytes] == nil {
                    state.abstract[bytes] = socket
                    return UnixName(bytes: bytes, node: nil)
                }
            }
            return nil
        }
        guard let name else { throw Errno(28) }  // ENOSPC
        return name
    }

    func find(_ name: UnixName) -> Socket? {
        state.withLock { state in name.node.map { state.nodes[$0] } ?? state.abstract[name.bytes] }
    }

    func release(_ socket: Socket, _ name: UnixName) {
        state.withLock { state in
            if let node = name.node {
                if state.nodes[node] === socket { state.nodes[node] = nil }
            } else if state.abstract[name.bytes] === socket {
                state.abstract[name.bytes] = nil
            }
        }
    }
}
