import CChorus
import Synchronization

/// A thread as the nucleus knows it: a server thread, a guest's thread, or a host thread that came by.
public final class Thread: @unchecked Sendable {
    // Sendable: `li`, `actor`, words and flags are constant or atomic; the message fields and the per-thread data belong
    // to the thread itself; `scheduling` is behind `MutexTable.lock`.
    public let li: KnThreadLid
    /// Home actor.
    public let actor: Actor
    private let nameNow: Mutex<String>
    /// Held by themselves: a host thread may end, and drop its thread, when the site is gone already.
    let host: any HostServices
    let registry: ThreadTable
    /// The subsystem's own value for the thread (threadCookie), carried in trap frames.
    public let cookie = Atomic<UInt64>(0)
    /// The trap it made last, and its beginning in ticks of the black box; 0 before the first one.
    public let trapNumber = Atomic<UInt64>(0)
    public let trapBegan = Atomic<UInt64>(0)
    /// What that trap is.
    public let trapKind = Atomic<TrapKind>(.call)
    /// The machine layer's part of a guest's thread.
    public var guest: AnyObject?

    let aborted = Atomic<Bool>(false)
    let wait = WaitWord()
    /// Deleted: its blocking calls all fail.
    let doomed = Atomic<Bool>(false)
    /// threadSuspend count, and the word it waits on.
    let held = Atomic<Int32>(0)
    let heldWord: UnsafeMutablePointer<Atomic<UInt32>>
    /// Handlers that this thread is inside, innermost first. Only the thread itself looks.
    var frame: UnsafeMutablePointer<HandlerFrame>?
    /// Gates of these handlers while the thread waits, for who must end the wait. Compared, never followed.
    let gates: UnsafeMutablePointer<Atomic<UInt>>
    /// Waits that ended with K_EABORT. Only the thread itself looks.
    var abortsTaken: UInt32 = 0
    /// What ipcReceive brought last. Only the thread itself looks.
    var message: Message?
    /// Of a UNIX thread (CallState).
    let callState = Atomic<UInt32>(CallState.idle)
    /// threadStop is in force: one of the holds.
    let stopped = Atomic<Bool>(false)
    /// Host thread that carries it, 0 none or not told.
    let hostThread = Atomic<Int32>(0)
    /// It has had, or asked for, a mutex.
    let usesMutexes = Atomic<Bool>(false)
    var scheduling = Scheduling()
    /// Per-thread data. Only the thread itself looks.
    var data: [ThreadDataName: UInt64] = [:]
    /// What its waits are for, if not for the call that blocks. Only the thread itself looks.
    var waitsAs: StaticString?
    /// Its waits end as precisely as the host can. Only the thread itself looks.
    var isSharp = false
    /// Made for a host thread that called in; dropped when that ends.
    let isForeign: Bool

    init(li: KnThreadLid, actor: Actor, name: String, foreign: Bool) {
        self.li = li
        self.actor = actor
        nameNow = Mutex(name)
        host = actor.site.host
        registry = actor.site.threads
        isForeign = foreign
        heldWord = .allocate(capacity: 1)
        heldWord.initialize(to: Atomic(0))
        gates = .allocate(capacity: Int(HandlerFrame.most))
        for index in 0..<Int(HandlerFrame.most) { (gates + index).initialize(to: Atomic(0)) }
    }

    deinit {
        heldWord.deinitialize(count: 1)
        heldWord.deallocate()
        gates.deallocate()
    }

    public var site: Site { actor.site }
    public var name: String {
        get { nameNow.withLock { $0 } }
        set { nameNow.withLock { $0 = newValue } }
    }
    public var isAborted: Bool { aborted.load(ordering: .acquiring) }
    /// CLOCK_MONOTONIC ns since when the thread is blocked, 0 when it is not.
    public var blockedSince: UInt64 { wait.since.load(ordering: .relaxed) }
    public var blockedOn: String { wait.callName }

    /// The nucleus thread that runs now. A host thread that the nucleus has not seen gets one, at home in `actor`.
    @inline(__always) public static func current(_ site: Site, in actor: Actor) -> Thread {
        if let value = site.host.threadValue { return Unmanaged<Thread>.fromOpaque(value).takeUnretainedValue() }
        return adopt(site, actor)
    }

    /// nil for a host thread that never called in.
    public static func current(_ site: Site) -> Thread? {
        site.host.threadValue.map { Unmanaged<Thread>.fromOpaque($0).takeUnretainedValue() }
    }

    /// Makes a host thread of the machine layer known as one of the nucleus' own.
    public static func carrier(_ site: Site, name: String) -> Thread { adopt(site, site.kernel, name: name) }

    @inline(never) private static func adopt(_ site: Site, _ actor: Actor, name: String = "") -> Thread {
        let thread = site.threads.create(actor, name: name, foreign: true)
        site.host.threadValue = Unmanaged.passRetained(thread).toOpaque()
        thread.carried()
        return thread
    }

    /// Makes this the current thread of the calling host thread and returns who was; hand that to `unbind`. A host
    /// thread holds on to its current thread.
    public func bind() -> UnsafeMutableRawPointer? {
        let before = host.threadValue
        host.threadValue = Unmanaged.passRetained(self).toOpaque()
        carried()
        return before
    }

    public func unbind(_ before: UnsafeMutableRawPointer?) {
        host.threadValue = before
        hostThread.store(0, ordering: .relaxed)
        Unmanaged.passUnretained(self).release()
    }

    /// The host thread that carried the thread behind `value` has ended.
    static func hostThreadEnded(_ value: UnsafeMutableRawPointer) {
        let thread = Unmanaged<Thread>.fromOpaque(value).takeRetainedValue()
        thread.hostThread.store(0, ordering: .relaxed)
        if thread.isForeign { thread.registry.remove(thread) }
    }
}
