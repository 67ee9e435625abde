import CChorus
import Synchronization

/// The cache's own memory, lent to who copies between it and a guest's: one copy, and no lock held over it.
extension LocalCache {
    /// What is lent at once, so that a small cache is not held as a whole.
    private static var most: UInt64 { 256 << 10 }

    /// Runs `body` with memory that holds the segment's bytes from `offset` on, as many of `size` as there are, and may be
    /// written if `write` says so; a flush waits so long. The memory may end before its time (a mapper cuts the segment): only the
    /// host copies from or to it. What `body` moved; 0 at the end of the segment or where the host maps none.
    public func lending(
        _ offset: UInt64, _ size: Int, write: Bool, _ body: (UnsafeMutableRawBufferPointer) -> Int
    ) throws(KnError) -> Int {
        try learnSize()
        guard let memory = lentMemory(), offset < memory.size else { return 0 }
        let count = min(UInt64(size), memory.size - offset, Self.most - offset % CacheWindow.bytes)
        let pages = CacheWindow.pages(offset, count)
        try demand(pages, write: write) { state in
            for number in CacheWindow.numbers(pages) {
                state.windows[number]?.pins += 1
                if write { state.windows[number]?.dirty |= CacheWindow.mask(pages, number) }
            }
            if write { touch(&state) }
        }
        defer { unpin(windows: CacheWindow.numbers(pages)) }
        return body(UnsafeMutableRawBufferPointer(start: memory.start + Int(offset), count: Int(count)))
    }

    private func unpin(windows: Range<UInt64>) {
        state.withLock { state in
            for number in windows {
                state.windows[number]?.pins -= 1
                if state.windows[number]?.pins == 0 { state.windows[number]?.flush?.end() }
                drop(&state, number)
            }
        }
    }

    /// The mapping of the cache's file, made when first asked for, and the bytes of it that the segment has.
    private func lentMemory() -> (start: UnsafeMutableRawPointer, size: UInt64)? {
        state.withLock { state -> LentMemory? in
            if state.lent == nil, state.size > 0 {
                let size = (state.size + CacheWindow.pageSize - 1) & ~(CacheWindow.pageSize - 1)
                let place = host.memoryMap(0, size, K_READABLE | K_WRITABLE, segment.cache, 0, shared: true)
                state.lent = LentMemory(place: place > 0 ? UInt64(place) : 0, size: size)
            }
            guard let lent = state.lent, lent.place != 0 else { return nil }
            return LentMemory(place: lent.place, size: min(lent.size, state.size))
        }.flatMap { lent in
            UnsafeMutableRawPointer(bitPattern: UInt(lent.place)).map { (start: $0, size: lent.size) }
        }
    }

    struct LentMemory {
        /// 0: the host gave none.
        var place: UInt64
        var size: UInt64
    }
}
