/// A Linux error number as a typed error (errno(3), x86-64 numbers).
struct Errno: Error, Equatable {
    let number: Int32
    init(_ number: Int32) { self.number = number }
    /// As `diag` carries it.
    var diag: Int64 { -Int64(number) }
}

extension Errno {
    static let EPERM = Errno(1), ENOENT = Errno(2), EBADF = Errno(9), EAGAIN = Errno(11), ENOMEM = Errno(12)
    static let EACCES = Errno(13), EFAULT = Errno(14), ENODEV = Errno(19), EINVAL = Errno(22), ENFILE = Errno(23)
    static let ENOTTY = Errno(25), ESPIPE = Errno(29), EPIPE = Errno(32), EDOM = Errno(33), ENOSYS = Errno(38)
    static let EDESTADDRREQ = Errno(89), EMSGSIZE = Errno(90), EPROTOTYPE = Errno(91), ENOPROTOOPT = Errno(92)
    static let EPROTONOSUPPORT = Errno(93), ESOCKTNOSUPPORT = Errno(94), EOPNOTSUPP = Errno(95)
    static let EAFNOSUPPORT = Errno(97), EADDRINUSE = Errno(98), EADDRNOTAVAIL = Errno(99), ENETUNREACH = Errno(101)
    static let ECONNABORTED = Errno(103), ECONNRESET = Errno(104), ENOBUFS = Errno(105), EISCONN = Errno(106)
    static let ENOTCONN = Errno(107), ESHUTDOWN = Errno(108), ETOOMANYREFS = Errno(109), ETIMEDOUT = Errno(110)
    static let ECONNREFUSED = Errno(111), EHOSTUNREACH = Errno(113), EALREADY = Errno(114), EINPROGRESS = Errno(115)
}
