import CChorus
import CMiXFile

/// Sizes and durability: truncate, fallocate, sync.
enum SizeCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (
            76, "truncate",
            { (call) throws(Errno) in
                guard call.long(1) >= 0 else { throw .EINVAL }
                let path = try call.path(0)
                var named = try PathCall(call, FILE_TRUNC, at: PathCall.currentDirectory, path)
                named.request.size = call[1]
                _ = try named.send(path)
                return .zero
            }
        ),
        (
            77, "ftruncate",
            { (call) throws(Errno) in
                guard call.long(1) >= 0 else { throw .EINVAL }
                let description = try call.openDescription(0)
                guard description.isWritable else { throw .EINVAL }
                if call[1] > call.process.limits[.fileSize].soft {
                    call.raise(Signal.xfsz)
                    throw .EFBIG
                }
                try description.truncate(call[1], call.process.mixCred())
                return .zero
            }
        ),
        (
            285, "fallocate",
            { (call) throws(Errno) in
                let description = try call.openDescription(0)
                guard call.long(2) >= 0, call.long(3) > 0 else { throw .EINVAL }
                guard description.isWritable else { throw .EBADF }
                guard call.long(2) <= Int64.max - call.long(3) else { throw .EFBIG }
                if call.uint(1) & 1 == 0, call[2] + call[3] > call.process.limits[.fileSize].soft {
                    call.raise(Signal.xfsz)
                    throw .EFBIG
                }
                if let memory = description as? MemoryFile {
                    guard call.uint(1) & ~1 == 0 else { throw .EOPNOTSUPP }
                    let end = call[2] + call[3]
                    let cred = call.process.mixCred()
                    if call.uint(1) == 0, try memory.stat(cred).size < end { try memory.truncate(end, cred) }
                    return .zero
                }
                guard let remote = description.remote else { throw description is PipeEnd ? .ESPIPE : .ENODEV }
                guard remote.mode & FileMode.typeMask == FileMode.regular else { throw .ENODEV }
                var request = remote.request(OBJ_ALLOCATE, call.process.mixCred())
                request.offset = call[2]
                request.size = call[3]
                request.flags = call.uint(1)
                _ = try call.manager.objectCall(remote.server, request)
                return .zero
            }
        ),
        (
            221, "fadvise64",
            { (call) throws(Errno) in
                let description = try call.openDescription(0)
                if description is PipeEnd { throw .ESPIPE }
                if call.uint(3) > 5 { throw .EINVAL }
                return .zero
            }
        ),
        (
            187, "readahead",
            { (call) throws(Errno) in
                guard try call.readable(0).mode & FileMode.typeMask == FileMode.regular else { throw .EINVAL }
                return .zero
            }
        ),
        (74, "fsync", { (call) throws(Errno) in try sync(call, dataOnly: 0) }),
        (75, "fdatasync", { (call) throws(Errno) in try sync(call, dataOnly: 1) }),
        // It has no errors to tell (sync(2)): those are fsync's.
        (
            162, "sync",
            { (call) throws(Errno) in
                _ = call.nucleus.sgSyncAll()
                return .zero
            }
        ),
        (
            306, "syncfs",
            { (call) throws(Errno) in
                _ = try call.openDescription(0)
                return .zero
            }
        ),
        (
            277, "sync_file_range",
            { (call) throws(Errno) in
                guard call.uint(3) & ~7 == 0, call.long(1) >= 0, call.long(2) >= 0 else { throw .EINVAL }
                return try sync(call, dataOnly: 1)
            }
        ),
    ]

    private static func sync(_ call: Call, dataOnly: UInt32) throws(Errno) -> Outcome {
        try sync(call, call.openDescription(0), dataOnly: dataOnly)
        return .zero
    }

    static func sync(_ call: Call, _ description: OpenDescription, dataOnly: UInt32) throws(Errno) {
        if description is MemoryFile { return }
        guard let remote = description.remote, !remote.isPollable else { throw .EINVAL }
        var request = remote.request(OBJ_SYNC, call.process.mixCred())
        request.flags = dataOnly
        _ = try call.manager.objectCall(remote.server, request)
    }
}
