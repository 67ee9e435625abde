import Glibc

/// dup, close and the parts of fcntl that concern descriptors.
enum DescriptorCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (
            3, "close",
            { (call) throws(Errno) in
                try call.process.files.close(Int(call.int(0)))
                return .zero
            }
        ),
        (
            32, "dup",
            { (call) throws(Errno) in
                let description = try call.openDescription(0, allowPath: true)
                description.hold()
                return .done(value: try call.install(description, closeOnExec: false))
            }
        ),
        (
            33, "dup2",
            { (call) throws(Errno) in
                let description = try call.openDescription(0, allowPath: true)
                if call.int(0) == call.int(1) { return .done(value: call.int(1)) }
                return try place(call, description, closeOnExec: false)
            }
        ),
        (
            292, "dup3",
            { (call) throws(Errno) in
                if call.uint(2) & ~FileFlags.closeOnExec != 0 || call.int(0) == call.int(1) { throw .EINVAL }
                let description = try call.openDescription(0, allowPath: true)
                return try place(call, description, closeOnExec: call.uint(2) != 0)
            }
        ),
        (436, "close_range", closeRange),
        (72, "fcntl", fcntl),
    ]

    private static func place(
        _ call: Call, _ description: OpenDescription, closeOnExec: Bool
    ) throws(Errno) -> Outcome {
        description.hold()
        do {
            try call.process.files.replace(
                Int(call.int(1)), with: description, closeOnExec: closeOnExec, limit: call.descriptorLimit)
        } catch {
            description.drop()
            throw error
        }
        return .done(value: call.int(1))
    }

    @Sendable private static func closeRange(_ call: Call) throws(Errno) -> Outcome {
        let (unshare, mark): (UInt32, UInt32) = (2, 4)
        let flags = call.uint(2)
        if flags & ~(unshare | mark) != 0 || call.uint(0) > call.uint(1) { throw .EINVAL }
        if flags & unshare != 0 { call.ownDescriptors() }
        call.process.files.closeRange(Int(call.uint(0)), Int(call.uint(1)), mark: flags & mark != 0)
        return .zero
    }

    @Sendable private static func fcntl(_ call: Call) throws(Errno) -> Outcome {
        let files = call.process.files
        let fd = Int(call.int(0))
        let description = try files.description(fd)
        let command = call.int(1)
        switch command {
        case 0, 1030:  // F_DUPFD, F_DUPFD_CLOEXEC
            guard call[2] < call.descriptorLimit, call[2] < UInt64(DescriptorTable.ceiling) else { throw .EINVAL }
            description.hold()
            do {
                return .done(
                    value: try files.insert(
                        description, closeOnExec: command == 1030, from: Int(call[2]), limit: call.descriptorLimit))
            } catch {
                description.drop()
                throw error
            }
        case F_GETFD: return .done(try files.closeOnExec(fd) ? 1 : 0)
        case F_SETFD:
            try files.setCloseOnExec(fd, call[2] & 1 != 0)
            return .zero
        case F_GETFL: return .done(value: description.flags)
        default: break
        }
        if description.isPathOnly { throw .EBADF }
        switch command {
        case F_SETFL:
            description.setFlags(call.uint(2))
            return .zero
        case F_GETLK, F_SETLK, F_SETLKW, 36, 37, 38: return try FileLock.fcntl(call, description, command)
        case F_SETOWN, F_SETSIG_, F_SETOWN_EX_: return .zero  // SIGIO is not sent
        case F_GETOWN, F_GETSIG_: return .zero
        case 1031, 1032: return try PipeCalls.fcntl(call, description, command)
        case 1033, 1034:  // F_ADD_SEALS, F_GET_SEALS
            guard let file = description as? MemoryFile else { throw .EINVAL }
            if command == 1034 { return .done(value: file.seals) }
            guard file.isWritable else { throw .EPERM }
            try file.addSeals(call.uint(2))
            return .zero
        case 1026:  // F_NOTIFY: as without CONFIG_DNOTIFY, but that there is nothing to end is no error
            guard description is Directory else { throw .ENOTDIR }
            guard call[2] & ~(1 << 31) == 0 else { throw .EINVAL }
            return .zero
        case 1024: return try lease(call, description)
        case 1025: return .done(value: 2)  // F_UNLCK
        default: throw .EINVAL
        }
    }

    /// F_SETLEASE: nobody gets one, as if somebody else always had the file open (fcntl(2), "Leases").
    private static func lease(_ call: Call, _ description: OpenDescription) throws(Errno) -> Outcome {
        guard 0...2 ~= call.int(2) else { throw .EINVAL }
        let credentials = call.process.credentials
        let stat = try description.stat(call.process.mixCred())
        guard stat.uid == credentials.fsuid || credentials.has(Credentials.capLease) else { throw .EACCES }
        guard stat.mode & FileMode.typeMask == FileMode.regular else { throw .EINVAL }
        throw .EAGAIN
    }

    private static let F_SETSIG_: Int32 = 10
    private static let F_GETSIG_: Int32 = 11
    private static let F_SETOWN_EX_: Int32 = 15
}
