import CChorus
import CMachine
import NucleusCore
import Synchronization

/// A guest's thread: its mailbox and where it stands.
///
/// Lock order: `dialogue` before `GuestSpace.regions`; `GuestProcess.passing` outermost.
final class GuestThread: @unchecked Sendable {
    // Sendable: `status` is atomic; all else is touched only by who moved `status` away from running, under `dialogue`.
    enum Status: UInt64 {
        case running = 0  // the pool polls its mailbox
        case trapped = 1  // a handler has it
        case parked = 2  // waits for trapComplete
        case leaving = 3  // someone resumes it
        case dead = 4
    }

    /// Held by the slot while the thread lives in it (`occupy`); the pool holds it while it serves the thread. Whoever
    /// keeps a guest thread beyond that keeps its thread too. unsafe: a trap looks here a dozen times.
    unowned(unsafe) let thread: Thread
    unowned(unsafe) let guests: LinuxGuests  // outlives its guests
    var process: GuestProcess
    var hostTid: Int32 = 0 {
        didSet {
            let pid = UInt64(UInt32(bitPattern: process.pid.load(ordering: .relaxed)))
            hostPlace.store(pid << 32 | UInt64(UInt32(bitPattern: hostTid)), ordering: .relaxed)
        }
    }
    var slot: Int32
    var area: UnsafeMutablePointer<mb_area>

    /// Serial number of the trap << 8 | Status: a late answer to an earlier trap finds another serial.
    let status = Atomic<UInt64>(Status.trapped.rawValue)
    /// A kick is owed: the thread was aborted while it ran.
    let kick = Atomic<Bool>(false)
    /// The trap in hand is a nucleus call of its own: its subsystem knows nothing of it.
    let ownCall = Atomic<Bool>(false)
    /// That abort, until its handler is called or a trap or fault comes first.
    let abortOwed = Atomic<Bool>(false)
    /// threadSuspend count, and whether it is held for that when it would go on, with what.
    let suspends = Atomic<Int32>(0)
    let holding = Atomic<Bool>(false)
    var heldResult: Int64 = 0
    var heldWhole = false
    /// Host process << 32 | host thread, for those who ask from outside.
    private let hostPlace = Atomic<UInt64>(0)
    /// It is in the pool's list of kicks.
    let kickListed = Atomic<Bool>(false)
    /// threadDelete came while it ran: it leaves at its next post.
    let dying = Atomic<Bool>(false)
    let dialogue = Mutex<Void>(())

    /// Copy of the guest's words for the trap in hand.
    var request = mb_guest()
    /// Offset of the interrupted context in the mailbox, 0 for a thread that never ran.
    var frame: UInt32 = 0
    /// Registers that replace the interrupted ones at the next whole resume.
    var replaced: KnThreadCtx?
    /// FPU image at MB_FPU (size) replaces the interrupted one; 0 = initial state; nil = keep.
    var replacedFpu: UInt32?
    /// The context that came through the gate has been completed.
    var fpuSaved = false
    var fsBase: UInt64 = 0
    var gsBase: UInt64 = 0
    /// Operations queued but not yet sent, and the payload they use.
    var queued = 0
    var payloadUsed = 0
    /// Waits still to come that sleep at once (mailbox.h, MB_CONTENDED).
    var contended: UInt32 = 0
    /// `GuestSpace.changed` when a fault of it was last put down to a change.
    var changesSeen: UInt64 = 0
    /// A deferred copy-out has failed: the result becomes -EFAULT.
    var deferredFault = false

    /// First half of the payload: what the stub brought along. Second half: copies on our behalf.
    static var copyBase: Int { 0x10000 }
    static var copyMax: Int { Int(MB_PAYLOAD_SIZE) - copyBase }

    init(_ thread: Thread, _ guests: LinuxGuests, _ process: GuestProcess, slot: Int32) {
        self.thread = thread
        self.guests = guests
        self.process = process
        self.slot = slot
        area = guests.areas.area(slot)
    }

    var guestArea: UInt64 { AreaTable.guestAddress(slot) }
    var standing: Status { Status(rawValue: status.load(ordering: .acquiring) & 0xff) ?? .dead }
    /// The nucleus may command its stub.
    var isHeld: Bool {
        let now = standing
        return now == .trapped || now == .parked || now == .leaving
    }

    /// Commands its stub through `body`, alone; `gone` if it is not held (any more). Its mailbox stays meanwhile.
    @inline(__always) func commanded<Result: Sendable>(else gone: Result, _ body: () -> Result) -> Result {
        if let result = dialogue.withLockIfAvailable({ _ in isHeld ? body() : gone }) { return result }
        // Whoever has it may wait for a guest that does not answer: the pool must go on.
        TrapPool.willBlock()
        return dialogue.withLock { _ in isHeld ? body() : gone }
    }

    /// From one standing to another within the same trap; false if it has moved on.
    func move(_ serial: UInt64, from old: Status, to new: Status) -> Bool {
        status.compareExchange(
            expected: serial << 8 | old.rawValue, desired: serial << 8 | new.rawValue, ordering: .acquiringAndReleasing
        ).exchanged
    }
}

extension GuestThread: HostPeer {
    var place: (process: Int32, thread: Int32) {
        let now = hostPlace.load(ordering: .relaxed)
        return (Int32(truncatingIfNeeded: now >> 32), Int32(truncatingIfNeeded: now))
    }
}
