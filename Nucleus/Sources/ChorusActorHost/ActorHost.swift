import CChorus
import CLane
import Glibc
import KnLane
import Synchronization

/// One user actor: its table of nucleus calls, and the workers that answer on its lanes.
final class ActorHost: @unchecked Sendable {  // Sendable: constants; `descriptors` orders what must be ordered.
    let name: String
    let plans: CallPlans
    private let socket: Int32
    /// The lane of the calling thread: a call goes up where the calls come down.
    private let current: pthread_key_t
    /// A descriptor and the call that carries it must not be overtaken by another such pair.
    private let descriptors = Mutex(())
    /// Where bodies are that the actor holds; written before the first worker starts. The nucleus knows them by place.
    private var arena: UInt64 = 0
    private let bodyCalls: BodyCalls
    let traps: HostTraps
    private(set) var table: LaneTable?
    private let regions: HostRegions

    init?(name: String, socket: Int32) {
        var key = pthread_key_t()
        guard let plans = CallPlans(), pthread_key_create(&key, nil) == 0 else { return nil }
        self.name = name
        self.socket = socket
        self.plans = plans
        current = key
        bodyCalls = BodyCalls(plans)
        traps = HostTraps(plans)
        regions = HostRegions(plans)
        table = LaneTable(plans, self, closures: getenv("CHORUS_NO_CLOSURES") == nil)
    }

    /// Starts a worker for every lane the nucleus sends; returns when the nucleus is gone.
    func receiveLanes() {
        var note = KnLaneNote()
        while true {
            var descriptor: Int32 = -1
            let size = kn_lane_recv_fd(socket, &note, UInt32(MemoryLayout<KnLaneNote>.size), &descriptor, 1)
            guard size > 0 else { return }
            if note.kind == KN_LANE_NOTE_ARENA, descriptor >= 0, arena == 0 {
                arena = UInt64(UInt(bitPattern: kn_lane_map(descriptor, UInt64(KN_LANE_ARENA))))
                close(descriptor)
                continue
            }
            if note.kind == KN_LANE_NOTE_CACHE, descriptor >= 0 {
                regions.arrived(descriptor)
                continue
            }
            guard note.kind == KN_LANE_NOTE_LANE, descriptor >= 0 else { continue }
            let lane = Lane(descriptor: descriptor, index: note.lane, side: .actor, policy: .standard(.actor))
            close(descriptor)
            guard let lane, start(lane) else {
                kn_lane_complain("chorus-actor-host: \(name): no memory or thread for a lane\n")
                return
            }
        }
    }

    private func start(_ lane: Lane) -> Bool {
        let work = Unmanaged.passRetained(Worker(host: self, lane: lane))
        var attributes = pthread_attr_t()
        var thread = pthread_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        pthread_attr_setstacksize(&attributes, 2 * 1024 * 1024)
        defer { pthread_attr_destroy(&attributes) }
        let failed = pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Worker>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, work.toOpaque())
        if failed != 0 { work.release() }
        return failed == 0
    }

    var currentLane: Unmanaged<Lane>? { pthread_getspecific(current).map { Unmanaged<Lane>.fromOpaque($0) } }

    fileprivate func work(on lane: Lane) {
        pthread_setspecific(current, Unmanaged.passUnretained(lane).toOpaque())
        lane.worker = kn_lane_thread()
        if kn_lane_fault_stack() != 0 { kn_lane_complain("chorus-actor-host: \(name): no stack for faults\n") }
        lane.run(self)
    }
}

private final class Worker {
    let host: ActorHost
    let lane: Lane
    init(host: ActorHost, lane: Lane) { (self.host, self.lane) = (host, lane) }
    func run() { host.work(on: lane) }
}

/// Calls of the server up to the nucleus.
extension ActorHost: CallSink {
    func call(_ op: UInt32, _ slots: UnsafeMutablePointer<UInt64>) -> Int64 {
        guard op < CallPlans.callCount else { return Int64(K_ENOSYS) }
        guard let lane = pthread_getspecific(current) else {
            // Threads that the nucleus does not know have no identity to call with: use threadCreate.
            kn_lane_complain("chorus-actor-host: \(name): nucleus call from a thread not made by threadCreate\n")
            return Int64(K_EPRIV)
        }
        let plan = plans.calls + Int(op)
        return Unmanaged<Lane>.fromOpaque(lane)._withUnsafeGuaranteedRef { lane in
            lane.isCalling = true
            defer { lane.isCalling = false }
            if op == traps.raise { return traps.raise(lane, self, slots) }
            if op == traps.table { return traps.connect(lane, self, slots) }
            guard plan.pointee.descriptor >= 0 else {
                if let position = bodyCalls.given(op) { slots[position] &-= arena }
                let result = regions.perform(op, slots) { lane.call(op, 0, plan, slots, self) }
                if let position = bodyCalls.returned(op), result >= 0 { bodyCalls.locate(slots[position], arena) }
                return result
            }
            return descriptors.withLock { _ in
                var note = KnLaneNote(kind: KN_LANE_NOTE_FD, lane: lane.index)
                let descriptor = Int32(truncatingIfNeeded: slots[plan.pointee.descriptor])
                let size = UInt32(MemoryLayout<KnLaneNote>.size)
                guard descriptor >= 0, kn_lane_send_fd(socket, &note, size, descriptor) == 0 else {
                    return Int64(K_EINVAL)
                }
                return lane.call(op, 0, plan, slots, self)
            }
        }
    }
}

/// Calls of the nucleus down to the server.
extension ActorHost: LaneServer {
    func plan(_ op: UInt32) -> UnsafeMutablePointer<CallPlan>? { plans.downward(op) }

    func perform(
        _ lane: Lane, _ op: UInt32, _ target: UInt64, _ plan: UnsafeMutablePointer<CallPlan>,
        _ slots: UnsafeMutablePointer<UInt64>, _ lengths: Lengths
    ) -> Int64 {
        if op == KN_LANE_MAIN { return Int64(loadObject(slots)) }
        guard let function = UnsafeRawPointer(bitPattern: UInt(target)) else { return Int64(K_EINVAL) }
        if op & ~0xff == KN_LANE_MOVED { slots[3] &+= arena }
        // The nucleus may call while it is called.
        let wasCalling = lane.isCalling
        lane.isCalling = false
        defer { lane.isCalling = wasCalling }
        return plan.pointee.call(function, slots)
    }
}
