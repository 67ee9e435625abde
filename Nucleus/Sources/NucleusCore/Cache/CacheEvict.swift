import CChorus
import Synchronization

/// What the site's caches may hold of mappers' segments. Clean pages go when others need the room, those first that nobody
/// has asked for lately; dirty ones are written back meanwhile and go the next time.
extension CacheTable {
    /// 256 MiB.
    static var usualPages: Int { 65_536 }
}

extension Site {
    /// `limit`: of the site's memory (0: none). A quarter of it may be caches of mappers' segments.
    public func limitMemory(_ limit: UInt64) {
        memory.limit.store(limit, ordering: .relaxed)
        let pages = Int(min(limit / 4 / CacheWindow.pageSize, UInt64(CacheTable.usualPages)))
        caches.mostPages.store(limit == 0 ? CacheTable.usualPages : max(pages, 256), ordering: .relaxed)
    }

    /// Before `count` more pages come in. K_ENOMEM if there are twice as many as may be, and none that could go.
    func makeRoom(for count: Int) throws(KnError) {
        let most = caches.mostPages.load(ordering: .relaxed)
        var over = caches.pages.load(ordering: .relaxed) + count - most
        guard over > 0 else { return }
        // Some more, so that not every request has to look for room.
        over += most / 16
        // What was used lately is spared at first.
        for _ in 0..<2 where over > 0 { over -= evict(over) }
        guard over > 0 else { return }
        if !caches.evicting.exchange(true, ordering: .relaxed) { caches.closers.submit(WritingBack(self), kernel) }
        if caches.pages.load(ordering: .relaxed) + count > 2 * most { throw .noMemory }
    }

    /// Lets clean pages go; how many.
    fileprivate func evict(_ wanted: Int) -> Int {
        var gone = 0
        for segment in caches.useAll() {
            if gone < wanted, let local = segment.local { gone += local.evict(wanted - gone) }
            closeCache(segment)
        }
        return gone
    }
}

/// There was nothing clean to evict.
private final class WritingBack: WorkItem {
    private let site: Site
    init(_ site: Site) { self.site = site }

    func run(_ thread: Thread) {
        // Whose mapper does not take it keeps it; its clients are told when they flush.
        site.flushCaches()
        site.caches.evicting.store(false, ordering: .relaxed)
    }
}

extension LocalCache {
    /// Changes a window that is there, and counts what comes and goes.
    func change(_ state: inout State, _ number: UInt64, _ body: (inout CacheWindow) -> Void) {
        guard var window = state.windows[number] else { return }
        let before = window.present.nonzeroBitCount
        body(&window)
        state.windows[number] = window
        site.caches.pages.wrappingAdd(window.present.nonzeroBitCount - before, ordering: .relaxed)
    }

    /// Lets windows go that are clean and in nobody's hands; how many pages.
    fileprivate func evict(_ wanted: Int) -> Int {
        let victims = state.withLock { state -> [UInt64] in
            var (victims, pages) = ([UInt64](), 0)
            for number in state.windows.keys.sorted() where pages < wanted {
                guard let window = state.windows[number], window.present != 0, window.dirty == 0, window.pins == 0,
                    window.fill == nil, window.flush == nil
                else { continue }
                if window.recent {
                    state.windows[number]?.recent = false
                } else {
                    victims.append(number)
                    pages += window.present.nonzeroBitCount
                }
            }
            return victims
        }
        let before = state.withLock { here($0) }
        var next = 0
        while next < victims.count {
            var end = next + 1
            while end < victims.count, victims[end] == victims[end - 1] + 1 { end += 1 }
            let pages = victims[next] * CacheWindow.pages..<(victims[end - 1] + 1) * CacheWindow.pages
            // What has become dirty meanwhile is pushed out first; where that fails it stays.
            _ = flush(pages, keep: 0, order: 0)
            next = end
        }
        return max(0, before - state.withLock { here($0) })
    }

    private func here(_ state: State) -> Int {
        state.windows.values.reduce(0) { $0 + $1.present.nonzeroBitCount }
    }
}
