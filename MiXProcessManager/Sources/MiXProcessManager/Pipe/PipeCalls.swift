/// pipe, pipe2 and the pipe commands of fcntl.
enum PipeCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (22, "pipe", { (call) throws(Errno) in try make(call, 0) }),
        (293, "pipe2", { (call) throws(Errno) in try make(call, call.uint(1)) }),
    ]

    private static func make(_ call: Call, _ flags: UInt32) throws(Errno) -> Outcome {
        if flags & ~(FileFlags.closeOnExec | FileFlags.nonBlocking | FileFlags.direct) != 0 { throw .EINVAL }
        let pipe = Pipe(
            inode: call.manager.files.nextNumber() & 0x7fff_ffff, owner: call.process.mixCred())
        let status = flags & ~FileFlags.closeOnExec
        let close = flags & FileFlags.closeOnExec != 0
        let input = PipeEnd(call.manager, pipe, flags: status | FileFlags.readOnly)
        let output = PipeEnd(call.manager, pipe, flags: status | FileFlags.writeOnly)
        return try call.installPair(input, output, closeOnExec: close, at: call[0])
    }

    static func fcntl(_ call: Call, _ description: OpenDescription, _ command: Int32) throws(Errno) -> Outcome {
        guard let end = description as? PipeEnd else { throw .EBADF }
        if command == 1032 { return .done(value: end.pipe.capacity) }  // F_GETPIPE_SZ
        guard call.int(2) > 0 else { throw .EINVAL }
        guard call.int(2) <= Pipe.maximalCapacity else { throw .EPERM }
        guard let size = end.pipe.resize(to: Int(call.int(2))) else { throw .EBUSY }
        return .done(value: size)
    }
}

extension Call {
    /// Stores a value now, so that a bad address fails the call before it takes effect.
    func writeNow<T: BitwiseCopyable>(_ value: T, at address: UInt64) throws(Errno) {
        let result = withUnsafeBytes(of: value) { bytes in
            Result { () throws(Errno) in try copyOutNow(bytes, to: address) }
        }
        try result.get()
    }
}
