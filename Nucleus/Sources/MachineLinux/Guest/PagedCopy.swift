import CChorus
import NucleusCore

/// Between a segment and a guest's memory where one of them may have to be brought in by a mapper: by way of a buffer,
/// since nobody may wait for a mapper in a dialogue with a stub.
extension LinuxGuests {
    private static var most: Int { 64 << 10 }

    func pagedRead(_ segment: Segment, _ object: KnObjDesc, _ thread: Thread, _ to: VmAddr, _ wanted: Int) -> Int32 {
        pieces(wanted) { done, buffer in
            let count = segment.read(object.startOffset &+ UInt64(done), buffer)
            guard count > 0 else { return count }
            let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            let code = copyOut(thread, bytes, to &+ UInt64(done), deferred: false)
            return code < 0 ? Int(code) : count
        }
    }

    func pagedWrite(_ segment: Segment, _ object: KnObjDesc, _ thread: Thread, _ from: VmAddr, _ wanted: Int) -> Int32 {
        pieces(wanted) { done, buffer in
            let code = copyIn(thread, from &+ UInt64(done), buffer)
            guard code >= 0 else { return Int(code) }
            return segment.write(object.startOffset &+ UInt64(done), UnsafeRawBufferPointer(buffer))
        }
    }

    /// The sum of what `move` moves, or its first code if that is nothing.
    private func pieces(_ wanted: Int, _ move: (Int, UnsafeMutableRawBufferPointer) -> Int) -> Int32 {
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: min(max(wanted, 1), Self.most), alignment: 16)
        defer { room.deallocate() }
        var done = 0
        while done < wanted {
            let part = min(wanted - done, room.count)
            let moved = move(done, UnsafeMutableRawBufferPointer(rebasing: room[..<part]))
            guard moved > 0 else { return done > 0 ? Int32(done) : Int32(moved) }
            done += moved
            if moved < part { break }
        }
        return Int32(done)
    }
}
