import ActorKit
import CChorus

/// A nucleus segment that holds a file's data; let go when the last user is.
public final class Segment: @unchecked Sendable {
    // Sendable: the capability never changes.
    let nucleus: Nucleus
    let cap: KnCap
    var isLent = false  // its hold was handed to another instance by a state export

    init(nucleus: Nucleus, cap: KnCap) {
        self.nucleus = nucleus
        self.cap = cap
    }

    /// Memory served by the nucleus (tmpfs, overlay upper).
    convenience init(nucleus: Nucleus, name: String, size: UInt64) throws(Errno) {
        var cap = KnCap()
        if nucleus.sgCreate(name, size, &cap) != K_OK { throw .ENOSPC }
        self.init(nucleus: nucleus, cap: cap)
    }

    /// A host file as its own cache. The descriptor stays the caller's.
    convenience init(nucleus: Nucleus, adopting descriptor: Int32, readOnly: Bool) throws(Errno) {
        var cap = KnCap()
        if nucleus.sgAdopt(descriptor, readOnly ? K_SG_READONLY : 0, &cap) != K_OK { throw .EIO }
        self.init(nucleus: nucleus, cap: cap)
    }

    deinit {
        if isLent { return }
        var cap = self.cap
        _ = nucleus.sgRelease(&cap)
    }

    func stat() throws(Errno) -> KnSgStat {
        var cap = self.cap
        var out = KnSgStat()
        if nucleus.sgStat(&cap, &out) != K_OK { throw .EIO }
        return out
    }

    func truncate(_ size: UInt64) throws(Errno) {
        var cap = self.cap
        switch nucleus.sgTrunc(&cap, size) {
        case K_OK: return
        case K_ENOMEM: throw .ENOSPC
        case K_EPRIV: throw .EROFS
        default: throw .EIO
        }
    }

    /// Bytes read; short at the end.
    func read(_ offset: UInt64, _ buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        var from = KnObjDesc(dataObject: cap, startOffset: offset, size: UInt64(buffer.count))
        var size = UInt32(truncatingIfNeeded: min(buffer.count, Int(UInt32.max)))
        if nucleus.sgRead(&from, buffer.baseAddress, &size) < 0 { throw .EIO }
        return Int(min(UInt64(size), UInt64(buffer.count)))
    }

    func write(_ offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
        var to = KnObjDesc(dataObject: cap, startOffset: offset, size: UInt64(bytes.count))
        let result = nucleus.sgWrite(&to, bytes.baseAddress, UInt32(truncatingIfNeeded: bytes.count))
        if result < 0 { throw result == K_ENOMEM ? .ENOSPC : .EIO }
    }

    func punch(_ offset: UInt64, _ size: UInt64) throws(Errno) {
        var range = KnObjDesc(dataObject: cap, startOffset: offset, size: size)
        if nucleus.sgPunch(&range) < 0 { throw .EOPNOTSUPP }
    }

    func flush() {
        var cap = self.cap
        _ = nucleus.sgFlush(&cap)
    }

    /// Copies `size` bytes in pieces that fit a lane message.
    func copy(from source: Segment, size: UInt64) throws(Errno) {
        let piece = 256 * 1024
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: piece, alignment: 4096)
        defer { buffer.deallocate() }
        var offset: UInt64 = 0
        while offset < size {
            let want = Int(min(UInt64(piece), size - offset))
            let got = try source.read(offset, UnsafeMutableRawBufferPointer(rebasing: buffer[0..<want]))
            if got == 0 { break }
            try write(offset, UnsafeRawBufferPointer(rebasing: buffer[0..<got]))
            offset += UInt64(got)
        }
        try truncate(size)
    }
}
