import CChorus

/// Sixteen pages of a local cache, a bit each.
struct CacheWindow {
    var present: UInt16 = 0
    /// The mapper lets them be written.
    var writable: UInt16 = 0
    /// Not yet pushed out.
    var dirty: UInt16 = 0
    /// Used since eviction last came by.
    var recent = false
    /// Guests that are being given a mapping: a flush waits for them.
    var pins = 0
    /// The last decision of the mapper that it holds rights from.
    var order: UInt64 = 0
    /// A request to the mapper is under way for it.
    var fill: CacheTurn?
    /// It is being flushed: nothing of it may be given out.
    var flush: CacheTurn?

    static var pageSize: UInt64 { 4096 }
    static var pages: UInt64 { 16 }
    static var bytes: UInt64 { pageSize * pages }

    /// The bits of `pages` in window `number`.
    static func mask(_ pages: Range<UInt64>, _ number: UInt64) -> UInt16 {
        let first = number &* Self.pages
        let low = max(pages.lowerBound, first), high = min(pages.upperBound, first + Self.pages)
        guard low < high else { return 0 }
        return UInt16(truncatingIfNeeded: (UInt32(1) << UInt32(high - first)) &- (UInt32(1) << UInt32(low - first)))
    }

    static func numbers(_ pages: Range<UInt64>) -> Range<UInt64> {
        pages.isEmpty ? 0..<0 : pages.lowerBound / Self.pages..<(pages.upperBound - 1) / Self.pages + 1
    }

    /// The pages from the first to the last bit of `mask` in window `number`.
    static func hull(_ mask: UInt16, _ number: UInt64) -> Range<UInt64> {
        let first = number &* pages
        return first + UInt64(mask.trailingZeroBitCount)..<first + pages - UInt64(mask.leadingZeroBitCount)
    }

    /// The unbroken run of bits of `mask` around `bit`.
    static func run(_ mask: UInt16, around bit: Int) -> UInt16 {
        var low = bit, high = bit
        while low > 0, mask & (1 << UInt16(low - 1)) != 0 { low -= 1 }
        while high < 15, mask & (1 << UInt16(high + 1)) != 0 { high += 1 }
        return UInt16(truncatingIfNeeded: (UInt32(1) << UInt32(high + 1)) &- (UInt32(1) << UInt32(low)))
    }

    /// Pages of the byte range, whole ones that it touches.
    static func pages(_ offset: UInt64, _ size: UInt64) -> Range<UInt64> {
        offset / pageSize..<(offset + size + pageSize - 1) / pageSize
    }
}

/// Something that goes on with windows of a cache, and who waits for its end. Behind the cache's lock.
final class CacheTurn: @unchecked Sendable {
    // Sendable: behind the cache's lock.
    var waiters: [Thread] = []
    /// The highest order of a flush that came while a request was under way: an older answer does not count.
    var overtaken: UInt64 = 0

    /// The turn is over: those who wait look again, or fail with `code`.
    func end(_ code: Int32 = K_OK) {
        for thread in waiters { thread.complete(code) }
        waiters = []
    }
}
