/// Between a pipe and a program's memory.
extension Pipe {
    /// Largest piece that is copied at once.
    private static let piece = 65536

    /// Takes what is there. `enlist` runs under the lock when the caller must wait.
    func read<Copy: UserCopy>(_ copy: Copy, _ ranges: UserRanges, enlist: () -> Void) throws(Errno) -> Moved {
        if ranges.total == 0 { return .bytes(0) }
        let room = min(ranges.total, Self.piece)
        var total = 0
        repeat {
            let size = min(ranges.total - total, room)
            let moved = try withUnsafeTemporaryAllocation(byteCount: size, alignment: 16) {
                (buffer) throws(Errno) -> Moved in
                guard let base = buffer.baseAddress else { return .bytes(0) }
                let moved = take(into: base, size: size) { if total == 0 { enlist() } }
                if case .bytes(let count) = moved {
                    try copy.scatter(UnsafeRawBufferPointer(start: base, count: count), to: ranges, from: total)
                }
                return moved
            }
            guard case .bytes(let count) = moved else { return total > 0 ? .bytes(total) : moved }
            total += count
            if count < size { break }
        } while total < ranges.total
        return .bytes(total)
    }

    /// Puts in as much as fits, from byte `done` of the ranges on; `.bytes` when all of it is in.
    func write<Copy: UserCopy>(
        _ copy: Copy, _ ranges: UserRanges, from done: inout Int, enlist: () -> Void
    ) throws(Errno) -> Moved {
        while done < ranges.total {
            // Asked first so that a full pipe costs no copy; asked again with the data, for others may have filled it.
            let admitted = admits(whole: ranges.total, orElse: enlist)
            guard case .bytes(let room) = admitted else { return admitted }
            let size = min(ranges.total - done, room, Self.piece)
            let start = done
            let moved = try withUnsafeTemporaryAllocation(byteCount: size, alignment: 16) {
                (buffer) throws(Errno) -> Moved in
                guard let base = buffer.baseAddress else { return .bytes(0) }
                do throws(Errno) {
                    try copy.gather(
                        ranges, from: start, into: UnsafeMutableRawBufferPointer(start: base, count: size))
                } catch {
                    if start > 0 { return .bytes(0) }
                    throw error
                }
                return put(base, size: size, whole: ranges.total, orElse: enlist)
            }
            guard case .bytes(let count) = moved else { return moved }
            if count == 0 { break }  // the rest of the memory is not there: a short write
            done += count
        }
        return .bytes(done)
    }
}
