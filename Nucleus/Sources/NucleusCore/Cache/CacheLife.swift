import CChorus
import Synchronization

/// A cache lives as long as somebody has it open, maps it, or is inside a call on it; then it is written back and goes.
extension Actor {
    /// Runs `body` with the segment that `cap` names: ours, or an external mapper's through its local cache here. Those are
    /// for the privileged: mappers are asked in the nucleus' own name.
    @inline(__always)
    func using<Result>(_ cap: KnCap, _ body: (Segment) throws(KnError) -> Result) throws(KnError) -> Result {
        if cap.ui.type == .segment { return try body(site.segment(cap)) }
        try needPrivilege()
        let segment = try site.openCache(cap)
        defer { site.closeCache(segment) }
        return try body(segment)
    }
}

extension Site {
    /// The local cache of a mapper's segment, with one more user. The mapper may refuse it.
    func openCache(_ cap: KnCap) throws(KnError) -> Segment {
        guard let type = cap.ui.type, type == .port || type.isGroup else { throw .unknown }
        let segment = try caches.use(cap) { mapper throws(KnError) in
            let cache = host.cacheCreate(name: "cache", size: 0)
            guard cache >= 0 else { throw KnError(rawValue: cache) }
            let lccap = KnCap(ui: cachePort, key: KnKey(raw: host.random64() | 1))
            let local = LocalCache(self, cap, lccap, mapper)
            return Segment(self, kernel.account, cap: cap, cache: cache, local: local)
        }
        do throws(KnError) { try segment.local?.learnSize() } catch {
            closeCache(segment)
            throw error
        }
        return segment
    }

    func closeCache(_ segment: Segment) {
        guard let local = segment.local else { return }
        let idle = local.state.withLock { state in
            state.users -= 1
            return state.users == 0 && state.regions == 0
        }
        if idle { caches.closers.submit(CacheClosing(segment, local), kernel) }
    }
}

extension LocalCache {
    func retainRegion() { state.withLock { $0.regions += 1 } }

    func releaseRegion() {
        let idle = state.withLock { state in
            state.regions -= 1
            return state.users == 0 && state.regions == 0
        }
        if idle { site.caches.closers.submit(CacheClosing(segment, self), site.kernel) }
    }
}

/// Nobody uses a cache: what is dirty goes to the mapper, then the cache itself goes, unless somebody has come.
private final class CacheClosing: WorkItem {
    private let segment: Segment
    private let local: LocalCache

    init(_ segment: Segment, _ local: LocalCache) {
        self.segment = segment
        self.local = local
    }

    func run(_ thread: Thread) {
        let site = local.site
        let code = local.flush(0..<UInt64.max / CacheWindow.bytes, keep: K_READABLE | K_WRITABLE, order: 0)
        guard site.caches.forget(segment, local) else { return }
        if code < 0 { site.report(1, "a mapper did not take what was written to its segment (\(code)): it is lost") }
        if local.state.withLock({ $0.wantsRelease }) {
            let request = MapperRequest(
                site, local.mapper,
                KnMpRelease(
                    service: KN_MPRELEASE, size: UInt32(MemoryLayout<KnMpRelease>.size), segkey: local.segcap.key,
                    lccap: local.lccap))
            _ = try? request.ask(KnMpDone.self)
        }
        site.caches.leave(local.mapper)
    }
}
