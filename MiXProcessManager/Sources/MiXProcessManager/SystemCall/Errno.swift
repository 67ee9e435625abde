/// A Linux error number as a typed error (errno(3), x86-64 numbers).
struct Errno: Error, Equatable {
    let number: Int32

    init(_ number: Int32) { self.number = number }
    /// From a `-errno` reply.
    init(reply: Int64) { number = reply >= -4095 && reply < 0 ? Int32(-reply) : 5 }

    var result: Int64 { -Int64(number) }
}

extension Errno {
    static let EPERM = Errno(1), ENOENT = Errno(2), ESRCH = Errno(3), EINTR = Errno(4), EIO = Errno(5)
    static let ENXIO = Errno(6), E2BIG = Errno(7), ENOEXEC = Errno(8), EBADF = Errno(9), ECHILD = Errno(10)
    static let EAGAIN = Errno(11), ENOMEM = Errno(12), EACCES = Errno(13), EFAULT = Errno(14), ENOTBLK = Errno(15)
    static let EBUSY = Errno(16), EEXIST = Errno(17), EXDEV = Errno(18), ENODEV = Errno(19), ENOTDIR = Errno(20)
    static let EISDIR = Errno(21), EINVAL = Errno(22), ENFILE = Errno(23), EMFILE = Errno(24), ENOTTY = Errno(25)
    static let ETXTBSY = Errno(26), EFBIG = Errno(27), ENOSPC = Errno(28), ESPIPE = Errno(29), EROFS = Errno(30)
    static let EMLINK = Errno(31), EPIPE = Errno(32), EDOM = Errno(33), ERANGE = Errno(34), EDEADLK = Errno(35)
    static let ENOMSG = Errno(42), EIDRM = Errno(43), EMSGSIZE = Errno(90)
    static let ENAMETOOLONG = Errno(36), ENOLCK = Errno(37), ENOSYS = Errno(38), ENOTEMPTY = Errno(39)
    static let ELOOP = Errno(40), ENODATA = Errno(61), ETIME = Errno(62), EOVERFLOW = Errno(75)
    static let ELIBBAD = Errno(80), ENOTSOCK = Errno(88), EOPNOTSUPP = Errno(95), EAFNOSUPPORT = Errno(97),
        ETIMEDOUT = Errno(110)
    static let EALREADY = Errno(114), EINPROGRESS = Errno(115), ECANCELED = Errno(125)
}
