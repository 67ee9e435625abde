import CChorus
import CMachine
import Glibc
import NucleusCore
import Synchronization

/// UNIX actors on Linux x86-64: one host process each, cloned from the zygote, trapped by its stub.
public final class LinuxGuests: @unchecked Sendable {
    // Sendable: constants, locked state; the handlers are connected before the first UNIX actor exists and
    // disconnected after the last is gone (`inside` drains).
    unowned let site: Site
    let areas: AreaTable
    let policy: WaitPolicy
    let control: UnsafeMutablePointer<mb_control>
    let controlDescriptor: Int32
    let event: Int32
    let zygotePath: String
    let xfeatures: UInt64
    let zygote = Mutex<Zygote?>(nil)
    lazy var pool = TrapPool(self)

    struct Handlers {
        var owner: Actor?
        var trap: (KnTrapHdl, UnsafeMutableRawPointer?)?
        var exception: (KnExcHdl, UnsafeMutableRawPointer?)?
        var abort: (KnAbortHdl, UnsafeMutableRawPointer?)?
    }
    var handlers = Handlers()
    let inside = Atomic<Int>(0)
    let stopped = Atomic<Bool>(false)
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
        controlDescriptor = readOnly
        self.event = event
        xfeatures = guest_xcr0()
        occupants = .allocate(capacity: AreaTable.capacity)
        occupants.initialize(repeating: nil, count: AreaTable.capacity)
        (site.host as? LinuxHost)?.willBlock = { TrapPool.willBlock() }
    }

    /// The site ends: all guests are dead. Returns when no pool thread is left.
    public func stop() {
        stopped.store(true, ordering: .sequentiallyConsistent)
        guard let zygote = zygote.withLock({ $0 }) else { return }
        zygote.end()
        pool.stop()
    }

    func space(_ actor: Actor) -> GuestSpace? { (actor.guest as? GuestActor)?.space }
    func guest(_ thread: Thread) -> GuestThread? { thread.guest as? GuestThread }

    /// A thread of `actor` whose stub can be commanded: the one whose trap the caller serves, else any that is held.
    func agent(_ actor: Actor) -> GuestThread? {
        if let serving = TrapPool.serving(), serving.thread.actor === actor, serving.isHeld { return serving }
        return (actor.guest as? GuestActor)?.threads.withLock { $0.first { $0.isHeld } }
    }
}

/// The machine's part of a UNIX actor.
final class GuestActor: @unchecked Sendable {
    // Sendable: `space` and `process` change only in rgnDup, the first threadCreate and actorRenew, while no other
    // thread of the actor runs.
    var space: GuestSpace
    var process: GuestProcess?
    /// rgnDup was called: the first thread is cloned from a thread of this space's actor.
    var duplicate: (source: GuestSpace, flags: UInt32)?
    let threads = Mutex<[GuestThread]>([])
    init(space: GuestSpace) { self.space = space }
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
