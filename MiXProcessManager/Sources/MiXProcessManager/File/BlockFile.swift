import CChorus
import CMiXFile
import Glibc
import Synchronization

/// A block device through the site's cache of it, which its drivers' home fills and writes back (knMapper.h): read, written and mapped
/// like a file that neither grows nor shrinks. Opened with O_DIRECT it is a `RemoteObject`, and every request goes to the driver.
final class BlockFile: RemoteObject, @unchecked Sendable {
    // Sendable: see RemoteObject; the rest never changes.
    private let data: SegmentData
    private let size: Int64
    /// Holds the cache while the device is open.
    private let cache: Int32

    /// nil: there is no cache to be had.
    init?(cached manager: ProcessManager, server: KnUniqueId, reply: MixObjReply, flags: UInt32) {
        var segment = KnCap(reply)
        var cache: Int32 = 0
        guard !segment.isNull, manager.nucleus.lcOpen(&segment, 0, &cache) >= 0 else { return nil }
        data = SegmentData(segment: segment, lock: manager.files.appendLock(reply.key.object))
        size = Int64(clamping: reply.size)
        self.cache = cache
        super.init(manager, server: server, reply: reply, flags: flags)
    }

    override func closed() {
        super.closed()  // the home writes back before the last one has closed it
        manager.nucleus.lcClose(cache)
    }

    override func read(_ call: Call, _ ranges: UserRanges, at place: Int64?) throws(Errno) -> Outcome {
        .done(Int64(try data.read(call, ranges, at: place, or: offset)))
    }

    override func write(_ call: Call, _ ranges: UserRanges, at place: Int64?) throws(Errno) -> Outcome {
        let moved: Int
        if let place {
            moved = try write(call, ranges, from: place)
        } else {
            moved = try offset.withLock { (now) throws(Errno) -> Int in
                let moved = try write(call, ranges, from: now)
                now += Int64(moved)
                return moved
            }
        }
        try written(call)
        return .done(Int64(moved))
    }

    private func write(_ call: Call, _ ranges: UserRanges, from start: Int64) throws(Errno) -> Int {
        try data.write(call, ranges, to: start, room: room(start, ranges.total))
    }

    /// How many of `wanted` bytes there is room for; ENOSPC at the end.
    private func room(_ start: Int64, _ wanted: Int) throws(Errno) -> Int {
        if wanted == 0 { return 0 }
        guard start < size else { throw .ENOSPC }
        return Int(min(Int64(wanted), size - start))
    }

    /// O_SYNC and O_DSYNC (open(2)).
    private func written(_ call: Call) throws(Errno) {
        guard flags & FileFlags.sync != 0 else { return }
        _ = try manager.objectCall(server, request(OBJ_SYNC, call.process.mixCred()))
    }

    override func peek(_ buffer: UnsafeMutableRawBufferPointer, at place: Int64?, _ cred: MixCred) throws(Errno) -> Int
    {
        try data.read(manager, buffer, from: place ?? position)
    }

    override func push(
        _ bytes: UnsafeRawBufferPointer, at place: Int64?, _ call: Call, _ cred: MixCred
    ) throws(Errno) -> Int {
        let start = place ?? position
        let count = try room(start, bytes.count)
        try data.write(manager, UnsafeRawBufferPointer(rebasing: bytes[..<count]), to: start)
        if place == nil { try skip(count) }
        try written(call)
        return count
    }

    override func segment(protection: UInt32, _ cred: MixCred) throws(Errno) -> KnCap { data.segment }
}
