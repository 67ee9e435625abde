import CChorus
import CMiXFile

/// Data from descriptor to descriptor: refused where a program can fall back to read and write.
enum TransferCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        // Each of these may say EINVAL for kinds of files it does not do, and all callers then copy themselves.
        (
            40, "sendfile",
            { (call) throws(Errno) in
                _ = try (call.writable(0), call.readable(1))
                throw .EINVAL
            }
        ),
        (
            275, "splice",
            { (call) throws(Errno) in
                _ = try (call.readable(0), call.writable(2))
                throw .EINVAL
            }
        ),
        (
            276, "tee",
            { (call) throws(Errno) in
                _ = try (call.readable(0), call.writable(1))
                throw .EINVAL
            }
        ),
        (
            278, "vmsplice",
            { (call) throws(Errno) in
                let description = try call.openDescription(0)
                let ranges = try call.ranges(at: call[1], count: call[2])
                guard description is PipeEnd else { throw .EBADF }
                return description.isWritable
                    ? try description.write(call, ranges, at: nil) : try description.read(call, ranges, at: nil)
            }
        ),
        (
            326, "copy_file_range",
            { (call) throws(Errno) in
                _ = try (call.readable(0), call.writable(2))
                throw .EXDEV
            }
        ),
    ]
}
