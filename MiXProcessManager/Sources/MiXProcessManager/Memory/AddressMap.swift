/// One mapped range of an address space, as /proc/PID/maps shows it.
struct MappedArea {
    var start: UInt64
    var end: UInt64
    var protection: UInt32
    var isShared = false
    /// The file mapped there, kept open by the mapping.
    var file: AnyObject?
    var offset: UInt64 = 0
    var label: Label = .none
    var traits = AreaTraits()
    enum Label { case none, heap, stack, reserved }
}

/// What programs have said about an area.
struct AreaTraits: Equatable {
    /// mbind(2).
    var policy: MemoryPolicy?
    /// mlock(2).
    var isLocked = false
    /// mseal(2).
    var isSealed = false
    /// madvise(2): what fork(2) does with it.
    var fork = ForkAdvice.copy
    /// MAP_GROWSDOWN: a fault right below makes it longer.
    var growsDown = false
    enum ForkAdvice { case copy, leave, wipe }
}

/// The areas of an address space in ascending order, without overlaps: who chooses addresses must know them.
struct AddressMap {
    private(set) var areas: [MappedArea] = []

    /// Index of the first area that ends above `address`.
    func index(above address: UInt64) -> Int {
        var low = 0
        var high = areas.count
        while low < high {
            let middle = (low + high) / 2
            if areas[middle].end > address { high = middle } else { low = middle + 1 }
        }
        return low
    }
    func area(at address: UInt64) -> MappedArea? {
        let index = index(above: address)
        return index < areas.count && areas[index].start <= address ? areas[index] : nil
    }
    func isFree(_ start: UInt64, _ end: UInt64) -> Bool {
        let index = index(above: start)
        return index >= areas.count || areas[index].start >= end
    }
    /// The areas that meet a range, cut to it.
    func areas(in start: UInt64, _ end: UInt64) -> [MappedArea] {
        var found: [MappedArea] = []
        var index = index(above: start)
        while index < areas.count, areas[index].start < end {
            found.append(Self.cut(areas[index], start, end))
            index += 1
        }
        return found
    }
    /// True when no byte of the range is unmapped.
    func covers(_ start: UInt64, _ end: UInt64) -> Bool { coveredEnd(start, end) >= end }
    /// Where the first hole at or behind `start` begins; `end` if there is none before it.
    func coveredEnd(_ start: UInt64, _ end: UInt64) -> UInt64 {
        var next = start
        for area in areas(in: start, end) {
            if area.start > next { break }
            next = area.end
        }
        return min(next, end)
    }
    mutating func remove(_ start: UInt64, _ end: UInt64) {
        let first = index(above: start)
        var last = first
        var kept: [MappedArea] = []
        while last < areas.count, areas[last].start < end {
            let area = areas[last]
            if area.start < start { kept.append(Self.cut(area, area.start, start)) }
            if area.end > end { kept.append(Self.cut(area, end, area.end)) }
            last += 1
        }
        areas.replaceSubrange(first..<last, with: kept)
    }
    /// Replaces whatever is in the way and joins neighbours that continue each other.
    mutating func insert(_ area: MappedArea) {
        remove(area.start, area.end)
        var index = index(above: area.start)
        var merged = area
        if index > 0, Self.continues(areas[index - 1], merged) {
            merged.start = areas[index - 1].start
            merged.offset = areas[index - 1].offset
            index -= 1
            areas.remove(at: index)
        }
        if index < areas.count, Self.continues(merged, areas[index]) {
            merged.end = areas[index].end
            areas.remove(at: index)
        }
        areas.insert(merged, at: index)
    }
    /// Highest free range of `size` bytes inside `low..<high`.
    func gap(_ size: UInt64, low: UInt64, high: UInt64) -> UInt64? {
        guard size > 0, size <= high, high >= low else { return nil }
        var top = high
        var index = index(above: high)
        if index < areas.count, areas[index].start < high { top = areas[index].start }
        while true {
            let bottom = index > 0 ? max(areas[index - 1].end, low) : low
            if top >= bottom, top - bottom >= size { return top - size }
            guard index > 0, areas[index - 1].start > low else { return nil }
            index -= 1
            top = min(top, areas[index].start)
        }
    }
    var total: UInt64 { areas.reduce(0) { $0 + ($1.end - $1.start) } }
    /// What RLIMIT_DATA counts: private writable memory but the stack.
    var data: UInt64 {
        areas.reduce(0) {
            $1.isShared || $1.protection & 2 == 0 || $1.label == .stack ? $0 : $0 + ($1.end - $1.start)
        }
    }
    var locked: UInt64 { areas.reduce(0) { $1.traits.isLocked ? $0 + ($1.end - $1.start) : $0 } }
    func hasSealed(_ start: UInt64, _ end: UInt64) -> Bool { areas(in: start, end).contains(where: \.traits.isSealed) }
    /// Changes what is said about a range; areas are cut at its ends.
    mutating func mark(_ start: UInt64, _ end: UInt64, _ body: (inout AreaTraits) -> Void) {
        for var area in areas(in: start, end) {
            body(&area.traits)
            insert(area)
        }
    }
    var hasShared: Bool { areas.contains(where: \.isShared) }

    private static func cut(_ area: MappedArea, _ start: UInt64, _ end: UInt64) -> MappedArea {
        var piece = area
        piece.start = max(area.start, start)
        piece.end = min(area.end, end)
        if area.file != nil { piece.offset += piece.start - area.start }
        return piece
    }
    private static func continues(_ low: MappedArea, _ high: MappedArea) -> Bool {
        low.end == high.start && low.protection == high.protection && low.isShared == high.isShared
            && low.file === high.file && low.label == high.label && low.traits == high.traits
            && (low.file == nil || low.offset + (low.end - low.start) == high.offset)
    }
}
