/// A Linux errno as the guest sees it (errno(3), x86-64 numbers).
public struct Errno: Error, Equatable, Sendable {
    public let code: Int32

    @inlinable public init(_ code: Int32) { self.code = code }

    public static var EPERM: Errno { Errno(1) }
    public static var ENOENT: Errno { Errno(2) }
    public static var ESRCH: Errno { Errno(3) }
    public static var EIO: Errno { Errno(5) }
    public static var ENXIO: Errno { Errno(6) }
    public static var EBADF: Errno { Errno(9) }
    public static var EAGAIN: Errno { Errno(11) }
    public static var ENOMEM: Errno { Errno(12) }
    public static var EACCES: Errno { Errno(13) }
    public static var EBUSY: Errno { Errno(16) }
    public static var EEXIST: Errno { Errno(17) }
    public static var EXDEV: Errno { Errno(18) }
    public static var ENODEV: Errno { Errno(19) }
    public static var ENOTDIR: Errno { Errno(20) }
    public static var EISDIR: Errno { Errno(21) }
    public static var EINVAL: Errno { Errno(22) }
    public static var ENFILE: Errno { Errno(23) }
    public static var ENOTTY: Errno { Errno(25) }
    public static var ETXTBSY: Errno { Errno(26) }
    public static var E2BIG: Errno { Errno(7) }
    public static var EFBIG: Errno { Errno(27) }
    public static var ENOSPC: Errno { Errno(28) }
    public static var EROFS: Errno { Errno(30) }
    public static var EMLINK: Errno { Errno(31) }
    public static var ERANGE: Errno { Errno(34) }
    public static var EDEADLK: Errno { Errno(35) }
    public static var ENAMETOOLONG: Errno { Errno(36) }
    public static var ENOSYS: Errno { Errno(38) }
    public static var ENOTEMPTY: Errno { Errno(39) }
    public static var ELOOP: Errno { Errno(40) }
    public static var ENODATA: Errno { Errno(61) }
    public static var EOVERFLOW: Errno { Errno(75) }
    public static var EOPNOTSUPP: Errno { Errno(95) }
    public static var ESTALE: Errno { Errno(116) }
}

/// Turns a host result (>= 0, or -errno) into a value or a thrown errno.
@inline(__always)
func check(_ result: Int32) throws(Errno) -> Int32 {
    if result < 0 { throw Errno(-result) }
    return result
}
