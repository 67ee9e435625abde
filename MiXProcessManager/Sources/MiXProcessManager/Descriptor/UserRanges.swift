/// A stretch of the calling program's memory.
struct UserRange: Equatable {
    var address: UInt64
    var size: Int
}

/// Where a call's data goes to or comes from: one range for read(2), several for readv(2); one costs no allocation.
struct UserRanges {
    /// Longest transfer of one call (MAX_RW_COUNT).
    static let limit = 0x7fff_f000

    /// Behind the last byte any program can have (TASK_SIZE_MAX of Linux), whatever it has there.
    static let userEnd: UInt64 = 0x7fff_ffff_f000

    /// access_ok of Linux: asked with the length as given, before it is cut to `limit`.
    static func check(_ address: UInt64, _ size: UInt64) throws(Errno) {
        guard size <= userEnd, address <= userEnd - size else { throw .EFAULT }
    }

    private let first: UserRange
    private let rest: [UserRange]
    let total: Int

    init(_ address: UInt64, _ size: UInt64) {
        total = Int(min(size, UInt64(Self.limit)))
        first = UserRange(address: address, size: total)
        rest = []
    }

    init(_ ranges: [UserRange]) {
        var total = 0
        var kept: [UserRange] = []
        for var range in ranges where range.size > 0 {
            range.size = min(range.size, Self.limit - total)
            total += range.size
            kept.append(range)
        }
        self.total = total
        first = kept.first ?? UserRange(address: 0, size: 0)
        rest = Array(kept.dropFirst())
    }

    var count: Int { 1 + rest.count }
    subscript(index: Int) -> UserRange { index == 0 ? first : rest[index - 1] }

    /// Calls `body` with each range that lies in the `size` bytes behind the first `skip`, and how far in it begins.
    func forEach<E: Error>(
        from skip: Int = 0, size: Int = .max, _ body: (UserRange, Int) throws(E) -> Void
    ) throws(E) {
        var position = 0
        let end = size == .max ? total : min(total, skip + size)
        for index in 0..<count {
            var range = self[index]
            let after = position + range.size
            defer { position = after }
            guard after > skip, position < end else { continue }
            let cut = max(0, skip - position)
            range.address &+= UInt64(cut)
            range.size = min(after, end) - position - cut
            try body(range, position + cut - skip)
        }
    }
}

/// How data gets in and out of a program's memory; tests put an array in its place.
protocol UserCopy {
    func copyIn(_ address: UInt64, _ buffer: UnsafeMutableRawBufferPointer) throws(Errno)
    func copyOut(_ buffer: UnsafeRawBufferPointer, to address: UInt64) throws(Errno)
}

extension Call: UserCopy {}

extension UserCopy {
    /// Spreads `buffer` over the ranges, from byte `skip` of them on.
    func scatter(_ buffer: UnsafeRawBufferPointer, to ranges: UserRanges, from skip: Int = 0) throws(Errno) {
        try ranges.forEach(from: skip, size: buffer.count) { (range, at) throws(Errno) in
            try copyOut(UnsafeRawBufferPointer(rebasing: buffer[at..<at + range.size]), to: range.address)
        }
    }

    /// Fills `buffer` from the ranges, from byte `skip` of them on.
    func gather(_ ranges: UserRanges, from skip: Int = 0, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) {
        try ranges.forEach(from: skip, size: buffer.count) { (range, at) throws(Errno) in
            try copyIn(range.address, UnsafeMutableRawBufferPointer(rebasing: buffer[at..<at + range.size]))
        }
    }
}

extension Call {
    /// The buffer that two arguments name.
    func range(_ address: Int, _ size: Int) throws(Errno) -> UserRanges {
        try UserRanges.check(self[address], self[size])
        return UserRanges(self[address], self[size])
    }

    /// The `iovec` array at `address` (readv(2)): EINVAL beyond IOV_MAX or for negative lengths.
    func ranges(at address: UInt64, count: UInt64) throws(Errno) -> UserRanges {
        guard count <= 1024 else { throw .EINVAL }
        if count == 0 { return UserRanges([]) }
        let bytes = try copyIn(address, count: Int(count) * 16)
        var ranges: [UserRange] = []
        ranges.reserveCapacity(Int(count))
        var negative = false
        bytes.withUnsafeBytes { raw in
            for index in 0..<Int(count) {
                let size = raw.loadUnaligned(fromByteOffset: index * 16 + 8, as: Int64.self)
                if size < 0 { negative = true }
                ranges.append(
                    UserRange(
                        address: raw.loadUnaligned(fromByteOffset: index * 16, as: UInt64.self), size: Int(max(size, 0))
                    ))
            }
        }
        if negative { throw .EINVAL }
        for range in ranges { try UserRanges.check(range.address, UInt64(range.size)) }
        return UserRanges(ranges)
    }
}
