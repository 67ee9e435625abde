import CChorus
import Synchronization

/// What this site holds of a segment of an external mapper: pages in the segment's cache file, with rights granted by
/// the mapper. Pulled in on demand in windows, pushed out when flushed or when nobody uses the segment any more.
///
/// Two things may go on with a window at a time: one request to the mapper (`fill`) and one flush. A flush never waits
/// for a request, since the mapper may have to flush before it can answer; and nothing here waits for ever.
public final class LocalCache: @unchecked Sendable {
    // Sendable: constants, and state behind its lock; `segment` is set before anyone has it and holds the cache.
    unowned(unsafe) let site: Site
    let host: any HostServices
    /// The segment's name: the mapper's port or group, and the mapper's key.
    let segcap: KnCap
    /// The cache's own name, which the mapper gets.
    let lccap: KnCap
    let mapper: Mapper
    unowned(unsafe) var segment: Segment!
    let state = Mutex(State())

    struct State {
        var windows: [UInt64: CacheWindow] = [:]
        var size: UInt64 = 0
        /// What the mapper knows of the size: behind it there is nothing to pull in.
        var backed: UInt64 = 0
        /// The mapper has told the size, and is to be asked no more.
        var sized = false
        var sizing: CacheTurn?
        var inCluster: UInt64 = CacheWindow.bytes
        var outCluster: UInt64 = CacheWindow.bytes
        var wantsRelease = false
        /// Calls that are inside and lcOpen holds; regions.
        var users = 0
        var opened = 0
        var regions = 0
        var modified: (seconds: Int64, nanoseconds: Int64) = (0, 0)
        var writes: UInt64 = 0
        var counts = Counts()
        var lent: LentMemory?
    }
    struct Counts {
        var pullIns: UInt64 = 0, pushOuts: UInt64 = 0, accesses: UInt64 = 0, failures: UInt64 = 0
    }

    init(_ site: Site, _ segcap: KnCap, _ lccap: KnCap, _ mapper: Mapper) {
        self.site = site
        host = site.host
        self.segcap = segcap
        self.lccap = lccap
        self.mapper = mapper
    }

    deinit {
        let lent = state.withLock { $0.lent }
        if let lent, lent.place != 0 { host.memoryUnmap(lent.place, lent.size, stays: false) }
    }

    /// Appends the calling thread to those who wait for the turn; with the lock held. Then `wait`.
    func join(_ turn: CacheTurn) -> Thread {
        let thread = Thread.current(site, in: site.kernel)
        thread.arm(abortable: false)
        turn.waiters.append(thread)
        return thread
    }

    /// Until the turn that `thread` joined is over; a code below 0 if that failed or takes too long.
    func wait(_ thread: Thread, _ turn: CacheTurn) throws(KnError) {
        let patience = UInt64(site.mapperPatience.load(ordering: .relaxed)) * 2_000_000
        let code = thread.sleep(site.kernel, "cache", abortable: false, deadline: host.now() &+ patience)
        guard code < 0 else { return }
        state.withLock { _ in turn.waiters.removeAll { $0 === thread } }
        throw KnError(rawValue: code)
    }

    /// Makes sure that the size is known: the first question to a mapper, which may refuse the segment here.
    func learnSize() throws(KnError) {
        while true {
            let turn = CacheTurn()
            let wait = state.withLock { state -> (Thread, CacheTurn)?? in
                if state.sized { return .some(nil) }
                if let going = state.sizing { return (join(going), going) }
                state.sizing = turn
                return nil
            }
            if let wait {
                guard let (thread, going) = wait else { return }
                try self.wait(thread, going)
                continue
            }
            let request = MapperRequest(
                site, mapper,
                KnMpStat(
                    service: KN_MPSTAT, size: UInt32(MemoryLayout<KnMpStat>.size), segkey: segcap.key, lccap: lccap))
            do throws(KnError) {
                let said = try request.ask(KnMpAttributes.self)
                guard said.segmentSize <= UInt64(Int64.max) else { throw .garbage }
                try state.withLock { state throws(KnError) in try learn(&state, said) }
                return
            } catch {
                state.withLock { state in
                    state.sizing = nil
                    turn.end(error.rawValue)
                }
                throw error
            }
        }
    }

    private func learn(_ state: inout State, _ said: KnMpAttributes) throws(KnError) {
        // What was written here and not pushed out reaches behind what the mapper knows.
        let dirtyEnd = state.windows.reduce(UInt64(0)) { end, entry in
            entry.value.dirty == 0
                ? end : max(end, CacheWindow.hull(entry.value.dirty, entry.key).upperBound * CacheWindow.pageSize)
        }
        let size = max(said.segmentSize, min(state.size, dirtyEnd))
        let code = host.cacheTruncate(segment.cache, size)
        guard code >= 0 else { throw KnError(rawValue: code) }
        state.size = size
        state.backed = said.segmentSize
        state.inCluster = cluster(said.inClusterSize, state.inCluster)
        state.outCluster = cluster(said.outClusterSize, state.outCluster)
        if said.options & K_MP_RELEASE != 0 { state.wantsRelease = true }
        state.sized = true
        state.sizing?.end()
        state.sizing = nil
    }

    /// A cluster size as it can be used: whole windows, at most a body.
    func cluster(_ wish: UInt64, _ now: UInt64) -> UInt64 {
        if wish == 0 { return now }
        return max(CacheWindow.bytes, min(wish, UInt64(K_CMSGSIZEMAX)) / CacheWindow.bytes * CacheWindow.bytes)
    }

    /// The mapper's port or group.
    public var mapperName: KnUniqueId { segcap.ui }

    /// Bytes of a range that are here, and those of them that are not pushed out.
    public func residence(_ offset: UInt64, _ size: UInt64) -> (resident: UInt64, dirty: UInt64) {
        let end = offset.addingReportingOverflow(size)
        guard !end.overflow, end.partialValue <= UInt64(Int64.max) else { return (0, 0) }
        let pages = CacheWindow.pages(offset, size)
        return state.withLock { state in
            var (resident, dirty) = (UInt64(0), UInt64(0))
            for (number, window) in state.windows {
                let mask = CacheWindow.mask(pages, number)
                resident += UInt64((window.present & mask).nonzeroBitCount) * CacheWindow.pageSize
                dirty += UInt64((window.dirty & mask).nonzeroBitCount) * CacheWindow.pageSize
            }
            return (resident, dirty)
        }
    }

    func stat() -> KnLcStat {
        state.withLock { state in
            var stat = KnLcStat()
            stat.size = state.size
            for window in state.windows.values {
                stat.present += UInt64(window.present.nonzeroBitCount) * CacheWindow.pageSize
                stat.writable += UInt64(window.writable.nonzeroBitCount) * CacheWindow.pageSize
                stat.dirty += UInt64(window.dirty.nonzeroBitCount) * CacheWindow.pageSize
            }
            (stat.pullIns, stat.pushOuts) = (state.counts.pullIns, state.counts.pushOuts)
            (stat.accesses, stat.failures) = (state.counts.accesses, state.counts.failures)
            (stat.opened, stat.mapped) = (UInt32(state.opened), UInt32(state.regions))
            return stat
        }
    }
}
