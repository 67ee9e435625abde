import CChorus
import Synchronization

/// sgRead and sgWrite of a mapper's segment, and the pages that guests map.
extension LocalCache {
    /// What is moved at once: the lock is held over it.
    private static var most: UInt64 { 256 << 10 }

    /// Bytes moved, short at the end of the segment, or a `K_*` code if none were.
    func read(_ offset: UInt64, _ to: UnsafeMutableRawBufferPointer) -> Int {
        move(offset, to.count) { (at, done, count) throws(KnError) in
            try learnSize()
            let size = state.withLock { $0.size }
            guard at < size else { return 0 }
            let count = min(count, size - at)
            let part = SendablePart(bytes: UnsafeMutableRawBufferPointer(rebasing: to[done..<done + Int(count)]))
            return try demand(CacheWindow.pages(at, count), write: false) { _ in
                host.cacheRead(segment.cache, at, part.bytes)
            }
        }
    }

    /// Bytes moved, or a `K_*` code if none were. Grows the segment.
    func write(_ offset: UInt64, _ from: UnsafeRawBufferPointer) -> Int {
        move(offset, from.count) { (at, done, count) throws(KnError) in
            let part = SendablePart(
                bytes: UnsafeMutableRawBufferPointer(
                    mutating: UnsafeRawBufferPointer(rebasing: from[done..<done + Int(count)])))
            let pages = CacheWindow.pages(at, count)
            return try demand(pages, write: true) { state in
                let moved = host.cacheWrite(segment.cache, at, UnsafeRawBufferPointer(part.bytes))
                guard moved > 0 else { return moved }
                state.size = max(state.size, at + UInt64(moved))
                touch(&state)
                for number in CacheWindow.numbers(pages) {
                    state.windows[number]?.dirty |= CacheWindow.mask(pages, number)
                }
                return moved
            }
        }
    }

    /// The caller's buffer, for the time of the call.
    private struct SendablePart: @unchecked Sendable {
        // Sendable: used on the calling thread alone.
        let bytes: UnsafeMutableRawBufferPointer
    }

    private func move(
        _ offset: UInt64, _ size: Int,
        _ part: (_ at: UInt64, _ done: Int, _ count: UInt64) throws(KnError) -> Int
    ) -> Int {
        var done = 0
        while done < size {
            let at = offset + UInt64(done)
            // Whole windows, after the first one.
            let count = min(UInt64(size - done), Self.most - at % CacheWindow.bytes)
            do throws(KnError) {
                let moved = try part(at, done, count)
                guard moved > 0 else { return done > 0 ? done : moved }
                done += moved
                if UInt64(moved) < count { break }
            } catch { return done > 0 ? done : Int(error.rawValue) }
        }
        return done
    }

    func touch(_ state: inout State) {
        state.modified = host.realtime()
        state.writes &+= 1
    }

    /// Pages around `page` that may be mapped into a guest, for writing too if `write` says so; they count as dirty
    /// from now on. `unpin` when the mapping is made: so long a flush waits. K_EFAULT behind the segment's end.
    public func pin(_ page: UInt64, write: Bool) throws(KnError) -> (pages: Range<UInt64>, writable: Bool) {
        try learnSize()
        guard page < state.withLock({ ($0.size + CacheWindow.pageSize - 1) / CacheWindow.pageSize }) else {
            throw .fault
        }
        return try demand(page..<page + 1, write: write) { state in
            let number = page / CacheWindow.pages, bit = Int(page % CacheWindow.pages)
            guard var window = state.windows[number] else { return (page..<page, false) }
            // What is dirty already is mapped for writing, what is not only once it is written.
            let isWritten = write || window.dirty & (1 << UInt16(bit)) != 0
            let alike = isWritten ? (write ? window.writable : window.dirty) : window.present & ~window.dirty
            let run = CacheWindow.run(window.present & alike, around: bit)
            if write, window.dirty | run != window.dirty {
                window.dirty |= run
                touch(&state)
            }
            window.pins += 1
            state.windows[number] = window
            return (CacheWindow.hull(run, number), isWritten)
        }
    }

    public func unpin(_ page: UInt64) {
        state.withLock { state in
            let number = page / CacheWindow.pages
            state.windows[number]?.pins -= 1
            if state.windows[number]?.pins == 0 { state.windows[number]?.flush?.end() }
            drop(&state, number)
        }
    }
}
