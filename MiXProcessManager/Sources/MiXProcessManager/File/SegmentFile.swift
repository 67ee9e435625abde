import CChorus
import CMiXFile
import Glibc
import Synchronization

/// A regular file: its data moves between its segment and the program without a server (sgReadThread).
final class SegmentFile: RemoteObject, @unchecked Sendable {
    // Sendable: see RemoteObject.
    private let data: SegmentData

    init(_ manager: ProcessManager, server: KnUniqueId, reply: MixObjReply, flags: UInt32, segment: KnCap) {
        data = SegmentData(segment: segment, lock: manager.files.appendLock(reply.key.object))
        super.init(manager, server: server, reply: reply, flags: flags)
    }

    override func read(_ call: Call, _ ranges: UserRanges, at place: Int64?) throws(Errno) -> Outcome {
        let size = try data.read(call, ranges, at: place, or: offset)
        if size > 0 { tell(InotifyBits.access) }
        return .done(Int64(size))
    }

    override func write(_ call: Call, _ ranges: UserRanges, at place: Int64?) throws(Errno) -> Outcome {
        let size = try data.write(call, ranges, at: place, or: offset, append: flags & FileFlags.append != 0)
        if size > 0 { tell(InotifyBits.modify) }
        if mode & 0o6000 != 0, size > 0, !call.process.credentials.isPrivileged { dropPrivilegeBits(call) }
        return .done(Int64(size))
    }

    /// Who changes a program does not hand on its owner's rights (write(2)). Servers do not see the write.
    private func dropPrivilegeBits(_ call: Call) {
        var request = request(OBJ_SETATTR, call.process.mixCred())
        guard let now = try? stat(request.cred).mode else { return }
        let dropped: UInt32 = now & 0o10 != 0 ? 0o6000 : 0o4000  // setgid without x for the group means something else
        guard now & dropped != 0 else { return }
        request.cred.capabilities |= MIX_CAP_ROOT
        request.flags = MIX_ATTR_MODE
        request.arg.0 = UInt64(now & 0o7777 & ~dropped)
        let times = [UInt8](repeating: 0, count: MemoryLayout<MixTimes>.size)
        _ = try? call.manager.objectCall(server, request, body: times, room: 0)
    }

    override func peek(_ buffer: UnsafeMutableRawBufferPointer, at place: Int64?, _ cred: MixCred) throws(Errno) -> Int
    {
        try data.read(manager, buffer, from: place ?? position)
    }

    override func push(
        _ bytes: UnsafeRawBufferPointer, at place: Int64?, _ call: Call, _ cred: MixCred
    ) throws(Errno) -> Int {
        let size = try data.write(call, bytes, to: place ?? position)
        if place == nil { try skip(size) }
        if size > 0 { tell(InotifyBits.modify) }
        return size
    }

    override func seek(_ to: Int64, _ whence: Int32) throws(Errno) -> Int64 {
        try data.seek(manager, to, whence, offset)
    }

    override func segment(protection: UInt32, _ cred: MixCred) throws(Errno) -> KnCap {
        data.segment
    }

    override func ioctl(_ call: Call, _ command: UInt32, _ argument: UInt64) throws(Errno) -> Outcome {
        guard command == Ioctl.bytesReadable else { throw .ENOTTY }
        let left = Int64(clamping: try data.size(manager)) - position
        try call.writeStruct(Int32(clamping: max(0, left)), at: argument)
        return .zero
    }
}

/// The operations on a segment that holds a file's bytes, for files of servers and for memfds.
struct SegmentData: Sendable {
    let segment: KnCap
    /// Excludes other appending writes to the same file.
    let lock: Lock

    func size(_ manager: ProcessManager) throws(Errno) -> UInt64 {
        var stat = KnSgStat()
        var segment = segment
        try manager.check(manager.nucleus.sgStat(&segment, &stat))
        return stat.size
    }

    func read(_ call: Call, _ ranges: UserRanges, at place: Int64?, or offset: borrowing Mutex<Int64>) throws(Errno)
        -> Int
    {
        if let place { return try read(call, ranges, from: place) }
        return try offset.withLock { (now) throws(Errno) -> Int in
            let moved = try read(call, ranges, from: now)
            now += Int64(moved)
            return moved
        }
    }

    private func read(_ call: Call, _ ranges: UserRanges, from start: Int64) throws(Errno) -> Int {
        var object = KnObjDesc(dataObject: segment, startOffset: VmOffset(start), size: 0)
        var moved = 0
        for index in 0..<ranges.count {
            let range = ranges[index]
            if range.size == 0 { continue }
            object.size = VmSize(range.size)
            let result = call.nucleus.sgReadThread(&object, call.thread, range.address)
            if result < 0 {
                if moved > 0 { return moved }
                throw ProcessManager.errno(ofCode: result)
            }
            moved += Int(result)
            object.startOffset += VmOffset(result)
            if Int(result) < range.size { break }
        }
        return moved
    }

    func write(
        _ call: Call, _ ranges: UserRanges, at place: Int64?, or offset: borrowing Mutex<Int64>, append: Bool
    ) throws(Errno) -> Int {
        if append, ranges.total > 0 {
            // O_APPEND counts for pwrite too on Linux (pwrite(2), BUGS).
            let (moved, behind) = try lock.withLock { () throws(Errno) -> (Int, Int64) in
                let start = Int64(clamping: try size(call.manager))
                let moved = try write(call, ranges, to: start)
                return (moved, start + Int64(moved))
            }
            if place == nil { offset.withLock { $0 = behind } }
            return moved
        }
        if let place { return try write(call, ranges, to: place) }
        return try offset.withLock { (now) throws(Errno) -> Int in
            let moved = try write(call, ranges, to: now)
            now += Int64(moved)
            return moved
        }
    }

    private func write(_ call: Call, _ ranges: UserRanges, to start: Int64) throws(Errno) -> Int {
        try write(call, ranges, to: start, room: FileSizeLimit.room(call, at: start, wanted: ranges.total))
    }

    /// Not more than `room` bytes.
    func write(_ call: Call, _ ranges: UserRanges, to start: Int64, room: Int) throws(Errno) -> Int {
        var object = KnObjDesc(dataObject: segment, startOffset: VmOffset(start), size: 0)
        var moved = 0
        for index in 0..<ranges.count where moved < room {
            let range = ranges[index]
            if range.size == 0 { continue }
            object.size = VmSize(min(range.size, room - moved))
            let result = call.nucleus.sgWriteThread(&object, call.thread, range.address)
            if result < 0 {
                if moved > 0 { return moved }
                if result == K_ENOMEM { throw .ENOSPC }
                throw result == K_EPRIV ? .EBADF : ProcessManager.errno(ofCode: result)
            }
            moved += Int(result)
            object.startOffset += VmOffset(result)
            if Int(result) < range.size { break }
        }
        return moved
    }

    /// Into memory of ours.
    func read(_ manager: ProcessManager, _ buffer: UnsafeMutableRawBufferPointer, from start: Int64) throws(Errno)
        -> Int
    {
        var object = KnObjDesc(dataObject: segment, startOffset: VmOffset(start), size: VmSize(buffer.count))
        var size = UInt32(buffer.count)
        try manager.check(manager.nucleus.sgRead(&object, buffer.baseAddress, &size))
        return min(Int(size), buffer.count)
    }

    /// From memory of ours.
    func write(_ call: Call, _ bytes: UnsafeRawBufferPointer, to start: Int64) throws(Errno) -> Int {
        let room = try FileSizeLimit.room(call, at: start, wanted: bytes.count)
        try write(call.manager, UnsafeRawBufferPointer(rebasing: bytes[..<room]), to: start)
        return room
    }

    func write(_ manager: ProcessManager, _ bytes: UnsafeRawBufferPointer, to start: Int64) throws(Errno) {
        var object = KnObjDesc(dataObject: segment, startOffset: VmOffset(start), size: VmSize(bytes.count))
        let code = manager.nucleus.sgWrite(&object, bytes.baseAddress, UInt32(bytes.count))
        if code == K_ENOMEM { throw .ENOSPC }
        try manager.check(code)
    }

    func seek(_ manager: ProcessManager, _ to: Int64, _ whence: Int32, _ offset: borrowing Mutex<Int64>) throws(Errno)
        -> Int64
    {
        switch whence {
        case 3, 4:  // SEEK_DATA, SEEK_HOLE
            let size = try size(manager)
            guard to >= 0, UInt64(to) < size else { throw .ENXIO }
            var found: VmOffset = 0
            var segment = segment
            let code = manager.nucleus.sgSeek(&segment, VmOffset(to), whence - 3, &found)
            if code < 0 { throw .ENXIO }
            return offset.withLock {
                $0 = Int64(clamping: min(found, size))
                return $0
            }
        default:
            let size = whence == SEEK_END ? Int64(clamping: try size(manager)) : 0
            return try offset.withLock { (now) throws(Errno) -> Int64 in
                now = try RemoteObject.moved(now, to, whence, size)
                return now
            }
        }
    }
}

/// RLIMIT_FSIZE (setrlimit(2)) and the largest offset.
enum FileSizeLimit {
    /// How many of `wanted` bytes may be written at `start`; EFBIG, with SIGXFSZ for the process' own limit.
    static func room(_ call: Call, at start: Int64, wanted: Int) throws(Errno) -> Int {
        let limit = call.process.limits[.fileSize].soft
        if limit < UInt64(Int64.max) && wanted > 0 {
            guard UInt64(start) < limit else {
                call.manager.post(.from(call.process, 25, code: SignalInfo.kernel), to: call.task)
                throw .EFBIG
            }
            return min(wanted, Int(limit - UInt64(start)))
        }
        guard start <= Int64.max - Int64(wanted) else { throw .EFBIG }
        return wanted
    }
}
