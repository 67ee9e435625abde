import CMiXFile

/// Extended attributes (xattr(7)): the File Manager keeps them; what is no file of its has none.
enum ExtendedCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (188, "setxattr", { (call) throws(Errno) in try set(call, .path(0)) }),
        (189, "lsetxattr", { (call) throws(Errno) in try set(call, .path(PathCall.noFollow)) }),
        (190, "fsetxattr", { (call) throws(Errno) in try set(call, .descriptor) }),
        (191, "getxattr", { (call) throws(Errno) in try get(call, .path(0)) }),
        (192, "lgetxattr", { (call) throws(Errno) in try get(call, .path(PathCall.noFollow)) }),
        (193, "fgetxattr", { (call) throws(Errno) in try get(call, .descriptor) }),
        (194, "listxattr", { (call) throws(Errno) in try list(call, .path(0)) }),
        (195, "llistxattr", { (call) throws(Errno) in try list(call, .path(PathCall.noFollow)) }),
        (196, "flistxattr", { (call) throws(Errno) in try list(call, .descriptor) }),
        (197, "removexattr", { (call) throws(Errno) in try remove(call, .path(0)) }),
        (198, "lremovexattr", { (call) throws(Errno) in try remove(call, .path(PathCall.noFollow)) }),
        (199, "fremovexattr", { (call) throws(Errno) in try remove(call, .descriptor) }),
    ]

    private enum Target {
        case path(UInt32)
        case descriptor
    }

    /// XATTR_SIZE_MAX and XATTR_LIST_MAX.
    private static let most: UInt64 = 65536

    /// Linux asks in this order: flags, name, size and value, then the file.
    private static func set(_ call: Call, _ target: Target) throws(Errno) -> Outcome {
        let flags = call.uint(4)
        if flags & ~3 != 0 { throw .EINVAL }
        if case .descriptor = target { _ = try call.openDescription(0) }
        let name = try name(call)
        guard call[3] <= most else { throw .E2BIG }
        var value = [UInt8](repeating: 0, count: Int(call[3]))
        if !value.isEmpty {
            var failure: Errno?
            value.withUnsafeMutableBytes { room in
                do throws(Errno) { try call.copyIn(call[2], room) } catch { failure = error }
            }
            if let failure { throw failure }
        }
        let bits = (flags & 1 != 0 ? MIX_XATTR_CREATE : 0) | (flags & 2 != 0 ? MIX_XATTR_REPLACE : 0)
        _ = try ask(call, target, MIX_XATTR_SET | bits, name + [0] + value, room: 0)
        return .zero
    }

    private static func remove(_ call: Call, _ target: Target) throws(Errno) -> Outcome {
        if case .descriptor = target { _ = try call.openDescription(0) }
        _ = try ask(call, target, MIX_XATTR_REMOVE, try name(call) + [0], room: 0)
        return .zero
    }

    private static func get(_ call: Call, _ target: Target) throws(Errno) -> Outcome {
        if case .descriptor = target { _ = try call.openDescription(0) }
        let answer = try ask(call, target, MIX_XATTR_GET, try name(call) + [0], room: min(call[3], most))
        try call.copyOut(answer.bytes, to: call[2])
        return .done(answer.size)
    }

    private static func list(_ call: Call, _ target: Target) throws(Errno) -> Outcome {
        let answer = try ask(call, target, MIX_XATTR_LIST, [], room: min(call[2], most))
        try call.copyOut(answer.bytes, to: call[1])
        return .done(answer.size)
    }

    private static func name(_ call: Call) throws(Errno) -> [UInt8] {
        do throws(Errno) {
            let name = try call.copyString(call[1])
            guard 1...255 ~= name.count else { throw Errno.ERANGE }
            return name
        } catch {
            throw error == .ENAMETOOLONG ? .ERANGE : error
        }
    }

    private static func ask(
        _ call: Call, _ target: Target, _ flags: UInt32, _ body: [UInt8], room: UInt64
    ) throws(Errno) -> (size: Int64, bytes: [UInt8]) {
        let changes = flags & MIX_XATTR_OPERATION != MIX_XATTR_GET && flags & MIX_XATTR_OPERATION != MIX_XATTR_LIST
        switch target {
        case .path(let follow):
            let path = try call.path(0)
            var named = try PathCall(call, FILE_XATTR, at: PathCall.currentDirectory, path)
            named.request.flags = flags
            named.request.offset = UInt64(follow)
            named.request.size = room
            if changes { return (try named.send(body: path + [0] + body).diag, []) }
            let (reply, bytes) = try call.manager.objectCall(
                call.manager.fileServer, named.request, body: path + [0] + body, room: Int(room))
            return (reply.diag, bytes)
        case .descriptor:
            let description = try call.openDescription(0)
            guard let remote = description.remote, remote.server == call.manager.fileServer else {
                return try none(description, flags, body)
            }
            var request = remote.request(OBJ_XATTR, call.process.mixCred())
            request.flags = flags
            request.size = room
            let (reply, bytes) = try call.manager.objectCall(remote.server, request, body: body, room: Int(room))
            if changes { remote.tell(InotifyBits.attributes) }
            return (reply.diag, bytes)
        }
    }

    /// Pipes, sockets, devices, memory and the like.
    private static func none(
        _ description: OpenDescription, _ flags: UInt32, _ body: [UInt8]
    ) throws(Errno) -> (size: Int64, bytes: [UInt8]) {
        let operation = flags & MIX_XATTR_OPERATION
        if operation == MIX_XATTR_LIST { return (0, []) }
        let isRegular = description.mode & FileMode.typeMask == FileMode.regular
        guard body.starts(with: "user.".utf8), !isRegular else { throw .EOPNOTSUPP }
        throw operation == MIX_XATTR_GET ? .ENODATA : .EPERM
    }
}
