import CChorus
import CMiXFile
import Glibc

/// A directory that is open: its position is the server's cookie.
final class Directory: RemoteObject, @unchecked Sendable {
    // Sendable: see RemoteObject.
    override func seek(_ to: Int64, _ whence: Int32) throws(Errno) -> Int64 {
        guard whence == SEEK_SET || whence == SEEK_CUR else { throw .EINVAL }
        return try offset.withLock { (now) throws(Errno) -> Int64 in
            now = try Self.moved(now, to, whence, 0)
            return now
        }
    }

    override func write(_ call: Call, _ ranges: UserRanges, at place: Int64?) throws(Errno) -> Outcome { throw .EBADF }
    override func truncate(_ size: UInt64, _ cred: MixCred) throws(Errno) { throw .EINVAL }

    /// getdents64 records that fit `room`, and the cookie behind them, which the caller stores when it has them out.
    func entries(_ cred: MixCred, into room: UnsafeMutableRawBufferPointer) throws(Errno) -> (size: Int, next: Int64) {
        var request = request(OBJ_READDIR, cred)
        request.offset = UInt64(bitPattern: position)
        request.size = UInt64(room.count)
        let (reply, size) = try manager.objectCall(server, request, reply: room)
        tell(InotifyBits.access)
        return (size, Int64(bitPattern: reply.value.0))
    }
}

enum DirectoryCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (78, "getdents", { (call) throws(Errno) in try list(call, old: true) }),
        (217, "getdents64", { (call) throws(Errno) in try list(call, old: false) }),
    ]

    private static func list(_ call: Call, old: Bool) throws(Errno) -> Outcome {
        let description = try call.openDescription(0)
        guard let directory = description as? Directory else { throw .ENOTDIR }
        let room = min(Int(call.uint(2)), 1 << 17)
        if room < 24 { throw .EINVAL }
        return try withUnsafeTemporaryAllocation(byteCount: room, alignment: 16) { (buffer) throws(Errno) -> Outcome in
            // A record of getdents is one byte longer before padding at most, so what fits getdents64 may have to shrink.
            let (size, next) = try directory.entries(
                call.process.mixCred(), into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<room]))
            if old { oldFormat(buffer, size) }
            try call.copyOut(UnsafeRawBufferPointer(rebasing: buffer[..<size]), to: call[1])
            if size > 0 { directory.offset.withLock { $0 = next } }
            return .done(Int64(size))
        }
    }

    /// linux_dirent64 {ino, off, reclen, type, name} into linux_dirent {ino, off, reclen, name, …, type in the last byte}:
    /// records keep their length, for a name with its NUL leaves the last byte to the type in the longer form.
    static func oldFormat(_ buffer: UnsafeMutableRawBufferPointer, _ size: Int) {
        var at = 0
        while at + 19 <= size {
            let length = Int(buffer.loadUnaligned(fromByteOffset: at + 16, as: UInt16.self))
            guard length >= 20, at + length <= size else { return }
            let type = buffer[at + 18]
            for index in at + 18..<at + length - 1 { buffer[index] = buffer[index + 1] }
            buffer[at + length - 1] = type
            at += length
        }
    }
}
