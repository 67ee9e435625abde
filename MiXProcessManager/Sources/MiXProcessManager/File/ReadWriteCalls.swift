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
                return try positioned(call).read(call, call.range(1, 2), at: offset)
            }
        ),
        (
            18, "pwrite64",
            { (call) throws(Errno) in
                let offset = try position(call[3])
                return try positioned(call, writes: true).write(call, call.range(1, 2), at: offset)
            }
        ),
        (
            19, "readv",
            { (call) throws(Errno) in
                try vector(call, call.readable(0), at: nil)
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
                return try vector(call, positioned(call), at: offset)
            }
        ),
        (
            296, "pwritev",
            { (call) throws(Errno) in
                let offset = try position(call[3])
                return try positioned(call, writes: true).write(
                    call, call.ranges(at: call[1], count: call[2]), at: offset)
            }
        ),
        (
            327, "preadv2",
            { (call) throws(Errno) in
                let offset = call.long(3) == -1 ? nil : try position(call[3])
                let description = offset == nil ? try call.readable(0) : try positioned(call)
                return try vector(call, description, at: offset, flags: call.uint(5))
            }
        ),
        (
            328, "pwritev2",
            { (call) throws(Errno) in
                let offset = call.long(3) == -1 ? nil : try position(call[3])
                let description = offset == nil ? try call.writable(0) : try positioned(call, writes: true)
                let ranges = try call.ranges(at: call[1], count: call[2])
                if call.uint(5) & ~knownFlags != 0, ranges.total > 0 { throw .EOPNOTSUPP }
                return try description.write(call, ranges, at: offset)
            }
        ),
        (
            8, "lseek",
            { (call) throws(Errno) in
                let description = try call.openDescription(0)
                guard 0...4 ~= call.int(2) else { throw .EINVAL }
                return .done(try description.seek(call.long(1), call.int(2)))
            }
        ),
    ]

    private static func position(_ value: UInt64) throws(Errno) -> Int64 {
        guard value <= UInt64(Int64.max) else { throw .EINVAL }
        return Int64(value)
    }

    private static let knownFlags: UInt32 = 0x1f  // RWF_*

    /// readv and its kin: of ranges that are all empty nothing is read, whatever is open, and their flags do not count.
    private static func vector(
        _ call: Call, _ description: OpenDescription, at offset: Int64?, flags: UInt32 = 0
    ) throws(Errno) -> Outcome {
        let ranges = try call.ranges(at: call[1], count: call[2])
        if description is EpollFile { throw .EINVAL }  // which nobody reads at all
        if ranges.total == 0 { return .zero }
        if flags & ~knownFlags != 0 { throw .EOPNOTSUPP }
        return try description.read(call, ranges, at: offset)
    }

    /// ESPIPE where positions mean nothing, before EBADF where the access mode forbids it.
    private static func positioned(_ call: Call, writes: Bool = false) throws(Errno) -> OpenDescription {
        let description = try call.openDescription(0)
        if description.isPollable && description.remote == nil { throw .ESPIPE }
        guard writes ? description.isWritable : description.isReadable else { throw .EBADF }
        return description
    }
}
