import CChorus
import Synchronization

/// A resource container: ports, threads, segments, handlers. Everything goes with it.
public final class Actor: @unchecked Sendable {
    // Sendable: constants, atomics, and state behind locks; `guest` is set by the machine before it is shared.
    /// Outlives its actors: `Site.close` deletes them.
    public unowned(unsafe) let site: Site
    public let cap: KnCap
    private let privilegeNow: Atomic<Int32>
    /// A server of the manifest: trusted in user privilege too.
    private let isSystem: Bool
    /// Whose subsystem a UNIX actor belongs to: its traps and exceptions are the creator's.
    public let creator: Actor?
    /// The table of nucleus calls that the actor is handed; `self` is this actor.
    public let table: UnsafePointer<KnNucleus>
    /// The machine layer's part of a UNIX actor.
    public var guest: AnyObject?
    public let messages = Atomic<UInt64>(0)
    public let traps = Atomic<UInt64>(0)

    let deleted = Atomic<Bool>(false)
    let state: Mutex<State>
    let protection = Protection()
    /// Its ports, their queues and who waits for them.
    let room = Mutex(Room())
    /// Set when the actor is created, before anyone has it.
    var defaultPort: Port!

    let account: MemoryAccount
    /// Bodies of messages that are its own.
    let bodies = Mutex(HeldBodies())
    /// Where those of a user actor are; set before it runs.
    public var arena: (any BodyArena)?
    /// Of a server.
    let regions = Mutex(ServerRegions())
    /// Of a UNIX actor: calls of its threads that wait, and bytes in messages sent to it.
    let processWaits = Quota()
    /// Actors that it made, if it has no privileges.
    let children = Quota()
    let mail = Quota()

    struct State {
        var name: String
        var status: Int32
        var hostPid: Int32 = 0
        var limits = ActorLimits()
        var threads: [KnThreadLid: Thread] = [:]
        var segments: [UInt64: Segment] = [:]
        /// Mutexes and timers.
        var objects: UInt32 = 0
        /// Keys of per-thread data.
        var dataKeys: [Int32] = []
        var lastDataKey: Int32 = 0
        /// Local caches that it has open.
        var caches: [Int32: Segment] = [:]
        var lastCache: Int32 = 0
        /// Who is asked about its exceptions.
        var exceptionPort: KnUniqueId?
    }

    init(
        _ site: Site, cap: KnCap, name: String, privilege: Int32, privileged: Bool, creator: Actor?, status: Int32,
        account: MemoryAccount
    ) {
        self.site = site
        self.account = account
        self.cap = cap
        privilegeNow = Atomic(privilege)
        isSystem = privileged
        self.creator = creator
        state = Mutex(State(name: name, status: status))
        let table = UnsafeMutablePointer<KnNucleus>.allocate(capacity: 1)
        self.table = UnsafePointer(table)
        NucleusTable.fill(table, for: self)
    }

    deinit { UnsafeMutablePointer(mutating: table).deallocate() }

    /// K_USERACTOR, K_SYSACTOR, K_SUPACTOR or K_UNIXACTOR; only the first two ever change, into each other.
    public internal(set) var privilege: Int32 {
        get { privilegeNow.load(ordering: .relaxed) }
        set { privilegeNow.store(newValue, ordering: .relaxed) }
    }
    /// May issue privileged calls: supervisors, system actors, and the servers of the manifest in user privilege.
    public var isPrivileged: Bool { isSystem || privilege == K_SUPACTOR || privilege == K_SYSACTOR }
    public var name: String { state.withLock { $0.name } }
    public var isDeleted: Bool { deleted.load(ordering: .acquiring) }
    public var isUnix: Bool { privilege == K_UNIXACTOR }
    /// K_ACTIVE or K_STOPPED.
    public var status: Int32 { state.withLock { $0.status } }
    /// The host process behind the actor; its own for supervisors, 0 none.
    public var hostPid: Int32 {
        get { state.withLock { $0.hostPid } }
        set { state.withLock { $0.hostPid = newValue } }
    }
    public var limits: ActorLimits {
        get { state.withLock { $0.limits } }
        set {
            state.withLock { $0.limits = newValue }
            account.limit.store(newValue.memory, ordering: .relaxed)
        }
    }
}

/// What an actor may hold; 0 means no limit.
public struct ActorLimits: Sendable {
    public var memory: UInt64 = 0
    public var threads: UInt32 = 0
    public var ports: UInt32 = 0
    public init(memory: UInt64 = 0, threads: UInt32 = 0, ports: UInt32 = 0) {
        self.memory = memory
        self.threads = threads
        self.ports = ports
    }
}
