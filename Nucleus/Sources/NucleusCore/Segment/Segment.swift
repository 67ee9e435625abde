import CChorus
import Synchronization

/// A data object with one local cache here. It lives as long as its creator holds it or a region maps it.
public final class Segment: @unchecked Sendable {
    // Sendable: constants, and state behind its lock.
    public unowned(unsafe) let site: Site
    /// Its own: a segment may outlive its site by a moment.
    let host: any HostServices
    public let cap: KnCap
    public let name: String
    /// Host descriptor of the local cache. Memory or a host file.
    public let cache: Int32
    /// Never written through; guests get a read-only descriptor.
    public let readOnly: Bool
    /// A host file, not memory of ours.
    let adopted: Bool
    /// Its whole size is charged from the beginning, whatever is written.
    let committed: Bool
    let account: MemoryAccount
    /// Of a segment of an external mapper: what is here of it.
    public let local: LocalCache?
    private var ownsCache = true
    let state: Mutex<State>

    struct State {
        var size: UInt64
        var modified: (seconds: Int64, nanoseconds: Int64) = (0, 0)
        var writes: UInt64 = 0
        var held = true
        var mappings = 0
        var charged: UInt64 = 0
    }

    init(
        _ site: Site, _ account: MemoryAccount, cap: KnCap, name: String, cache: Int32, readOnly: Bool, adopted: Bool,
        size: UInt64, committed: Bool = false
    ) {
        self.account = account
        self.committed = committed
        self.site = site
        host = site.host
        self.cap = cap
        self.name = name
        self.cache = cache
        self.readOnly = readOnly
        self.adopted = adopted
        local = nil
        state = Mutex(State(size: size))
    }

    /// Of an external mapper.
    init(_ site: Site, _ account: MemoryAccount, cap: KnCap, cache: Int32, local: LocalCache) {
        self.account = account
        committed = false
        self.site = site
        host = site.host
        self.cap = cap
        name = ""
        self.cache = cache
        readOnly = false
        adopted = false
        self.local = local
        state = Mutex(State(size: 0))
        local.segment = self
    }

    deinit {
        account.move(from: state.withLock { $0.charged }, to: 0)
        guard ownsCache else { return }
        host.cacheClose(cache)
        if committed { account.shared.wrappingSubtract(1, ordering: .relaxed) }
    }

    /// Before anyone has the segment: another one takes the cache over.
    func keepCache() { ownsCache = false }

    public var size: UInt64 {
        if let local { return local.state.withLock { $0.size } }
        return state.withLock { $0.size }
    }

    /// A region maps the segment: it outlives its creator's hold.
    public func retainMapping() {
        if let local { return local.retainRegion() }
        state.withLock { $0.mappings += 1 }
    }

    public func releaseMapping() {
        if let local { return local.releaseRegion() }
        let gone = state.withLock {
            $0.mappings -= 1
            return $0.mappings <= 0 && !$0.held
        }
        if gone { site.segments.remove(cap.ui.raw) }
    }
}
