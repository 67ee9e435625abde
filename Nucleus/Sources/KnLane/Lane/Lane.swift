import CChorus
import CLane
import Glibc
import Synchronization

/// One end of a lane: the shared area between a nucleus thread and a thread of a user actor's host process.
///
/// Control passes to and fro like on one stack: a side that calls waits for the return, and meanwhile serves the calls
/// that the other side makes. So exactly one side runs at any time, and each direction needs room for one message.
///
/// Hand-off: poll with `pause` for some microseconds, then with `sched_yield`, then sleep on the bell with a flag that
/// says so; a side that is not asleep is never woken.
public final class Lane: @unchecked Sendable {  // Sendable: owned by one thread at a time; `end` is atomic.
    public enum Side: Sendable { case nucleus, actor }

    public let index: UInt32
    public let side: Side
    let area: UnsafeMutableRawPointer
    private let outBell: UnsafeMutablePointer<KnLaneBell>
    private let inBell: UnsafeMutablePointer<KnLaneBell>
    private let outMessage: UnsafeMutablePointer<KnLaneMsg>
    private let inMessage: UnsafeMutablePointer<KnLaneMsg>
    let outFrame: UnsafeMutableRawPointer
    let inFrame: UnsafeMutableRawPointer
    private var seen: UInt32 = 0
    /// Messages sent, and messages taken.
    private var sent: UInt32 = 0
    private var taken: UInt32 = 0
    /// Waits that go to sleep at once, since others use the processors.
    private var contended: UInt32 = 0
    /// Of the calls this side makes.
    var lastCall: UInt32 = 0
    var depth: UInt32 = 0
    /// The call whose caller has left; 0: none.
    var leftCall: UInt32 = 0
    /// Of the actor's side: its thread is inside a nucleus call, with the frames in use.
    public var isCalling = false
    var scratch: Scratch
    private let policy: LanePolicy
    private let dead = Atomic<Bool>(false)
    /// Called before a wait goes to sleep, so that another nucleus thread can take over what this one was serving.
    public var willSleep: (@Sendable () -> Void)?
    /// Who may end a wait for the other side early; nil: nobody.
    public var waiting: (any LaneWaiting)?
    /// Called once when the other side broke the protocol; the lane is dead from then on.
    public var violated: (@Sendable (StaticString) -> Void)?

    /// Maps the area of `descriptor`, which stays the caller's. A new area is all zeros on both sides.
    public init?(descriptor: Int32, index: UInt32, side: Side, policy: LanePolicy) {
        let bytes = mmap(nil, Int(KN_LANE_BYTES), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
        guard let bytes, bytes != MAP_FAILED else { return nil }
        guard let scratch = Scratch() else {
            munmap(bytes, Int(KN_LANE_BYTES))
            return nil
        }
        self.scratch = scratch
        area = bytes
        self.index = index
        self.side = side
        self.policy = policy
        let header = bytes.assumingMemoryBound(to: KnLaneArea.self)
        let toActor = UnsafeMutableRawPointer(header) + (MemoryLayout<KnLaneArea>.offset(of: \.toActor) ?? 128)
        let toNucleus = UnsafeMutableRawPointer(header) + (MemoryLayout<KnLaneArea>.offset(of: \.toNucleus) ?? 256)
        let down = bytes + Int(KN_LANE_TO_ACTOR)
        let up = bytes + Int(KN_LANE_TO_NUCLEUS)
        let fromNucleus = side == .nucleus
        outBell = (fromNucleus ? toActor : toNucleus).assumingMemoryBound(to: KnLaneBell.self)
        inBell = (fromNucleus ? toNucleus : toActor).assumingMemoryBound(to: KnLaneBell.self)
        outMessage = (fromNucleus ? down : up).assumingMemoryBound(to: KnLaneMsg.self)
        inMessage = (fromNucleus ? up : down).assumingMemoryBound(to: KnLaneMsg.self)
        outFrame = (fromNucleus ? down : up) + MemoryLayout<KnLaneMsg>.size
        inFrame = (fromNucleus ? up : down) + MemoryLayout<KnLaneMsg>.size
        if fromNucleus {
            header.pointee.version = KN_LANE_VERSION
            header.pointee.magic = KN_LANE_MAGIC
        } else if header.pointee.magic != KN_LANE_MAGIC || header.pointee.version != KN_LANE_VERSION {
            dead.store(true, ordering: .relaxed)
        }
    }

    deinit { munmap(area, Int(KN_LANE_BYTES)) }

    private var header: UnsafeMutablePointer<KnLaneArea> { area.assumingMemoryBound(to: KnLaneArea.self) }

    /// Host thread of the actor's side, as that says itself: to be believed by nobody. 0 until it has begun.
    public var worker: Int32 {
        get { kn_lane_worker(header) }
        set { header.pointee.worker = newValue }
    }

    /// Until the actor's side has begun, or for as long as one that is in order can take.
    public func waitForWorker() {
        for _ in 0..<2000 where worker == 0 && !isDead { usleep(500) }
    }

    public var isDead: Bool { dead.load(ordering: .acquiring) }

    /// From any thread: the other side is gone, or must be treated so. Ends the wait of whoever is in the lane.
    public func end() {
        dead.store(true, ordering: .sequentiallyConsistent)
        kn_lane_end(inBell)
    }

    /// A third side is at work while one of this lane waits: neither pauses. Called by the thread that has the lane.
    public var isCrowded = false {
        didSet { if isCrowded != oldValue { outBell.pointee.crowded = isCrowded ? 1 : 0 } }
    }

    /// The call that is being served on it has led to one on another lane.
    public var isCalledThrough = false

    /// From any thread: whoever waits in the lane looks whether its wait is to end.
    public func ring() { kn_lane_end(inBell) }

    func violation(_ what: StaticString) {
        end()
        violated?(what)
    }

    func send(_ kind: UInt32, _ op: UInt32, _ size: Int, _ target: UInt64, call: UInt32) {
        sent &+= 1
        outMessage.pointee = KnLaneMsg(
            kind: kind, op: op, size: UInt32(truncatingIfNeeded: size), depth: depth, target: target, call: call,
            number: sent)
        kn_lane_ring(outBell)
    }

    enum Received {
        case message(KnLaneMsg)
        /// The wait was ended early.
        case ended(Int32)
        case dead
    }

    /// Waits for the next message. `bounded`: as long as `waiting` allows.
    func receive(bounded: Bool = false) -> Received {
        while !isDead {
            let bell = kn_lane_load(&inBell.pointee.bell)
            if bell != seen {
                seen = bell
                let message = kn_lane_read(inMessage)
                if message.number == taken &+ 1 {
                    taken &+= 1
                    return .message(message)
                }
                // Rung without a message: to look around. An actor that does so all the time burns its own time.
            } else if kn_lane_poll(
                inBell, outBell, seen, isCrowded ? 0 : policy.spinNanoseconds, policy.yieldNanoseconds, &contended) != 0
            {
                continue
            }
            if isDead { return .dead }
            willSleep?()
            if let code = sleep(bounded ? waiting : nil) { return .ended(code) }
        }
        return .dead
    }

    /// Once. A code: the wait is over.
    private func sleep(_ waiting: (any LaneWaiting)?) -> Int32? {
        let nap =
            policy.sleepMilliseconds == 0
            ? UInt64.max : kn_lane_now() &+ UInt64(policy.sleepMilliseconds) &* 1_000_000
        guard let waiting else {
            kn_lane_sleep(inBell, seen, nap)
            return nil
        }
        if let code = waiting.begin(self) { return code }
        kn_lane_sleep(inBell, seen, min(nap, waiting.deadline))
        // An answer that has come is taken, whatever else happened.
        let arrived = kn_lane_load(&inBell.pointee.bell) != seen && kn_lane_number(inMessage) == taken &+ 1
        return waiting.end(arrived: arrived)
    }
}
