import CChorus

/// One region of a server's actor: memory of the nucleus' own process, or of the host process that the server lives in.
struct ServerRegion {
    var start: VmAddr
    var end: VmAddr
    var options: UInt32
    var opaque: UInt32
    var segment: Segment?
    /// Of `start` in the segment.
    var offset: VmOffset = 0
    var isPrivate = true

    static var pageSize: UInt64 { 4096 }
    static var kept: UInt32 { K_READABLE | K_WRITABLE | K_EXECUTABLE | K_RESERVED | K_NODEMAND | K_MAYWRITE }

    var size: VmSize { end - start }
    /// Bytes that the actor is charged.
    var charge: UInt64 { isPrivate && options & (K_WRITABLE | K_RESERVED) == K_WRITABLE ? size : 0 }

    func clipped(_ from: VmAddr, _ to: VmAddr) -> ServerRegion {
        var part = self
        part.start = max(start, from)
        part.end = min(end, to)
        if segment != nil { part.offset = offset + (part.start - start) }
        return part
    }

    var stat: KnRgnStat {
        KnRgnStat(
            rgn: KnRgnDesc(startAddr: start, size: size, options: options, opaque: opaque, endAddr: end),
            object: KnObjDesc(
                dataObject: KnCap(ui: segment?.cap.ui ?? KnUniqueId(), key: KnKey()), startOffset: offset, size: size),
            isPrivate: isPrivate ? 1 : 0, pad: 0)
    }
}

/// Regions of one actor, ascending and apart. Segments are retained while they are in it.
struct ServerRegions {
    private(set) var all: [ServerRegion] = []

    func parts(_ start: VmAddr, _ end: VmAddr) -> [ServerRegion] {
        all.filter { $0.start < end && start < $0.end }.map { $0.clipped(start, end) }
    }

    func isMapped(_ start: VmAddr, _ end: VmAddr) -> Bool {
        parts(start, end).reduce(start) { $1.start == $0 ? $1.end : $0 } == end
    }

    /// Where nothing is.
    mutating func insert(_ region: ServerRegion) {
        region.segment?.retainMapping()
        all.insert(region, at: all.firstIndex { $0.start > region.start } ?? all.endIndex)
    }

    /// Takes a range out; the parts that were there.
    mutating func remove(_ start: VmAddr, _ end: VmAddr) -> [ServerRegion] {
        let gone = all.filter { $0.start < end && start < $0.end }
        all.removeAll { $0.start < end && start < $0.end }
        for region in gone {
            if region.start < start { insert(region.clipped(region.start, start)) }
            if region.end > end { insert(region.clipped(end, region.end)) }
        }
        for region in gone { region.segment?.releaseMapping() }
        return gone.map { $0.clipped(start, end) }
    }
}
