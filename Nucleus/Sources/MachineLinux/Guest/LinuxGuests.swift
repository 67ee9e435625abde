import CChorus
import CMachine
import Glibc
import NucleusCore
import Synchronization

/// UNIX actors on Linux x86-64: one host process each, cloned from the zygote, trapped by its stub.
public final class LinuxGuests: @unchecked Sendable {
    // Sendable: constants, atomics and locked state.
    unowned(unsafe) let site: Site  // it owns this, and stops it first
    let areas: AreaTable
    let policy: WaitPolicy
    let control: UnsafeMutablePointer<mb_control>
    let controlDescriptor: Int32
    let event: Int32
    let zygotePath: String
    let xfeatures: UInt64
    /// The stub's gate can run here.
    let rewrites: Bool
    /// Its address, once the first zygote has told it.
    private let gateAddress = Atomic<UInt64>(0)
    var gate: UInt64 {
        get { gateAddress.load(ordering: .relaxed) }
        set { gateAddress.store(newValue, ordering: .relaxed) }
    }
    let zygote = Mutex<Zygote?>(nil)
    // Set at the end of init.
    private(set) var pool: TrapPool!
    private(set) var deaths: Deaths!
    private(set) var sweeper: Sweeper!

    struct Handlers {
        var owner: Actor?
        var trap: (KnTrapHdl, UnsafeMutableRawPointer?)?
        var exception: (KnExcHdl, UnsafeMutableRawPointer?)?
        var abort: (KnAbortHdl, UnsafeMutableRawPointer?)?
    }
    /// The connected handlers. A new table is made for each change and an old one is never freed: a pool thread may
    /// still look at it, and changes are as rare as servers.
    private let connected: Atomic<UnsafeMutablePointer<Handlers>>
    private let connecting = Mutex<Void>(())
    @inline(__always) var handlers: UnsafePointer<Handlers> { UnsafePointer(connected.load(ordering: .acquiring)) }
    let inside = Atomic<Int>(0)
    let stopped = Atomic<Bool>(false)
    /// Its threads have been started.
    let serves = Atomic<Bool>(false)
    /// Pool threads that are inside a page-in.
    let paging = Atomic<Int>(0)
    let errands = Errands()
    let clones = ClonesUnderWay()
    /// Last name given to shared anonymous memory.
    let sharedNames = Atomic<UInt32>(0)
    /// Who lives in a slot; written before the slot is polled, cleared only by the pool's leader.
    let occupants: UnsafeMutablePointer<Unmanaged<GuestThread>?>

    /// nil if the host refuses memory or descriptors.
    public init?(site: Site, zygotePath: String) {
        guard let areas = AreaTable() else { return nil }
        let descriptor = guest_memfd("chorus-control", UInt64(MB_CONTROL_SIZE), 1)
        guard descriptor >= 0, let pages = guest_map_shared(nil, UInt64(MB_CONTROL_SIZE), descriptor) else {
            return nil
        }
        let readOnly = guest_reopen_readonly(descriptor)
        closeDescriptor(descriptor)
        let event = guest_eventfd()
        guard readOnly >= 0, event >= 0 else { return nil }
        self.site = site
        self.areas = areas
        self.zygotePath = zygotePath
        policy = WaitPolicy(cores: Int(guest_cpus()))
        control = pages.assumingMemoryBound(to: mb_control.self)
        control.pointee.nucleus = UInt32(getpid())
        controlDescriptor = readOnly
        self.event = event
        xfeatures = guest_xcr0()
        // Without AMX: nobody here may use it (KnTypes.h, K_FPUCTXMAX).
        let features = xfeatures & 0x2e7, size = guest_fpu_size(features)
        rewrites = guest_has_gates() != 0 && size <= UInt32(K_FPUCTXMAX) - 4
        control.pointee.gates = rewrites ? 1 : 0
        control.pointee.fpuFeatures = features
        control.pointee.fpuSize = size
        let handlers = UnsafeMutablePointer<Handlers>.allocate(capacity: 1)
        handlers.initialize(to: Handlers())
        connected = Atomic(handlers)
        occupants = .allocate(capacity: AreaTable.capacity)
        occupants.initialize(repeating: nil, count: AreaTable.capacity)
        pool = TrapPool(self)
        deaths = Deaths(self)
        sweeper = Sweeper(self)
        (site.host as? LinuxHost)?.willBlock = { TrapPool.willBlock() }
    }

    /// Changes the handlers as `body` says; its result.
    func connect(_ body: (inout Handlers) -> Int32) -> Int32 {
        connecting.withLock { _ in
            var now = connected.load(ordering: .acquiring).pointee
            let code = body(&now)
            guard code == K_OK else { return code }
            let table = UnsafeMutablePointer<Handlers>.allocate(capacity: 1)
            table.initialize(to: now)
            connected.store(table, ordering: .sequentiallyConsistent)
            return code
        }
    }

    /// The site ends: all guests are dead. Returns when no pool thread is left.
    public func stop() {
        stopped.store(true, ordering: .sequentiallyConsistent)
        zygote.withLock { $0 }?.end(self)
        guard serves.load(ordering: .acquiring) else { return }
        deaths.wake()
        sweeper.wake()
        pool.stop()
    }

    func space(_ actor: Actor) -> GuestSpace? { (actor.guest as? GuestActor)?.space }
    func guest(_ thread: Thread) -> GuestThread? { thread.guest as? GuestThread }

    /// A thread of `actor` whose stub can be commanded: the one whose trap the caller serves, else any that is held.
    func agent(_ actor: Actor) -> GuestThread? {
        if let serving = TrapPool.serving(), serving.thread.actor === actor, serving.isHeld { return serving }
        return (actor.guest as? GuestActor)?.threads.withLock { $0?.first { $0.isHeld } }
    }
}

/// The machine's part of a UNIX actor. It stays the actor's as long as that is allocated: others may look at it while
/// the actor is deleted, replaced or listed.
final class GuestActor: Sendable {
    private struct State {
        var space: GuestSpace
        var process: GuestProcess?
        var duplicate: UInt32?
        var inheritance = Inheritance()
    }
    private let state: Mutex<State>
    /// Its threads; nil once the actor is deleted: nothing is added to it any more. Outside of every `dialogue`.
    let threads = Mutex<[GuestThread]?>([])

    init(space: GuestSpace) {
        space.sharers.wrappingAdd(1, ordering: .relaxed)
        state = Mutex(State(space: space))
    }

    deinit { _ = state.withLock { $0.space.sharers.wrappingSubtract(1, ordering: .releasing) } }

    var space: GuestSpace {
        get { state.withLock { $0.space } }
        set {
            newValue.sharers.wrappingAdd(1, ordering: .relaxed)
            state.withLock { swap(&$0.space, newValue) }.sharers.wrappingSubtract(1, ordering: .releasing)
        }
    }
    var process: GuestProcess? {
        get { state.withLock { $0.process } }
        set { _ = state.withLock { swap(&$0.process, newValue) } }
    }
    /// Flags of rgnDup, if it was called: the first thread is cloned from a thread of the actor whose space it copied.
    var duplicate: UInt32? {
        get { state.withLock { $0.duplicate } }
        set { state.withLock { $0.duplicate = newValue } }
    }

    /// What of its regions has to be undone in the host's clone.
    var inheritance: Inheritance {
        get { state.withLock { $0.inheritance } }
        set { _ = state.withLock { swap(&$0.inheritance, newValue) } }
    }

    /// Takes what is old out of the lock, since its end may take others.
    private func swap<Value>(_ place: inout Value, _ now: Value) -> Value {
        defer { place = now }
        return place
    }
}

/// Results of host calls in the guest as nucleus errors.
func knError(host result: Int64?) -> Int32 {
    guard let result else { return K_EDEADACTOR }
    if result >= 0 || result < -4095 { return K_OK }
    switch Int32(-result) {
    case ENOMEM: return K_ENOMEM
    case EINVAL: return K_EINVAL
    case EEXIST: return K_EEXIST
    case EACCES, EPERM: return K_EPRIV
    case EFAULT: return K_EFAULT
    case EAGAIN: return K_ENOMEM
    default: return K_EHOST
    }
}
