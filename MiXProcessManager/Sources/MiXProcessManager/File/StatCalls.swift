import CChorus
import CMiXFile

/// What files are: the stat family, access, statfs.
enum StatCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (
            4, "stat",
            { (call) throws(Errno) in
                try put(call, named(call, PathCall.currentDirectory, call.path(0), 0), at: call[1])
            }
        ),
        (
            6, "lstat",
            { (call) throws(Errno) in
                try put(call, named(call, PathCall.currentDirectory, call.path(0), PathCall.noFollow), at: call[1])
            }
        ),
        (
            5, "fstat",
            { (call) throws(Errno) in
                try put(call, call.openDescription(0, allowPath: true).stat(call.process.mixCred()), at: call[1])
            }
        ),
        (
            262, "newfstatat",
            { (call) throws(Errno) in
                let flags = call.uint(3)
                // AT_NO_AUTOMOUNT, and the bits of statx that say how true the answer must be
                if flags & ~(PathCall.noFollow | PathCall.emptyPath | 0x800 | 0x6000) != 0 { throw .EINVAL }
                return try put(call, at(call, flags), at: call[2])
            }
        ),
        (332, "statx", statx),
        (
            21, "access",
            { (call) throws(Errno) in
                try access(call, PathCall.currentDirectory, 0, call.uint(1), 0)
            }
        ),
        (269, "faccessat", { (call) throws(Errno) in try access(call, call.int(0), 1, call.uint(2), 0) }),
        (
            439, "faccessat2",
            { (call) throws(Errno) in
                let flags = call.uint(3)
                if flags & ~(PathCall.noFollow | PathCall.emptyPath | PathCall.effectiveAccess) != 0 { throw .EINVAL }
                return try access(call, call.int(0), 1, call.uint(2), flags)
            }
        ),
        (
            137, "statfs",
            { (call) throws(Errno) in
                let path = try call.path(0)
                let fetched = try PathCall(call, FILE_STATFS, at: PathCall.currentDirectory, path)
                    .send(path, MixStatfs.self, empty: MixStatfs())
                return try put(call, fetched, at: call[1])
            }
        ),
        (
            138, "fstatfs",
            { (call) throws(Errno) in
                try put(call, fileSystem(call, call.openDescription(0, allowPath: true)), at: call[1])
            }
        ),
    ]

    /// The object of a *at call with AT_EMPTY_PATH in mind: an empty path is the descriptor itself.
    private static func at(_ call: Call, _ flags: UInt32) throws(Errno) -> MixStat {
        let empty = flags & PathCall.emptyPath != 0
        // glibc's fstat is newfstatat(fd, "", AT_EMPTY_PATH); a NULL path means the same since Linux 6.11.
        let path = empty && call[1] == 0 ? [] : try call.path(1, allowEmpty: empty)
        if path.isEmpty && call.int(0) != PathCall.currentDirectory {
            return try call.openDescription(0, allowPath: true).stat(call.process.mixCred())
        }
        return try named(call, call.int(0), path, flags & (PathCall.noFollow | PathCall.emptyPath))
    }

    private static func named(_ call: Call, _ directory: Int32, _ path: [UInt8], _ flags: UInt32) throws(Errno)
        -> MixStat
    {
        var named = try PathCall(call, FILE_STAT, at: directory, path)
        named.request.flags = flags
        return try named.send(path, MixStat.self, empty: MixStat())
    }

    private static func put(_ call: Call, _ stat: MixStat, at address: UInt64) throws(Errno) -> Outcome {
        try withUnsafeTemporaryAllocation(byteCount: MixStat.linuxSize, alignment: 8) { (room) throws(Errno) in
            let target = UnsafeMutableRawBufferPointer(rebasing: room[..<MixStat.linuxSize])
            stat.writeStat(to: target)
            try call.copyOut(UnsafeRawBufferPointer(target), to: address)
        }
        return .zero
    }

    private static func put(_ call: Call, _ stat: MixStatfs, at address: UInt64) throws(Errno) -> Outcome {
        try withUnsafeTemporaryAllocation(byteCount: MixStatfs.linuxSize, alignment: 8) { (room) throws(Errno) in
            let target = UnsafeMutableRawBufferPointer(rebasing: room[..<MixStatfs.linuxSize])
            stat.write(to: target)
            try call.copyOut(UnsafeRawBufferPointer(target), to: address)
        }
        return .zero
    }

    @Sendable private static func statx(_ call: Call) throws(Errno) -> Outcome {
        let flags = call.uint(2)
        if flags & ~(PathCall.noFollow | PathCall.emptyPath | 0x800 | 0x6000) != 0 || flags & 0x6000 == 0x6000
            || call.uint(3) & 0x8000_0000 != 0
        {
            throw .EINVAL
        }
        let stat = try at(call, flags)
        try withUnsafeTemporaryAllocation(byteCount: MixStat.statxSize, alignment: 8) { (room) throws(Errno) in
            let target = UnsafeMutableRawBufferPointer(rebasing: room[..<MixStat.statxSize])
            stat.writeStatx(to: target)
            try call.copyOut(UnsafeRawBufferPointer(target), to: call[4])
        }
        return .zero
    }

    private static func access(
        _ call: Call, _ directory: Int32, _ pathArgument: Int, _ mode: UInt32, _ flags: UInt32
    ) throws(Errno) -> Outcome {
        if mode & ~7 != 0 { throw .EINVAL }
        let path = try call.path(pathArgument, allowEmpty: flags & PathCall.emptyPath != 0)
        var named = try PathCall(call, FILE_ACCESS, at: directory, path)
        named.request.flags = flags
        named.request.arg.2 = UInt64(mode)
        if flags & PathCall.effectiveAccess == 0 {
            // The real ids count, and root's privileges only when they are root's (access(2)).
            let credentials = call.process.credentials
            named.request.cred.uid = credentials.uid
            named.request.cred.gid = credentials.gid
            named.request.cred.capabilities = credentials.uid == 0 ? MIX_CAP_ROOT : 0
        }
        _ = try named.send(path)
        return .zero
    }

    private static func fileSystem(_ call: Call, _ description: OpenDescription) throws(Errno) -> MixStatfs {
        guard let remote = description.remote, remote.server == call.manager.fileServer else {
            var stat = MixStatfs()
            stat.type = description is PipeEnd ? 0x5049_5045 : description is MemoryFile ? 0x0102_1994 : 0x0904_1934
            stat.bsize = 4096
            stat.frsize = 4096
            stat.namelen = 255
            return stat
        }
        return try withUnsafeTemporaryAllocation(of: MixStatfs.self, capacity: 1) { (room) throws(Errno) in
            room.initialize(repeating: MixStatfs())
            _ = try call.manager.objectCall(
                remote.server, remote.request(OBJ_STATFS, call.process.mixCred()),
                reply: UnsafeMutableRawBufferPointer(room))
            return room[0]
        }
    }
}
