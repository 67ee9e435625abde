import CMiXFile

/// Modes, owners and times.
enum AttributeCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (
            90, "chmod",
            { (call) throws(Errno) in
                try chmod(call, PathCall.currentDirectory, call.path(0), call.uint(1), 0)
            }
        ),
        (
            91, "fchmod",
            { (call) throws(Errno) in
                var change = Change()
                change.setMode(call.uint(1))
                return try apply(call, call.openDescription(0), change)
            }
        ),
        (268, "fchmodat", { (call) throws(Errno) in try chmod(call, call.int(0), call.path(1), call.uint(2), 0) }),
        (
            452, "fchmodat2",
            { (call) throws(Errno) in
                let flags = try checked(call.uint(3))
                return try chmod(
                    call, call.int(0), call.path(1, allowEmpty: flags & PathCall.emptyPath != 0), call.uint(2), flags)
            }
        ),
        (
            92, "chown",
            { (call) throws(Errno) in
                try chown(call, PathCall.currentDirectory, call.path(0), call.uint(1), call.uint(2), 0)
            }
        ),
        (
            94, "lchown",
            { (call) throws(Errno) in
                try chown(call, PathCall.currentDirectory, call.path(0), call.uint(1), call.uint(2), PathCall.noFollow)
            }
        ),
        (
            93, "fchown",
            { (call) throws(Errno) in
                var change = Change()
                change.setOwner(call.uint(1), call.uint(2))
                return try apply(call, call.openDescription(0), change)
            }
        ),
        (
            260, "fchownat",
            { (call) throws(Errno) in
                let flags = try checked(call.uint(4))
                let path = try call.path(1, allowEmpty: flags & PathCall.emptyPath != 0)
                return try chown(call, call.int(0), path, call.uint(2), call.uint(3), flags)
            }
        ),
        (
            132, "utime",
            { (call) throws(Errno) in
                var change = Change()
                try change.setTimes(call, call[1], .seconds)
                return try apply(call, PathCall.currentDirectory, call.path(0), change, 0)
            }
        ),
        (
            235, "utimes",
            { (call) throws(Errno) in
                var change = Change()
                try change.setTimes(call, call[1], .microseconds)
                return try apply(call, PathCall.currentDirectory, call.path(0), change, 0)
            }
        ),
        (
            261, "futimesat",
            { (call) throws(Errno) in
                var change = Change()
                try change.setTimes(call, call[2], .microseconds)
                if call[1] == 0 { return try apply(call, call.openDescription(0), change) }
                return try apply(call, call.int(0), call.path(1), change, 0)
            }
        ),
        (
            280, "utimensat",
            { (call) throws(Errno) in
                let flags = try checked(call.uint(3))
                var change = Change()
                try change.setTimes(call, call[2], .nanoseconds)
                if change.flags == 0 { return .zero }  // both UTIME_OMIT: nothing is looked at
                if call[1] == 0 {
                    if call.int(0) == PathCall.currentDirectory { throw .EFAULT }
                    return try apply(call, call.openDescription(0), change)
                }
                let path = try call.path(1, allowEmpty: flags & PathCall.emptyPath != 0)
                return try apply(call, call.int(0), path, change, flags)
            }
        ),
    ]

    private static func checked(_ flags: UInt32) throws(Errno) -> UInt32 {
        if flags & ~(PathCall.noFollow | PathCall.emptyPath) != 0 { throw .EINVAL }
        return flags
    }

    private static func chmod(
        _ call: Call, _ directory: Int32, _ path: [UInt8], _ mode: UInt32, _ flags: UInt32
    ) throws(Errno) -> Outcome {
        var change = Change()
        change.setMode(mode)
        return try apply(call, directory, path, change, flags)
    }

    private static func chown(
        _ call: Call, _ directory: Int32, _ path: [UInt8], _ uid: UInt32, _ gid: UInt32, _ flags: UInt32
    ) throws(Errno) -> Outcome {
        var change = Change()
        change.setOwner(uid, gid)
        return try apply(call, directory, path, change, flags)
    }

    private static func apply(
        _ call: Call, _ directory: Int32, _ path: [UInt8], _ change: Change, _ flags: UInt32
    ) throws(Errno) -> Outcome {
        if path.isEmpty && directory != PathCall.currentDirectory {
            return try apply(call, call.openDescription(number: directory, allowPath: true), change)
        }
        var named = try PathCall(call, FILE_SETATTR, at: directory, path)
        named.request.offset = UInt64(flags & PathCall.noFollow)
        guard change.isValid else {  // the name comes first: asked for without a change
            _ = try named.send(body: path + [0])
            throw .EINVAL
        }
        named.request.flags = change.flags
        named.request.arg.2 = UInt64(change.mode)
        named.request.arg.3 = change.owner
        let body = withUnsafeBytes(of: change.times) { path + [0] + Array($0) }
        _ = try named.send(body: body)
        return .zero
    }

    private static func apply(_ call: Call, _ description: OpenDescription, _ change: Change) throws(Errno) -> Outcome {
        guard change.isValid else { throw .EINVAL }
        if let own = description.ownAttributes {
            if change.flags & MIX_ATTR_MODE != 0, let memory = description as? MemoryFile {
                try memory.check(change.mode)
            }
            try own.change(
                change.flags, mode: change.mode, uid: UInt32(truncatingIfNeeded: change.owner),
                gid: UInt32(change.owner >> 32), change.times, call.process.credentials)
            return .zero
        }
        // FIFOs, whose server does not know that they are open, and the inodes that events, timers and the like share.
        guard let remote = description.remote else { throw .EOPNOTSUPP }
        var request = remote.request(OBJ_SETATTR, call.process.mixCred())
        request.flags = change.flags
        request.arg.0 = UInt64(change.mode)
        request.arg.1 = change.owner
        let body = withUnsafeBytes(of: change.times) { Array($0) }
        _ = try call.manager.objectCall(remote.server, request, body: body, room: 0)
        remote.tell(InotifyBits.attributes)
        return .zero
    }
}

/// Attributes to change, in the protocol's terms.
private struct Change {
    static let now: Int64 = 0x3fff_ffff  // UTIME_NOW
    static let omit: Int64 = 0x3fff_fffe  // UTIME_OMIT

    enum Unit { case seconds, microseconds, nanoseconds }

    var flags: UInt32 = 0
    var mode: UInt32 = 0
    var owner: UInt64 = 0
    var times = MixTimes()
    var isValid = true

    mutating func setMode(_ wanted: UInt32) {
        flags |= MIX_ATTR_MODE
        mode = wanted & 0o7777
    }

    /// -1 leaves one alone.
    mutating func setOwner(_ uid: UInt32, _ gid: UInt32) {
        if uid != .max { flags |= MIX_ATTR_UID }
        if gid != .max { flags |= MIX_ATTR_GID }
        owner = UInt64(uid) | UInt64(gid) << 32
    }

    /// Two times at `address`, NULL for now.
    mutating func setTimes(_ call: Call, _ address: UInt64, _ unit: Unit) throws(Errno) {
        flags |= MIX_ATTR_ATIME | MIX_ATTR_MTIME
        if address == 0 {
            times = MixTimes(atimeSec: 0, atimeNsec: Self.now, mtimeSec: 0, mtimeNsec: Self.now)
            return
        }
        if unit == .seconds {
            let (access, change) = try (
                call.readStruct(Int64.self, at: address), call.readStruct(Int64.self, at: address &+ 8)
            )
            times = MixTimes(atimeSec: access, atimeNsec: 0, mtimeSec: change, mtimeNsec: 0)
            return
        }
        times = try call.readStruct(MixTimes.self, at: address)
        if unit == .microseconds {
            guard 0..<1_000_000 ~= times.atimeNsec, 0..<1_000_000 ~= times.mtimeNsec else { throw .EINVAL }
            times.atimeNsec *= 1000
            times.mtimeNsec *= 1000
            return
        }
        for nanoseconds in [times.atimeNsec, times.mtimeNsec]
        where !(0..<1_000_000_000 ~= nanoseconds || nanoseconds == Self.now || nanoseconds == Self.omit) {
            isValid = false
        }
        if times.atimeNsec == Self.omit { flags &= ~MIX_ATTR_ATIME }
        if times.mtimeNsec == Self.omit { flags &= ~MIX_ATTR_MTIME }
    }
}
