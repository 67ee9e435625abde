import CMiXFile

/// Making, removing and renaming directory entries.
enum NameCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (
            83, "mkdir",
            { (call) throws(Errno) in
                try mkdir(call, PathCall.currentDirectory, call.path(0), call.uint(1))
            }
        ),
        (258, "mkdirat", { (call) throws(Errno) in try mkdir(call, call.int(0), call.path(1), call.uint(2)) }),
        (
            133, "mknod",
            { (call) throws(Errno) in
                try mknod(call, PathCall.currentDirectory, 0, call.uint(1), call.uint(2))
            }
        ),
        (
            259, "mknodat",
            { (call) throws(Errno) in
                try mknod(call, call.int(0), 1, call.uint(2), call.uint(3))
            }
        ),
        (87, "unlink", { (call) throws(Errno) in try unlink(call, PathCall.currentDirectory, call.path(0), 0) }),
        (
            84, "rmdir",
            { (call) throws(Errno) in
                try unlink(call, PathCall.currentDirectory, call.path(0), PathCall.removeDirectory)
            }
        ),
        (
            263, "unlinkat",
            { (call) throws(Errno) in
                if call.uint(2) & ~PathCall.removeDirectory != 0 { throw .EINVAL }
                return try unlink(call, call.int(0), call.path(1), call.uint(2))
            }
        ),
        (
            82, "rename",
            { (call) throws(Errno) in
                let here = PathCall.currentDirectory
                return try two(call, FILE_RENAME, here, 0, here, 1, 0)
            }
        ),
        (
            264, "renameat",
            { (call) throws(Errno) in
                try two(call, FILE_RENAME, call.int(0), 1, call.int(2), 3, 0)
            }
        ),
        (
            316, "renameat2",
            { (call) throws(Errno) in
                let flags = call.uint(4)
                // RENAME_NOREPLACE 1, EXCHANGE 2, WHITEOUT 4; EXCHANGE goes with nothing else.
                if flags & ~7 != 0 || flags & 2 != 0 && flags & 5 != 0 { throw .EINVAL }
                return try two(call, FILE_RENAME, call.int(0), 1, call.int(2), 3, flags)
            }
        ),
        (
            86, "link",
            { (call) throws(Errno) in
                let here = PathCall.currentDirectory
                return try two(call, FILE_LINK, here, 0, here, 1, 0)
            }
        ),
        (
            265, "linkat",
            { (call) throws(Errno) in
                let flags = call.uint(4)
                if flags & ~(PathCall.follow | PathCall.emptyPath) != 0 { throw .EINVAL }
                return try two(call, FILE_LINK, call.int(0), 1, call.int(2), 3, flags)
            }
        ),
        (
            88, "symlink",
            { (call) throws(Errno) in
                try symlink(call, call.path(0), PathCall.currentDirectory, call.path(1))
            }
        ),
        (266, "symlinkat", { (call) throws(Errno) in try symlink(call, call.path(0), call.int(1), call.path(2)) }),
        (
            89, "readlink",
            { (call) throws(Errno) in
                try readlink(call, PathCall.currentDirectory, 0, call[1], call.int(2))
            }
        ),
        (
            267, "readlinkat",
            { (call) throws(Errno) in
                try readlink(call, call.int(0), 1, call[2], call.int(3))
            }
        ),
    ]

    private static func mkdir(_ call: Call, _ directory: Int32, _ path: [UInt8], _ mode: UInt32) throws(Errno)
        -> Outcome
    {
        var named = try PathCall(call, FILE_MKDIR, at: directory, path)
        named.request.arg.2 = UInt64(mode & 0o1777 & ~call.process.umask)
        _ = try named.send(path)
        return .zero
    }

    private static func mknod(
        _ call: Call, _ directory: Int32, _ pathArgument: Int, _ mode: UInt32, _ device: UInt32
    ) throws(Errno) -> Outcome {
        let type = mode & FileMode.typeMask
        switch type {
        case 0, FileMode.regular, FileMode.fifo, FileMode.socket: break
        case FileMode.character, FileMode.block:
            guard call.process.credentials.has(Credentials.capMakeNode) else { throw .EPERM }
        case FileMode.directory: throw .EPERM
        default: throw .EINVAL
        }
        let path = try call.path(pathArgument)
        var named = try PathCall(call, FILE_MKNOD, at: directory, path)
        let permissions = mode & 0o7777 & ~call.process.umask
        named.request.arg.2 = UInt64(permissions | (type == 0 ? FileMode.regular : type))
        named.request.arg.3 = DeviceNumber.fromLinux(UInt64(device))
        _ = try named.send(path)
        return .zero
    }

    private static func unlink(_ call: Call, _ directory: Int32, _ path: [UInt8], _ flags: UInt32) throws(Errno)
        -> Outcome
    {
        var named = try PathCall(call, FILE_UNLINK, at: directory, path)
        named.request.flags = flags
        _ = try named.send(path)
        return .zero
    }

    /// Names in two arguments. Empty ones are the server's to refuse: what is wrong with the first name comes first.
    private static func two(
        _ call: Call, _ op: UInt32, _ from: Int32, _ first: Int, _ to: Int32, _ second: Int, _ flags: UInt32
    ) throws(Errno) -> Outcome {
        let old = try call.path(first, allowEmpty: true)
        let new = try call.path(second, allowEmpty: true)
        var named = try PathCall(call, op, at: from, old)
        let root = call.process.root.key
        let target = new.first == UInt8(ascii: "/") ? root : try PathCall.start(call, to)
        named.request.flags = flags
        named.request.arg.2 = target.object
        named.request.arg.3 = target.tag
        named.request.offset = root.object
        named.request.size = root.tag
        _ = try named.send(body: old + [0] + new + [0])
        return .zero
    }

    private static func symlink(_ call: Call, _ target: [UInt8], _ directory: Int32, _ path: [UInt8]) throws(Errno)
        -> Outcome
    {
        let named = try PathCall(call, FILE_SYMLINK, at: directory, path)
        _ = try named.send(body: target + [0] + path + [0])
        return .zero
    }

    private static func readlink(
        _ call: Call, _ directory: Int32, _ pathArgument: Int, _ target: UInt64, _ room: Int32
    ) throws(Errno) -> Outcome {
        guard room > 0 else { throw .EINVAL }
        // Only readlinkat takes an empty path for the descriptor itself.
        let path = try call.path(pathArgument, allowEmpty: pathArgument == 1)
        var named = try PathCall(call, FILE_READLINK, at: directory, path)
        named.request.flags = path.isEmpty ? PathCall.emptyPath : 0
        named.request.size = 4096
        let (_, text) = try call.manager.objectCall(
            call.manager.fileServer, named.request, body: path + [0], room: 4096)
        let size = min(text.count, Int(room))
        try call.copyOut(Array(text[..<size]), to: target)
        return .done(Int64(size))
    }
}
