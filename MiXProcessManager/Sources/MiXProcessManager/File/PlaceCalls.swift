import CMiXFile

/// Where a process is, and what is mounted.
enum PlaceCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (
            80, "chdir",
            { (call) throws(Errno) in
                call.process.cwd.change(to: try directory(call, call.path(0)))
                return .zero
            }
        ),
        (
            81, "fchdir",
            { (call) throws(Errno) in
                let description = try call.openDescription(0, allowPath: true)
                guard let remote = description.remote, remote.mode & FileMode.typeMask == FileMode.directory else {
                    throw .ENOTDIR
                }
                // A reference of its own, and the search permission, which the open directory does not imply.
                var named = PathCall(call, FILE_OPEN, from: remote.key)
                named.request.flags = FileFlags.path | FileFlags.directory
                let reply = try named.send([UInt8(ascii: ".")])
                call.process.cwd.change(to: DirectoryHandle(call.manager, key: reply.key, server: remote.server))
                return .zero
            }
        ),
        (79, "getcwd", getcwd),
        (
            161, "chroot",
            { (call) throws(Errno) in
                guard call.process.credentials.has(Credentials.capSysChroot) else { throw .EPERM }
                call.process.root.change(to: try directory(call, call.path(0)))
                return .zero
            }
        ),
        (165, "mount", mount),
        (
            166, "umount2",
            { (call) throws(Errno) in
                guard call.process.credentials.has(Credentials.capSysAdmin) else { throw .EPERM }
                let path = try call.path(0)
                var named = try PathCall(call, FILE_UMOUNT, at: PathCall.currentDirectory, path)
                named.request.arg.2 = call[1]
                _ = try named.send(path)
                return .zero
            }
        ),
    ]

    private static func directory(_ call: Call, _ path: [UInt8]) throws(Errno) -> DirectoryHandle {
        // The search permission of the directory itself counts too (chdir(2)).
        var check = try PathCall(call, FILE_ACCESS, at: PathCall.currentDirectory, path)
        check.request.flags = PathCall.effectiveAccess
        check.request.arg.2 = 1
        var named = try PathCall(call, FILE_OPEN, at: PathCall.currentDirectory, path)
        named.request.flags = FileFlags.path | FileFlags.directory
        let reply = try named.send(path)
        let handle = DirectoryHandle(call.manager, key: reply.key, server: call.manager.fileServer)
        _ = try check.send(path)
        return handle
    }

    @Sendable private static func getcwd(_ call: Call) throws(Errno) -> Outcome {
        let here = call.process.cwd.current
        let root = call.process.root.key
        var path: [UInt8] = [UInt8(ascii: "/")]
        if here.key.object != 0 || here.key.tag != 0 {
            var request = MixObjRequest()
            request.op = OBJ_PATH
            request.key = here.key
            request.arg.0 = root.object
            request.arg.1 = root.tag
            path = try call.manager.objectCall(here.server, request, body: [], room: 4096).1
        }
        if path.suffix(10).elementsEqual(" (deleted)".utf8) { throw .ENOENT }
        path.append(0)
        guard UInt64(path.count) <= call[1] else { throw .ERANGE }
        try call.copyOut(path, to: call[0])
        return .done(Int64(path.count))
    }

    @Sendable private static func mount(_ call: Call) throws(Errno) -> Outcome {
        guard call.process.credentials.has(Credentials.capSysAdmin) else { throw .EPERM }
        let source = call[0] == 0 ? [] : try call.copyString(call[0])
        let target = try call.path(1)
        let type = call[2] == 0 ? [] : try call.copyString(call[2])
        let options = call[4] == 0 ? [] : try call.copyString(call[4])
        var named = try PathCall(call, FILE_MOUNT, at: PathCall.currentDirectory, target)
        named.request.arg.2 = call[3]
        _ = try named.send(body: source + [0] + target + [0] + type + [0] + options + [0])
        return .zero
    }
}

extension PathCall {
    /// For a path relative to an open directory.
    init(_ call: Call, _ op: UInt32, from key: MixKey) {
        self.call = call
        request.op = op
        request.cred = call.process.mixCred()
        let root = call.process.root.key
        request.arg.0 = root.object
        request.arg.1 = root.tag
        request.key = key
    }
}
