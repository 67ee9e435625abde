import CChorus
import CMachine
import NucleusCore
import Synchronization

/// An address space of guests: its regions, ascending and apart. Shared by actors after rgnDup(K_RGNDUP_SHARE).
final class GuestSpace: @unchecked Sendable {
    // Sendable: the list is locked; segments are retained by `insert` and released by `remove`.
    private let list: Mutex<[Region]>
    /// The site's: charged for what the regions may hold.
    let account: MemoryAccount
    /// Regions that are being made ones that others may share: what they allow is refused for a moment. And how many
    /// were since the beginning.
    let changing = Atomic<Int>(0)
    let changed = Atomic<UInt64>(0)
    /// Its rewritten call sites, and how many actors it belongs to.
    let rewriting = RewriteTable()
    let sharers = Atomic<Int>(0)
    /// It has, or had, regions of mappers' segments.
    private let paged = Atomic<Bool>(false)
    var isPaged: Bool { paged.load(ordering: .acquiring) }

    init(_ regions: [Region] = [], _ account: MemoryAccount) {
        self.account = account
        account.move(from: 0, to: regions.reduce(0) { $0 + $1.charge })
        paged.store(regions.contains { $0.segment?.local != nil }, ordering: .relaxed)
        for region in regions { region.segment?.retainMapping() }
        list = Mutex(regions)
    }

    deinit {
        let regions = list.withLock { $0 }
        for region in regions { region.segment?.releaseMapping() }
        account.release(regions.reduce(0) { $0 + $1.charge })
    }

    var all: [Region] { list.withLock { $0 } }
    var count: Int { list.withLock { $0.count } }

    /// Bytes that the regions in a range are charged for.
    func charge(_ start: VmAddr, _ end: VmAddr) -> UInt64 { parts(start, end).reduce(0) { $0 + $1.charge } }

    /// Runs `body`, which puts regions that are charged `charge` bytes into a range, if the site's memory suffices.
    func granting(_ start: VmAddr, _ end: VmAddr, _ charge: UInt64, _ body: () -> Int32) -> Int32 {
        let now = self.charge(start, end)
        let growth = charge > now ? charge - now : 0
        // Twice for a moment, once what is put in is charged; never too little.
        guard account.reserve(growth) else { return K_ENOMEM }
        defer { account.release(growth) }
        return body()
    }

    /// Puts a region in, replacing what is there.
    func insert(_ region: Region) {
        region.segment?.retainMapping()
        if region.segment?.local != nil { paged.store(true, ordering: .sequentiallyConsistent) }
        let gone = list.withLock { list -> [Region] in
            let gone = Self.cut(&list, region.start, region.end)
            let at = Self.firstIndex(list, endingAbove: region.start)
            account.move(from: Self.charge(gone, region.start, region.end), to: region.charge)
            list.insert(region, at: at)
            Self.merge(&list, at)
            return gone
        }
        for old in gone { old.segment?.releaseMapping() }
    }

    /// Takes a range out; the parts that were mapped.
    @discardableResult func remove(_ start: VmAddr, _ end: VmAddr) -> Bool {
        let gone = list.withLock { list in
            let gone = Self.cut(&list, start, end)
            account.release(Self.charge(gone, start, end))
            return gone
        }
        for old in gone { old.segment?.releaseMapping() }
        return !gone.isEmpty
    }

    /// The parts of regions inside a range.
    func parts(_ start: VmAddr, _ end: VmAddr) -> [Region] {
        list.withLock { list in
            var parts: [Region] = []
            var i = Self.firstIndex(list, endingAbove: start)
            while i < list.count, list[i].start < end {
                parts.append(list[i].clipped(start, end))
                i += 1
            }
            return parts
        }
    }

    func region(_ address: VmAddr) -> Region? {
        list.withLock { list in
            let at = Self.firstIndex(list, endingAbove: address)
            return at < list.count && list[at].start <= address ? list[at] : nil
        }
    }

    /// True if every page of the range is in some region.
    func isMapped(_ start: VmAddr, _ end: VmAddr) -> Bool {
        var at = start
        for part in parts(start, end) {
            guard part.start == at else { return false }
            at = part.end
        }
        return at == end
    }

    /// A free range of `size` inside low..<high, highest first.
    func gap(_ size: VmSize, _ low: VmAddr, _ high: VmAddr) -> VmAddr? {
        list.withLock { list in
            var top = high
            for region in list.reversed() where region.start < high {
                if region.end <= low { break }
                if region.end <= top, top - region.end >= size { return top - size }
                top = min(top, region.start)
            }
            return top >= low && top - low >= size ? top - size : nil
        }
    }

    // MARK: the sorted list

    private static func charge(_ gone: [Region], _ start: VmAddr, _ end: VmAddr) -> UInt64 {
        gone.reduce(0) { $0 + $1.clipped(start, end).charge }
    }

    private static func firstIndex(_ list: [Region], endingAbove address: VmAddr) -> Int {
        var low = 0, high = list.count
        while low < high {
            let middle = (low + high) / 2
            if list[middle].end <= address { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Removes a range, splitting regions at its ends. What is returned must be released; remaining halves retained here.
    private static func cut(_ list: inout [Region], _ start: VmAddr, _ end: VmAddr) -> [Region] {
        let first = firstIndex(list, endingAbove: start)
        var last = first
        var kept: [Region] = [], gone: [Region] = []
        while last < list.count, list[last].start < end {
            let region = list[last]
            if region.start < start { kept.append(region.clipped(region.start, start)) }
            if region.end > end { kept.append(region.clipped(end, region.end)) }
            gone.append(region)
            last += 1
        }
        guard last > first else { return [] }
        for part in kept { part.segment?.retainMapping() }
        list.replaceSubrange(first..<last, with: kept)
        return gone
    }

    /// Joins the region at `index` with its neighbours where they are one: anonymous private memory of equal kind.
    private static func merge(_ list: inout [Region], _ index: Int) {
        func joins(_ a: Region, _ b: Region) -> Bool {
            a.end == b.start && a.options == b.options && a.opaque == b.opaque && a.segment == nil && b.segment == nil
                && a.isPrivate && b.isPrivate
        }
        if index + 1 < list.count, joins(list[index], list[index + 1]) {
            list[index].end = list[index + 1].end
            list.remove(at: index + 1)
        }
        if index > 0, joins(list[index - 1], list[index]) {
            list[index - 1].end = list[index].end
            list.remove(at: index)
        }
    }
}
