import CChorus
import Synchronization

/// The local caches of a site: one for each segment of an external mapper that is in use here.
final class CacheTable: Sendable {
    struct Name: Hashable {
        let ui: UInt64
        let key: UInt64
        init(_ cap: KnCap) { (ui, key) = (cap.ui.raw, cap.key.raw) }
    }

    private struct State {
        var segments: [Name: Segment] = [:]
        /// By the key of the lccap.
        var caches: [UInt64: Segment] = [:]
        var mappers: [UInt64: (mapper: Mapper, caches: Int)] = [:]
    }
    private let state = Mutex(State())
    /// Pages that are here, of all caches, and how many of them there may be (CacheEvict.swift).
    let pages = Atomic<Int>(0)
    let mostPages = Atomic<Int>(CacheTable.usualPages)
    let evicting = Atomic<Bool>(false)
    /// Threads that write back caches which nobody uses any more.
    let closers = Workers(name: "kn-cache", limit: 4)

    /// The segment's cache with one more user; made by `make` if there is none.
    func use(_ cap: KnCap, _ make: (Mapper) throws(KnError) -> Segment) throws(KnError) -> Segment {
        try state.withLock { state throws(KnError) in
            if let segment = state.segments[Name(cap)] {
                segment.local?.state.withLock { $0.users += 1 }
                return segment
            }
            let shared = state.mappers[cap.ui.raw] ?? (Mapper(cap.ui), 0)
            let segment = try make(shared.mapper)
            state.mappers[cap.ui.raw] = (shared.mapper, shared.caches + 1)
            state.segments[Name(cap)] = segment
            if let local = segment.local { state.caches[local.lccap.key.raw] = segment }
            segment.local?.state.withLock { $0.users = 1 }
            return segment
        }
    }

    /// The cache that `lccap` names, with one more user.
    func use(lckey: KnKey, of ui: KnUniqueId? = nil) -> Segment? {
        state.withLock { state in
            guard let segment = state.caches[lckey.raw], let local = segment.local else { return nil }
            if let ui, !(ui == local.lccap.ui) { return nil }
            local.state.withLock { $0.users += 1 }
            return segment
        }
    }

    /// All caches, each with one more user.
    func useAll() -> [Segment] {
        state.withLock { state in
            for segment in state.segments.values { segment.local?.state.withLock { $0.users += 1 } }
            return Array(state.segments.values)
        }
    }

    /// Takes the cache out if nobody uses it; false if somebody does (again).
    func forget(_ segment: Segment, _ local: LocalCache) -> Bool {
        state.withLock { state in
            guard local.state.withLock({ $0.users == 0 && $0.regions == 0 }),
                state.segments[Name(local.segcap)] === segment
            else { return false }
            local.state.withLock { state in
                let here = state.windows.values.reduce(0) { $0 + $1.present.nonzeroBitCount }
                pages.wrappingSubtract(here, ordering: .relaxed)
                state.windows = [:]
            }
            state.segments[Name(local.segcap)] = nil
            state.caches[local.lccap.key.raw] = nil
            return true
        }
    }

    /// The cache has said its last word to its mapper.
    func leave(_ mapper: Mapper) {
        let last = state.withLock { state -> Bool in
            guard let (shared, caches) = state.mappers[mapper.ui.raw], shared === mapper else { return false }
            state.mappers[mapper.ui.raw] = caches > 1 ? (mapper, caches - 1) : nil
            return caches <= 1
        }
        if last { mapper.workers.stop() }
    }

    /// The site ends: no thread of ours is to wait any more.
    func stop() {
        let mappers = state.withLock { state in
            state.segments = [:]
            state.caches = [:]
            defer { state.mappers = [:] }
            return state.mappers.values.map { $0.mapper }
        }
        for mapper in mappers { mapper.workers.stop() }
        closers.stop()
    }
}
