import CChorus
import CLane
import Glibc
import KnLane
import MachineLinux
import NucleusCore
import Synchronization

/// A server in a host process of its own. Nucleus threads call down into it over its lanes and serve the calls that
/// come up meanwhile, each with the actor's own table: whatever arrives on its lanes acts as this actor and no other.
final class UserActor: LoadedActor, ServerHost, @unchecked Sendable {
    // Sendable: constants after `spawn`, and state behind mutexes.
    let actor: Actor
    let plans: CallPlans
    let boxes = HandlerBoxes()
    let eventCreate: UInt32
    let eventDelete: UInt32
    let trapRaise: UInt32
    private let willSleep: (@Sendable () -> Void)?
    private let process = Mutex(Process())
    private let operations = Mutex<OperationTable>(OperationTable())
    /// Descriptors arrive in the order of the calls that carry them.
    let arriving = Mutex(())
    private(set) var pool: LanePool?

    private struct Process {
        var pid: pid_t = 0
        var socket: Int32 = -1
        var users = 0  // of the socket
        var isRetired = false  // the last user closes it
        var expected = false  // its end is no news
    }
    private struct OperationTable: @unchecked Sendable {  // Sendable: only moved under the mutex.
        var ops = KnActorOps()
    }

    init(_ actor: Actor, _ plans: CallPlans, willSleep: (@Sendable () -> Void)?) {
        self.actor = actor
        self.plans = plans
        self.willSleep = willSleep
        eventCreate = plans.number(of: "eventCreate")
        eventDelete = plans.number(of: "eventDelete")
        trapRaise = plans.number(of: "trapRaise")
    }

    deinit {
        let socket = process.withLock { $0.socket }
        if socket >= 0 { close(socket) }
    }

    /// Starts the host process. `K_OK` or K_EHOST.
    func spawn(_ path: String) -> Int32 {
        var pair: (Int32, Int32) = (-1, -1)
        let failed = withUnsafeMutableBytes(of: &pair) {
            kn_lane_socketpair($0.baseAddress?.assumingMemoryBound(to: Int32.self))
        }
        guard failed == 0 else { return K_EHOST }
        defer { close(pair.1) }
        let far = pair.1
        let name = actor.name
        process.withLock { $0.socket = pair.0 }
        actor.arena = LaneArena { descriptor in
            var note = KnLaneNote(kind: KN_LANE_NOTE_ARENA, lane: 0)
            return kn_lane_send_fd(pair.0, &note, UInt32(MemoryLayout<KnLaneNote>.size), descriptor) == 0
        }
        guard actor.arena != nil else { return K_ENOMEM }
        pool = LanePool { [unowned self] in makeLane($0) }
        let pid = Reaper.shared.spawning {
            let pid = Spawner.shared.run { kn_lane_spawn(path, name, far) }
            // Before its death can be told.
            process.withLock { $0.pid = max(pid, 0) }
            return pid
        } _: { [weak self] _, status in
            self?.hostEnded(status)
        }
        guard pid > 0 else {
            actor.site.report(0, "\(name): \(path) cannot be started: \(String(cString: strerror(-pid)))")
            return K_EHOST
        }
        actor.hostPid = pid
        return K_OK
    }

    private func makeLane(_ index: UInt32) -> UpcallLane? {
        let descriptor = kn_lane_memfd("lane")
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        guard let lane = Lane(descriptor: descriptor, index: index, side: .nucleus, policy: .standard(.nucleus)) else {
            return nil
        }
        let wait = UpcallWait(lane)
        lane.waiting = wait
        lane.willSleep = willSleep
        lane.violated = { [unowned self] what in
            actor.site.report(0, "\(actor.name): broke the lane protocol (\(what)); its host process is killed")
            kill()
        }
        var note = KnLaneNote(kind: KN_LANE_NOTE_LANE, lane: index)
        return send(&note, descriptor) ? UpcallLane(lane: lane, wait: wait) : nil
    }

    private func send(_ note: inout KnLaneNote, _ descriptor: Int32) -> Bool {
        withSocket { kn_lane_send_fd($0, &note, UInt32(MemoryLayout<KnLaneNote>.size), descriptor) == 0 } ?? false
    }

    /// Nil once it is retired; else it stays open meanwhile.
    func withSocket<Result>(_ body: (Int32) -> Result) -> Result? {
        let socket = process.withLock { process -> Int32 in
            guard !process.isRetired, process.socket >= 0 else { return -1 }
            process.users += 1
            return process.socket
        }
        guard socket >= 0 else { return nil }
        defer {
            process.withLock { process in
                process.users -= 1
                Self.closeIfRetired(&process)
            }
        }
        return body(socket)
    }

    /// The host process is gone, or killed.
    private func retire() {
        pool?.end()
        (actor.arena as? LaneArena)?.retire()
        process.withLock { process in
            process.isRetired = true
            Self.closeIfRetired(&process)
        }
    }

    private static func closeIfRetired(_ process: inout Process) {
        guard process.isRetired, process.users == 0, process.socket >= 0 else { return }
        close(process.socket)
        process.socket = -1
    }

    // MARK: calls down

    /// A result of the actor, or a `K_*` code; K_EDEADSERVER when its process is gone.
    func downcall(_ op: UInt32, _ target: UInt64, _ slots: UnsafeMutablePointer<UInt64>) -> Int64 {
        guard let plan = plans.downward(op) else { return Int64(K_ENOSYS) }
        return downcall(op, target, slots, plan)
    }

    func downcall(
        _ op: UInt32, _ target: UInt64, _ slots: UnsafeMutablePointer<UInt64>, _ plan: UnsafeMutablePointer<CallPlan>
    ) -> Int64 {
        guard let pool else { return Int64(K_EDEADSERVER) }
        let thread = Thread.current(actor.site, in: actor)
        let lane: UpcallLane
        switch pool.take(thread) {
        case .lane(let taken): lane = taken
        case .refused(let code): return Int64(code)
        }
        // The client of a message or a trap may leave the handler behind; who calls anything else stays until the actor is
        // gone.
        let isClients =
            op == KN_LANE_HANDLER | K_HDL_MESSAGE || op == KN_LANE_MOVED | K_HDL_MESSAGE || op & KN_LANE_TRAP != 0
            || (op == KN_LANE_HANDLER | K_HDL_TRAP || op == KN_LANE_HANDLER | K_HDL_FAULT)
                && thread.handlerBound.isAbortable
        if isClients { lane.wait.begin(thread) }
        // Elsewhere the thread is somebody else's, who calls this actor for a moment.
        let isOwnThread = op == KN_LANE_HANDLER | K_HDL_THREAD
        if isOwnThread, thread.hasSchedule { lane.lane.waitForWorker() }
        if isOwnThread { thread.setPeer(LanePeer(lane.lane, process: process.withLock { $0.pid })) }
        LaneServing.call(on: lane.lane)
        let result = lane.lane.call(op, target, plan, slots, self)
        if isOwnThread { thread.setPeer(nil) }
        let passesAbort = isClients && lane.wait.end(thread, result)
        if lane.lane.isLeft {
            actor.site.takeOver(LeftUpcall(self, lane), from: thread, aborted: passesAbort)
        } else {
            pool.give(lane)
        }
        return result
    }

    func start(_ request: LoadRequest) -> (code: Int32, why: String) {
        var ops = KnActorOps()
        ops.size = UInt32(MemoryLayout<KnActorOps>.size)
        var why = [CChar](repeating: 0, count: Int(KN_LANE_WHY))
        let code: Int64 = request.object.withCString { object in
            request.name.withCString { name in
                request.options.withCString { options in
                    withUnsafeMutablePointer(to: &ops) { ops in
                        why.withUnsafeMutableBufferPointer { why in
                            var slots: [UInt64] = [
                                UInt64(UInt(bitPattern: object)), UInt64(UInt(bitPattern: name)),
                                UInt64(UInt(bitPattern: options)), UInt64(request.generation),
                                UInt64(request.groupStamp), UInt64(UInt(bitPattern: ops)),
                                UInt64(UInt(bitPattern: why.baseAddress)), 0, 0, 0, 0, 0,
                            ]
                            return slots.withUnsafeMutableBufferPointer { slots in
                                guard let base = slots.baseAddress else { return Int64(K_ENOMEM) }
                                return downcall(KN_LANE_MAIN, 0, base)
                            }
                        }
                    }
                }
            }
        }
        let filled = OperationTable(ops: ops)
        operations.withLock { $0 = filled }
        if code >= 0 { return (Int32(truncatingIfNeeded: code), "") }
        why[why.count - 1] = 0
        let said = why.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
        let fallback =
            code == Int64(K_EDEADSERVER)
            ? "\(request.name): the host process died while the server started"
            : "\(request.name): kn_actor_main refused with \(code)"
        return (Int32(truncatingIfNeeded: code), said.isEmpty ? fallback : said)
    }

    func operate(_ operation: ActorOperation, _ slots: [UInt64]) -> Int32 {
        let ops = operations.withLock { $0 }.ops
        let function = operation.function(ops)
        guard function != 0 else { return K_ENOSYS }
        return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: Int(K_SIG_ARGMAX)) { room in
            guard let base = room.baseAddress else { return K_ENOMEM }
            base[0] = UInt64(UInt(bitPattern: ops.instance))
            for (index, slot) in slots.enumerated() { base[index + 1] = slot }
            return Int32(truncatingIfNeeded: downcall(KN_LANE_OP | operation.rawValue, function, base))
        }
    }

    // MARK: the end

    /// The nucleus deleted the actor.
    func actorDeleted() {
        process.withLock { $0.expected = true }
        kill()
        retire()
    }

    func send(cache: Int32, readOnly: Bool) -> Int32 {
        let descriptor = readOnly ? actor.site.host.cacheReopen(cache) : cache
        guard descriptor >= 0 else { return descriptor }
        defer { if readOnly { close(descriptor) } }
        var note = KnLaneNote(kind: KN_LANE_NOTE_CACHE, lane: 0)
        return send(&note, descriptor) ? K_OK : K_EDEADSERVER
    }

    private func kill() {
        let pid = process.withLock { $0.pid }
        if pid > 0 { Reaper.shared.signal(pid, SIGKILL) }
    }

    /// On the reaper's thread.
    private func hostEnded(_ status: Int32) {
        let (pid, expected) = process.withLock { ($0.pid, $0.expected) }
        retire()
        guard !expected else { return }
        let signal = status & 0x7f
        let how = signal != 0 ? "signal \(signal)" : "exit status \(status >> 8 & 0xff)"
        actor.site.report(0, "\(actor.name): host process \(pid) died (\(how))")
        let (site, actor) = (actor.site, actor)
        // Deleting drains the actor's handlers, which no other death should have to wait for.
        _ = site.host.startThread(name: "kn-bury", stackSize: 256 * 1024) { site.serverDied(actor) }
    }
}

/// The far half of a user actor's thread: the worker of its lane in the host process.
private final class LanePeer: HostPeer {
    private let lane: Lane
    private let process: Int32

    init(_ lane: Lane, process: Int32) {
        self.lane = lane
        self.process = process
    }

    var place: (process: Int32, thread: Int32) { (process, lane.worker) }
}
