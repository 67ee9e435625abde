import CChorus
import CMiXFile
import CMiXSocket

/// Requests of mix/mixSocket.h, and those of mix/mixObject.h that sockets know.
extension SocketManager {
    func serve(_ exchange: inout Exchange) throws(Errno) -> Int64 {
        let request = exchange.request
        switch request.op {
        case UInt32(SOCK_CREATE): return try create(&exchange)
        case UInt32(SOCK_PAIR): return try createPair(&exchange)
        case UInt32(SOCK_COLLECT): return try collect(&exchange)
        case UInt32(SOCK_TABLE): return try table(&exchange)
        default: break
        }
        guard let socket = sockets.find(request.key.object), socket.secret == request.key.tag else { throw .EBADF }
        switch request.op {
        case UInt32(SOCK_SEND): return try send(socket, exchange)
        case UInt32(SOCK_RECV): return try receive(socket, &exchange)
        case OBJ_WATCH: return watch(socket, &exchange)
        case UInt32(SOCK_ACCEPT):
            let child = try socket.accept()
            exchange.reply.key = child.key
            exchange.reply.ino = child.inode
            try exchange.put(child.state.withLock { $0.remote }.encoded(child.family))
            return 0
        case UInt32(SOCK_CONNECT): return try connect(socket, exchange)
        case UInt32(SOCK_BIND): return try bind(socket, &exchange)
        case UInt32(SOCK_LISTEN):
            try socket.listen(Int32(truncatingIfNeeded: request.arg.0), Credentials(request.cred))
            return 0
        case UInt32(SOCK_NAME):
            let (local, remote) = socket.names
            if request.arg.0 != 0 && !socket.hasPeer { throw .ENOTCONN }
            try exchange.put((request.arg.0 == 0 ? local : remote).encoded(socket.family))
            return 0
        case UInt32(SOCK_SETOPT):
            try socket.setOption(exchange.option, exchange.body, isPrivileged: exchange.isPrivileged)
            return 0
        case UInt32(SOCK_GETOPT):
            try exchange.put(try socket.option(exchange.option))
            return 0
        case UInt32(SOCK_SHUTDOWN):
            guard let direction = Socket.Direction(rawValue: request.arg.0) else { throw .EINVAL }
            try socket.shutdown(direction)
            return 0
        case OBJ_CLOSE:
            socket.close()
            return 0
        case OBJ_STAT:
            try exchange.put(value: socket.status)
            return 0
        case OBJ_IOCTL: return try control(socket, &exchange)
        case OBJ_OPEN: throw Errno(6)  // ENXIO: /proc/PID/fd/N of a socket
        case OBJ_READDIR: throw Errno(20)  // ENOTDIR
        case OBJ_TRUNC, OBJ_SYNC: throw .EINVAL
        case OBJ_ALLOCATE: throw .ESPIPE
        case OBJ_SEGMENT: throw .ENODEV
        case OBJ_PATH:
            try exchange.put([UInt8]("socket:[\(socket.inode)]".utf8))
            return Int64(exchange.replied)
        default: throw .ENOSYS
        }
    }

    private func make(_ request: MixObjRequest) throws(Errno) -> Socket {
        guard let family = Family(rawValue: UInt32(truncatingIfNeeded: request.arg.0)) else { throw .EAFNOSUPPORT }
        let transport = Int32(truncatingIfNeeded: request.arg.2)
        let type = UInt32(truncatingIfNeeded: request.arg.1)
        let credentials = Credentials(request.cred)
        switch family {
        case .unix:
            guard transport == 0 || transport == 1 else { throw .EPROTONOSUPPORT }
            let kind = type == 3 ? Socket.Kind.datagram : Socket.Kind(rawValue: type)  // SOCK_RAW is a datagram here
            guard let kind else { throw .ESOCKTNOSUPPORT }
            return try Socket(self, family, kind, 0, credentials)
        case .inet, .inet6:
            switch (type, transport) {
            case (1, 0), (1, 6): return try Socket(self, family, .stream, 6, credentials)
            case (2, 0), (2, 17): return try Socket(self, family, .datagram, 17, credentials)
            case (1, _), (2, _): throw .EPROTONOSUPPORT
            case (3, _): throw request.cred.capabilities & MIX_CAP_ROOT != 0 ? .EPROTONOSUPPORT : .EPERM
            default: throw .ESOCKTNOSUPPORT
            }
        case .netlink:
            guard type == 2 || type == 3 else { throw .ESOCKTNOSUPPORT }
            guard transport == 0 || transport == Socket.diagnosis else { throw .EPROTONOSUPPORT }
            return try Socket(self, family, .datagram, transport, credentials)
        }
    }

    private func create(_ exchange: inout Exchange) throws(Errno) -> Int64 {
        let socket = try make(exchange.request)
        exchange.reply.key = socket.key
        exchange.reply.ino = socket.inode
        return 0
    }

    private func createPair(_ exchange: inout Exchange) throws(Errno) -> Int64 {
        if let family = Family(rawValue: UInt32(truncatingIfNeeded: exchange.request.arg.0)), family != .unix {
            throw .EOPNOTSUPP
        }
        let first = try make(exchange.request)
        let second: Socket
        do { second = try make(exchange.request) } catch {
            first.close()
            throw error
        }
        Socket.pair(first, second)
        exchange.reply.key = first.key
        exchange.reply.ino = first.inode
        exchange.reply.value.0 = second.key.object
        exchange.reply.value.1 = second.key.tag
        exchange.reply.value.2 = second.inode
        return 0
    }

    private func watch(_ socket: Socket, _ exchange: inout Exchange) -> Int64 {
        let request = exchange.request
        let event = KnUniqueId(
            uiHead: UInt32(truncatingIfNeeded: request.arg.2), uiTail: UInt32(truncatingIfNeeded: request.arg.3))
        let mask = UInt32(truncatingIfNeeded: request.arg.0)
        socket.change { state, effects in
            if mask == 0 {
                state.watches.disarm(owner: request.owner, event: event)
            } else {
                // All of the mask, what is true now too: more data is news to whoever waits for edges (epoll(7)).
                state.watches.arm(owner: request.owner, event: event, mask: mask, &effects.postings)
            }
        }
        // Asked behind arming: what becomes true in between is not missed.
        exchange.reply.events = socket.events & (mask | Poll.error | Poll.hangUp)
        return 0
    }
}

extension Exchange {
    var option: Options.Name {
        Options.Name(level: Int32(truncatingIfNeeded: request.arg.0), name: Int32(truncatingIfNeeded: request.arg.1))
    }
    var isPrivileged: Bool { request.cred.capabilities & MIX_CAP_ROOT != 0 }
    /// The node that a path of AF_UNIX names.
    var node: UnixName.Node { UnixName.Node(device: request.arg.1, inode: request.arg.2) }
}

extension Socket {
    var names: (local: Address, remote: Address) { state.withLock { ($0.local, $0.remote) } }

    /// getpeername(2).
    var hasPeer: Bool {
        state.withLock { state in
            if isDatagram && family.isInet { return state.remote != .unnamed }
            if family == .netlink { return true }
            switch state.phase {
            case .connected: return true
            case .disconnected: return !isTcp || state.error == 0
            default: return false
            }
        }
    }

    /// struct MixStat of fstat(2).
    var status: MixStat {
        var status = MixStat()
        status.dev = 8  // the host's sockfs has a small number, too
        status.ino = inode
        status.mode = 0o140777
        status.nlink = 1
        status.blksize = 4096
        let owner = state.withLock { $0.credentials }
        (status.uid, status.gid) = (owner.uid, owner.gid)
        return status
    }
}
