import CMiXFile
import CMiXSocket

/// socket(2) and its relatives that move no data.
enum SocketCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (41, "socket", socket),
        (53, "socketpair", socketPair),
        (49, "bind", bind),
        (42, "connect", connect),
        (50, "listen", listen),
        (43, "accept", { (call) throws(Errno) in try accept(call, flags: 0) }),
        (288, "accept4", { (call) throws(Errno) in try accept(call, flags: call.uint(3)) }),
        (51, "getsockname", { (call) throws(Errno) in try name(call, peer: false) }),
        (52, "getpeername", { (call) throws(Errno) in try name(call, peer: true) }),
        (54, "setsockopt", setOption),
        (55, "getsockopt", getOption),
        (48, "shutdown", shutdown),
    ]

    private static let flagBits = FileFlags.nonBlocking | FileFlags.closeOnExec  // SOCK_NONBLOCK, SOCK_CLOEXEC

    private static func makeRequest(_ call: Call, _ op: UInt32) throws(Errno) -> MixObjRequest {
        let type = call.uint(1)
        if type & ~(flagBits | 0xf) != 0 { throw .EINVAL }
        guard call.uint(0) < 46 else { throw .EAFNOSUPPORT }
        var request = MixObjRequest()
        request.op = op
        request.cred = call.process.mixCred()
        request.arg = (UInt64(call.uint(0)), UInt64(type & 0xf), UInt64(call.uint(2)), 0)
        return request
    }

    /// Where nobody serves sockets no family is known.
    private static func make(_ call: Call, _ request: MixObjRequest) throws(Errno) -> MixObjReply {
        do {
            return try call.manager.objectCall(call.manager.groups.socket, request).0
        } catch {
            throw error == .EIO ? .EAFNOSUPPORT : error
        }
    }

    private static func file(_ call: Call, _ key: MixKey, _ inode: UInt64) -> SocketFile {
        SocketFile(
            call.manager, family: call.uint(0), type: call.uint(1) & 0xf, key: key, inode: inode,
            nonBlocking: call.uint(1) & FileFlags.nonBlocking != 0)
    }

    @Sendable private static func socket(_ call: Call) throws(Errno) -> Outcome {
        let request = try makeRequest(call, UInt32(SOCK_CREATE))
        try call.process.files.checkRoom(limit: call.descriptorLimit)
        let reply = try make(call, request)
        let description = file(call, reply.key, reply.ino)
        return .done(value: try call.install(description, closeOnExec: call.uint(1) & FileFlags.closeOnExec != 0))
    }

    @Sendable private static func socketPair(_ call: Call) throws(Errno) -> Outcome {
        let reply = try make(call, try makeRequest(call, UInt32(SOCK_PAIR)))
        let first = file(call, reply.key, reply.ino)
        let second = file(call, MixKey(object: reply.value.0, tag: reply.value.1), reply.value.2)
        return try call.installPair(first, second, closeOnExec: call.uint(1) & FileFlags.closeOnExec != 0, at: call[3])
    }

    @Sendable private static func bind(_ call: Call) throws(Errno) -> Outcome {
        let socket = try call.socket(0)
        let address = try call.socketAddress(call[1], size: call.uint(2))
        var request = socket.request(UInt32(SOCK_BIND), call.process.mixCred())
        guard socket.family == SocketFile.unix, let path = SocketPath(address) else {
            _ = try socket.ask(request, body: address, room: 128)
            return .zero
        }
        let node = try path.make(call)
        (request.arg.1, request.arg.2) = (node.device, node.inode)
        do throws(Errno) {
            _ = try socket.ask(request, body: address, room: 128)
        } catch {
            path.remove(call)
            throw error
        }
        return .zero
    }

    @Sendable private static func connect(_ call: Call) throws(Errno) -> Outcome {
        let socket = try call.socket(0)
        if call.kept is Connecting { return try connecting(call, socket) }
        let address = try call.socketAddress(call[1], size: call.uint(2))
        var request = socket.request(UInt32(SOCK_CONNECT), call.process.mixCred())
        request.flags = socket.isNonBlocking ? UInt32(SOCK_NOWAIT) : 0
        if socket.family == SocketFile.unix, let path = SocketPath(address) {
            let node = try path.find(call)
            (request.arg.1, request.arg.2) = (node.device, node.inode)
        }
        do throws(Errno) {
            _ = try socket.ask(request, body: address)
            return .zero
        } catch {
            guard error == .EINPROGRESS, !socket.isNonBlocking else { throw error }
            call.kept = Connecting()
            return try connecting(call, socket)
        }
    }

    /// The listener has no room yet.
    private final class Connecting {}

    private static func connecting(_ call: Call, _ socket: SocketFile) throws(Errno) -> Outcome {
        var armed = false
        while true {
            if call.timedOut { throw .EINPROGRESS }
            if let outcome = try socket.waitFor(call, PollBits.output, &armed, "inet_wait_for_connect") {
                return outcome
            }
            var request = socket.request(UInt32(SOCK_GETOPT), call.process.mixCred())
            (request.arg.0, request.arg.1, request.size) = (1, 4, 4)  // SO_ERROR
            let (_, value) = try socket.ask(request, body: [], room: 4)
            let error = value.withUnsafeBytes { $0.count == 4 ? $0.loadUnaligned(as: Int32.self) : 5 }
            if error != 0 { throw Errno(error) }
            return .zero
        }
    }

    @Sendable private static func listen(_ call: Call) throws(Errno) -> Outcome {
        let socket = try call.socket(0)
        var request = socket.request(UInt32(SOCK_LISTEN), call.process.mixCred())
        request.arg.0 = UInt64(call.uint(1))
        _ = try socket.ask(request)
        return .zero
    }

    private static func accept(_ call: Call, flags: UInt32) throws(Errno) -> Outcome {
        if flags & ~flagBits != 0 { throw .EINVAL }
        let socket = try call.socket(0)
        try call.process.files.checkRoom(limit: call.descriptorLimit)
        var armed = false
        while true {
            do throws(Errno) {
                let (reply, address) = try socket.ask(
                    socket.request(UInt32(SOCK_ACCEPT), call.process.mixCred()), body: [], room: 128)
                let accepted = SocketFile(
                    call.manager, family: socket.family, type: socket.type, key: reply.key, inode: reply.ino,
                    nonBlocking: flags & FileFlags.nonBlocking != 0)
                do throws(Errno) {
                    if call[1] != 0 { try call.put(address: address, at: call[1], size: call[2]) }
                } catch {
                    accepted.drop()
                    throw error
                }
                return .done(value: try call.install(accepted, closeOnExec: flags & FileFlags.closeOnExec != 0))
            } catch {
                guard error == .EAGAIN, !socket.isNonBlocking else { throw error }
                if let outcome = try socket.waitFor(call, PollBits.input, &armed, "inet_csk_accept") { return outcome }
            }
        }
    }

    private static func name(_ call: Call, peer: Bool) throws(Errno) -> Outcome {
        let socket = try call.socket(0)
        var request = socket.request(UInt32(SOCK_NAME), call.process.mixCred())
        request.arg.0 = peer ? 1 : 0
        let (_, address) = try socket.ask(request, body: [], room: 128)
        try call.put(address: address, at: call[1], size: call[2])
        return .zero
    }

    @Sendable private static func setOption(_ call: Call) throws(Errno) -> Outcome {
        let socket = try call.socket(0)
        guard call.int(4) >= 0 else { throw .EINVAL }
        let value = try call.copyIn(call[3], count: min(Int(call.int(4)), 4096))
        var request = socket.request(UInt32(SOCK_SETOPT), call.process.mixCred())
        (request.arg.0, request.arg.1) = (UInt64(call.uint(1)), UInt64(call.uint(2)))
        _ = try socket.ask(request, body: value)
        // SO_RCVTIMEO and SO_SNDTIMEO, by their old and new numbers: who waits has to know.
        if call.int(1) == 1, [20, 21, 66, 67].contains(call.int(2)), value.count >= 16 {
            let (seconds, micros) = value.withUnsafeBytes {
                ($0.loadUnaligned(as: Int64.self), $0.loadUnaligned(fromByteOffset: 8, as: Int64.self))
            }
            let limit = seconds < 0 ? 1 : UInt64(min(seconds, 1 << 32)) * 1_000_000_000 + UInt64(micros) * 1000
            if call.int(2) == 20 || call.int(2) == 66 {
                socket.receiveLimit.store(limit, ordering: .relaxed)
            } else {
                socket.sendLimit.store(limit, ordering: .relaxed)
            }
        }
        return .zero
    }

    @Sendable private static func getOption(_ call: Call) throws(Errno) -> Outcome {
        let socket = try call.socket(0)
        let room = try call.readStruct(Int32.self, at: call[4])
        guard room >= 0 else { throw .EINVAL }
        var request = socket.request(UInt32(SOCK_GETOPT), call.process.mixCred())
        (request.arg.0, request.arg.1, request.size) = (UInt64(call.uint(1)), UInt64(call.uint(2)), UInt64(room))
        let (_, value) = try socket.ask(request, body: [], room: 1024)
        let told = value.prefix(Int(room))
        try call.copyOut([UInt8](told), to: call[3])
        try call.writeStruct(Int32(told.count), at: call[4])
        return .zero
    }

    @Sendable private static func shutdown(_ call: Call) throws(Errno) -> Outcome {
        let socket = try call.socket(0)
        guard 0...2 ~= call.int(1) else { throw .EINVAL }
        var request = socket.request(UInt32(SOCK_SHUTDOWN), call.process.mixCred())
        request.arg.0 = UInt64(call.uint(1))
        _ = try socket.ask(request)
        return .zero
    }
}

extension Call {
    /// ENOTSOCK: something else is open there.
    func socket(_ index: Int) throws(Errno) -> SocketFile {
        guard let socket = try openDescription(index) as? SocketFile else { throw .ENOTSOCK }
        return socket
    }

    /// A sockaddr argument: at most a sockaddr_storage.
    func socketAddress(_ address: UInt64, size: UInt32) throws(Errno) -> [UInt8] {
        guard size <= 128 else { throw .EINVAL }
        return try copyIn(address, count: Int(size))
    }

    /// Writes as much of a sockaddr as there is room for, and how long it is, to the place of the length.
    func put(address bytes: [UInt8], at address: UInt64, size: UInt64) throws(Errno) {
        let room = try readStruct(Int32.self, at: size)
        guard room >= 0 else { throw .EINVAL }
        try copyOut([UInt8](bytes.prefix(Int(room))), to: address)
        try writeStruct(Int32(bytes.count), at: size)
    }
}
