import CChorus

extension ProcessManager {
    /// A K_ code of the nucleus as the errno a program sees. `memory`: the call moved guest memory.
    @inline(__always)
    func check(_ code: Int32, memory: Bool = false) throws(Errno) {
        if code < 0 { throw Self.errno(ofCode: code, memory: memory) }
    }

    static func errno(ofCode code: Int32, memory: Bool = false) -> Errno {
        switch code {
        case K_EFAULT: .EFAULT
        case K_ENOMEM: .ENOMEM
        case K_EINVAL: .EINVAL
        case K_EEXIST: .EEXIST
        case K_EPRIV: .EPERM
        case K_ENOSYS: .ENOSYS
        case K_EABORT: .EINTR
        case K_EDEADACTOR, K_EUNKNOWN: memory ? .EFAULT : .ESRCH
        case K_EFULL: .EAGAIN
        default: memory ? .EFAULT : .EIO
        }
    }
}
