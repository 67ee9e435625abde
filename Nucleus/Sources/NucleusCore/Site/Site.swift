import CChorus
import Synchronization

/// The nucleus as an instance: one site. A process may hold several.
///
/// Lock order, outermost first; a thread may take a lock only when it holds none to the right of it:
/// `Actor.room` (ports of an actor and their queues; two rooms in order of actor UI) → `Sites.announced` → `Group.state`
/// → `Port.owner` → `Transaction.state` → `Actor.state` → `Sites.state` → the shards of a `ShardTable`.
/// `Actor.regions` → `Segment.state`. `CacheTable.state` → `LocalCache.state`; that, `Segment.state`, `Semaphore.state`, `Workers.state`,
/// `TimerQueue.state` and the shutdown state are leaves; what a `SiteLink` locks comes before `Workers.state`.
/// `MutexTable.lock` is taken when no other is held and only the shards of threads are taken under it. Thread words are
/// atomic and may be completed under any lock. No lock is held across a handler, a host wait or a call of `UnixMachine`.
public final class Site: @unchecked Sendable {
    // Sendable: `unix` and `log` are set before the site is used; everything else is locked or constant.
    public let host: any HostServices
    public let number: UInt32
    public let name: String
    /// The machine layer for UNIX actors; set before the first actor uses it.
    public var unix: (any UnixMachine)?
    /// Level as in `sysLog`; from any thread.
    public var log: (@Sendable (Int32, String) -> Void)?

    let actors = ShardTable<Actor>()
    public let threads: ThreadTable
    let ports = ShardTable<Port>()
    /// Ports by the names of those they succeeded.
    let successors = ShardTable<Port>()
    let groups = ShardTable<Group>()
    let segments = ShardTable<Segment>()
    let events = ShardTable<Event>()
    let semaphores = ShardTable<Semaphore>()
    let interrupts = ShardTable<InterruptLine>()
    let traps = ShardTable<Trap>()
    /// By the actor whose exceptions they are for.
    let exceptions = ShardTable<ExceptionHandler>()
    let drains = Drains()
    /// Calls traps' specific handlers; set before the first actor uses it. nil: there are only general ones.
    public var trapBinder: (any TrapBinder)?
    let caches = CacheTable()
    /// What all actors hold together: segments, and what processes were promised.
    public let memory = MemoryAccount()
    /// What lccaps name.
    private(set) var cachePort = KnUniqueId()
    /// How long a mapper may take for an answer, in milliseconds.
    public let mapperPatience = Atomic<UInt32>(10_000)
    let lastSemaphore = Atomic<Int32>(0)
    let timers = TimerQueue()
    let lastTransaction: Atomic<UInt64>
    let messageOrder = Atomic<UInt64>(0)
    let messageWorkers = Workers(name: "kn-message", limit: 16)
    /// Wait in the place of UNIX processes whose trap is parked in a nucleus call.
    let processWorkers = Workers(name: "kn-process", limit: Site.mostProcessWaits)
    let processWaits = Quota()
    /// UNIX processes may use CHORUS IPC.
    public let processIpc = Atomic<Bool>(true)
    /// Call sites of UNIX processes may be rewritten.
    public let rewrites = Atomic<Bool>(true)
    let eventWorkers = Workers(name: "kn-event", limit: 8)
    /// Stand in for clients that have left handlers of user actors; as many as there are such handlers.
    let handlerWorkers = Workers(name: "kn-handler", limit: 4096)
    let interruptWorkers = Workers(name: "kn-interrupt", limit: 4, schedule: .interrupts)
    /// Black box: the last events of the site.
    public let trace: TraceRing
    /// What a message without annex or body is handed as.
    let zeros: UnsafeMutableRawPointer
    /// The nucleus itself: home of its threads.
    public private(set) var kernel: Actor!
    /// The others.
    public private(set) var sites: Sites!

    /// Secret of the naming domain, from which the keys of static groups come.
    let secret: (UInt64, UInt64)
    /// Server actors stay allocated when deleted: their code is never unmapped and may still hold the table.
    let graveyard = Mutex<[Actor]>([])
    let ending: Ending

    public init(host: any HostServices, number: UInt32 = 0, name: String = "site", secret: (UInt64, UInt64)? = nil) {
        self.host = host
        self.number = number != 0 ? number : UInt32(truncatingIfNeeded: host.random64() | 1)
        self.name = name
        self.secret = secret ?? (host.random64(), host.random64())
        threads = ThreadTable()
        ending = Ending(host: host)
        lastTransaction = Atomic(host.random64() | 1)
        trace = TraceRing(host: host)
        zeros = .allocate(byteCount: Int(K_CMSGANNEXSIZE), alignment: 16)
        zeros.initializeMemory(as: UInt8.self, repeating: 0, count: Int(K_CMSGANNEXSIZE))
        sites = Sites(self)
        kernel = createActor(name: "nucleus", privilege: K_SUPACTOR)
        cachePort = connectCachePort()
        host.threadEnded = { Thread.hostThreadEnded($0) }
    }

    deinit { zeros.deallocate() }

    /// Ends the nucleus' own threads and all actors; the site is used no more.
    public func close() {
        sites.close()
        for actor in actors.all where actor !== kernel { deleteActor(actor) }
        timers.stop(host)
        caches.stop()
        messageWorkers.stop()
        eventWorkers.stop()
        interruptWorkers.stop()
        handlerWorkers.stop()
        processWorkers.stop()
        deleteActor(kernel)
    }

    // MARK: look-ups

    /// The actor that `cap` names, key checked.
    public func actor(_ cap: KnCap) throws(KnError) -> Actor {
        guard let actor = actors.find(cap.ui.raw), !actor.isDeleted else { throw .unknown }
        guard actor.cap.key == cap.key else { throw .privilege }
        return actor
    }

    public func actor(ui: KnUniqueId) -> Actor? { actors.find(ui.raw) }

    public func thread(_ li: KnThreadLid) throws(KnError) -> Thread {
        guard let thread = threads.find(li) else { throw .unknown }
        return thread
    }

    public func segment(_ cap: KnCap) throws(KnError) -> Segment {
        guard let segment = segments.find(cap.ui.raw) else { throw .unknown }
        guard segment.cap.key == cap.key else { throw .privilege }
        return segment
    }

    public func report(_ level: Int32, _ line: String) { log?(level, line) }
}
