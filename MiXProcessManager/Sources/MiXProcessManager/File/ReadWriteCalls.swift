import Glibc

/// read, write and their vector and positioned forms.
enum ReadWriteCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (
            0, "read",
            { (call) throws(Errno) in
                try call.readable(0).read(call, call.range(1, 2), at: nil)
            }
        ),
        (
            1, "write",
            { (call) throws(Errno) in
                try call.writable(0).write(call, call.range(1, 2), at: nil)
            }
        ),
        (
            17, "pread64",
            { (call) throws(Errno) in
                let offset = try position(call[3])
                return try positioned(call.readable(0)).read(call, call.range(1, 2), at: offset)
            }
        ),
        (
            18, "pwrite64",
            { (call) throws(Errno) in
                let offset = try position(call[3])
                return try positioned(call.writable(0)).write(call, call.range(1, 2), at: offset)
            }
        ),
        (
            19, "readv",
            { (call) throws(Errno) in
                try call.readable(0).read(call, call.ranges(at: call[1], count: call[2]), at: nil)
            }
        ),
        (
            20, "writev",
            { (call) throws(Errno) in
                try call.writable(0).write(call, call.ranges(at: call[1], count: call[2]), at: nil)
            }
        ),
        (
            295, "preadv",
            { (call) throws(Errno) in
                let offset = try position(call[3])
                return try positioned(call.readable(0)).read(call, call.ranges(at: call[1], count: call[2]), at: offset)
            }
        ),
        (
            296, "pwritev",
            { (call) throws(Errno) in
                let offset = try position(call[3])
                return try positioned(call.writable(0)).write(
                    call, call.ranges(at: call[1], count: call[2]), at: offset)
            }
        ),
        (
            327, "preadv2",
            { (call) throws(Errno) in
                if call.uint(5) & ~0x1f != 0 { throw .EOPNOTSUPP }
                let ranges = try call.ranges(at: call[1], count: call[2])
                if call.long(3) == -1 { return try call.readable(0).read(call, ranges, at: nil) }
                return try positioned(call.readable(0)).read(call, ranges, at: position(call[3]))
            }
        ),
        (
            328, "pwritev2",
            { (call) throws(Errno) in
                if call.uint(5) & ~0x1f != 0 { throw .EOPNOTSUPP }
                let ranges = try call.ranges(at: call[1], count: call[2])
                if call.long(3) == -1 { return try call.writable(0).write(call, ranges, at: nil) }
                return try positioned(call.writable(0)).write(call, ranges, at: position(call[3]))
            }
        ),
        (8, "lseek", { (call) throws(Errno) in .done(try call.openDescription(0).seek(call.long(1), call.int(2))) }),
    ]

    private static func position(_ value: UInt64) throws(Errno) -> Int64 {
        guard value <= UInt64(Int64.max) else { throw .EINVAL }
        return Int64(value)
    }

    /// ESPIPE before anything else where positions mean nothing.
    private static func positioned(_ description: OpenDescription) throws(Errno) -> OpenDescription {
        if description.isPollable && description.remote == nil { throw .ESPIPE }
        return description
    }
}
