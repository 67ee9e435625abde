import CChorus
import CLane
import Glibc
import Synchronization
import Testing

@testable import KnLane

/// Both ends of a lane in one process, the actor's on a thread of its own.
final class Pair: @unchecked Sendable {
    let nucleus: Lane
    let actor: Lane
    private var thread = pthread_t()
    private let server: any LaneServer

    init?(_ policy: LanePolicy? = nil, _ make: (Lane) -> any LaneServer) {
        let descriptor = kn_lane_memfd("test")
        defer { close(descriptor) }
        guard descriptor >= 0,
            let nucleus = Lane(descriptor: descriptor, index: 0, side: .nucleus, policy: policy ?? .standard(.nucleus)),
            let actor = Lane(descriptor: descriptor, index: 0, side: .actor, policy: policy ?? .standard(.actor))
        else { return nil }
        (self.nucleus, self.actor) = (nucleus, actor)
        server = make(actor)
        let started = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let pair = Unmanaged<Pair>.fromOpaque(argument).takeUnretainedValue()
                pair.actor.run(pair.server)
                return nil
            }, Unmanaged.passUnretained(self).toOpaque())
        if started != 0 { return nil }
    }

    func stop() {
        actor.end()
        pthread_join(thread, nil)
    }
}

/// Answers messages with their sum; when told to, asks the other side first.
final class Answering: LaneServer, @unchecked Sendable {
    let plans: CallPlans
    weak var lane: Lane?
    let served = Atomic<Int>(0)
    let upcall: Bool
    init(_ plans: CallPlans, upcall: Bool) { (self.plans, self.upcall) = (plans, upcall) }

    func plan(_ op: UInt32) -> UnsafeMutablePointer<CallPlan>? {
        op < 0x100 ? plans.calls + Int(op) : plans.downward(op)
    }

    func perform(
        _ lane: Lane, _ op: UInt32, _ target: UInt64, _ plan: UnsafeMutablePointer<CallPlan>,
        _ slots: UnsafeMutablePointer<UInt64>, _ lengths: Lengths
    ) -> Int64 {
        served.wrappingAdd(1, ordering: .relaxed)
        // An event handler: cookie, bits. Bits count down and come back up as nested calls.
        let bits = slots[1]
        guard upcall || op < 0x100, bits > 0, op != 0 else { return Int64(bits) + 1 }
        return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 12) { room in
            guard let next = room.baseAddress else { return -1 }
            next[0] = 0
            next[1] = bits - 1
            if lane.side == .actor {
                // eventPost(NULL, bits)
                let op = UInt32(plans.call(named: "eventPost") ?? 0)
                return lane.call(op, 0, plans.calls + Int(op), next, self) + 1
            }
            return lane.call(KN_LANE_HANDLER | K_HDL_EVENT, 1, plans.handlers + Int(K_HDL_EVENT), next, self) + 1
        }
    }
}

func eventCall(_ pair: Pair, _ plans: CallPlans, _ bits: UInt64, _ server: any LaneServer) -> Int64 {
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 12) { slots in
        slots.initialize(repeating: 0)
        slots[1] = bits
        guard let base = slots.baseAddress else { return -1 }
        return pair.nucleus.call(
            KN_LANE_HANDLER | K_HDL_EVENT, 1, plans.handlers + Int(K_HDL_EVENT), base, server)
    }
}

private func nanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

@Suite(.serialized) struct LaneTests {
    /// The two hand-off policies: with polling, and without.
    static let policies = [
        LanePolicy.standard(.nucleus), LanePolicy(spinNanoseconds: 0, yieldNanoseconds: 0, sleepMilliseconds: 0),
    ]

    @Test(arguments: [0, 1]) func pingPong(_ policy: Int) throws {
        let plans = try #require(CallPlans())
        let server = Answering(plans, upcall: false)
        let pair = try #require(Pair(LaneTests.policies[policy]) { _ in server })
        for number in 0..<2000 { #expect(eventCall(pair, plans, UInt64(number), server) == Int64(number) + 1) }
        #expect(server.served.load(ordering: .relaxed) == 2000)
        pair.stop()
    }

    @Test(arguments: [0, 1]) func nestedCallsGoUpAndDown(_ policy: Int) throws {
        let plans = try #require(CallPlans())
        let server = Answering(plans, upcall: true)
        let pair = try #require(Pair(LaneTests.policies[policy]) { _ in server })
        for _ in 0..<200 { #expect(eventCall(pair, plans, 20, server) == 21) }
        #expect(pair.nucleus.depth == 0)
        pair.stop()
    }

    @Test func recursionHasAnEnd() throws {
        let plans = try #require(CallPlans())
        let server = Answering(plans, upcall: true)
        let pair = try #require(Pair { _ in server })
        #expect(eventCall(pair, plans, 1000, server) < 0)
        #expect(eventCall(pair, plans, 3, server) == 4, "and the lane still works")
        pair.stop()
    }

    @Test func deathEndsAWait() throws {
        final class Stuck: LaneServer, @unchecked Sendable {
            let plans: CallPlans
            let inside = Atomic<Bool>(false)
            let leave = Atomic<Bool>(false)
            init(_ plans: CallPlans) { self.plans = plans }
            func plan(_ op: UInt32) -> UnsafeMutablePointer<CallPlan>? { plans.downward(op) }
            func perform(
                _ lane: Lane, _ op: UInt32, _ target: UInt64, _ plan: UnsafeMutablePointer<CallPlan>,
                _ slots: UnsafeMutablePointer<UInt64>, _ lengths: Lengths
            ) -> Int64 {
                inside.store(true, ordering: .releasing)
                while !leave.load(ordering: .acquiring) { sched_yield() }
                return 0
            }
        }
        let plans = try #require(CallPlans())
        let server = Stuck(plans)
        let pair = try #require(Pair { _ in server })
        var killer = pthread_t()
        let box = Unmanaged.passRetained(pair.nucleus)
        let stuck = Unmanaged.passUnretained(server)
        let arguments = UnsafeMutablePointer<(UnsafeMutableRawPointer, UnsafeMutableRawPointer)>.allocate(capacity: 1)
        arguments.initialize(to: (box.toOpaque(), stuck.toOpaque()))
        pthread_create(
            &killer, nil,
            { argument in
                guard let argument else { return nil }
                let both = argument.assumingMemoryBound(to: (UnsafeMutableRawPointer, UnsafeMutableRawPointer).self)
                let server = Unmanaged<Stuck>.fromOpaque(both.pointee.1).takeUnretainedValue()
                while !server.inside.load(ordering: .acquiring) { sched_yield() }
                Unmanaged<Lane>.fromOpaque(both.pointee.0).takeRetainedValue().end()
                return nil
            }, UnsafeMutableRawPointer(arguments))
        #expect(eventCall(pair, plans, 1, server) == Int64(K_EDEADSERVER))
        #expect(eventCall(pair, plans, 1, server) == Int64(K_EDEADSERVER))
        pthread_join(killer, nil)
        arguments.deallocate()
        server.leave.store(true, ordering: .releasing)
        pair.stop()
    }

    /// The actor's side writes nonsense and rings: the nucleus gives the lane up and says why.
    @Test func nonsenseKillsTheLane() throws {
        let plans = try #require(CallPlans())
        var random = Seeded()
        for _ in 0..<300 {
            let descriptor = kn_lane_memfd("test")
            defer { close(descriptor) }
            let lane = try #require(
                Lane(descriptor: descriptor, index: 0, side: .nucleus, policy: .standard(.nucleus)))
            let other = try #require(Lane(descriptor: descriptor, index: 0, side: .actor, policy: .standard(.actor)))
            let violations = Counter()
            lane.violated = { _ in violations.count.wrappingAdd(1, ordering: .relaxed) }
            random.fill(.init(start: other.outFrame, count: 256))
            other.depth = random.chance(50) ? UInt32(random.below(4)) : UInt32(truncatingIfNeeded: random.next())
            // A request for something unknown would be answered and waited on, so calls have a wrong depth here.
            let kind = UInt32(random.below(5))
            if kind == KN_LANE_CALL, other.depth == 2 { other.depth = 3 }
            if kind == KN_LANE_RETURN, other.depth == 1 { other.depth = 2 }
            other.send(
                kind, UInt32(random.below(3)), Int(random.next() >> 32), random.next(), call: UInt32(random.below(3)))
            withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 12) { slots in
                slots.initialize(repeating: 0)
                guard let base = slots.baseAddress else { return }
                let server = Answering(plans, upcall: false)
                let result = lane.call(
                    KN_LANE_HANDLER | K_HDL_EVENT, 1, plans.handlers + Int(K_HDL_EVENT), base, server)
                #expect(result == Int64(K_EDEADSERVER))
            }
            #expect(violations.count.load(ordering: .relaxed) == 1)
            #expect(lane.isDead)
        }
    }

    final class Counter: Sendable { let count = Atomic<Int>(0) }

    /// Leaves every call as soon as the other side lets it sleep.
    private final class Impatient: LaneWaiting {
        var isOn = true
        var deadline: UInt64 { UInt64.max }
        func begin(_ lane: Lane) -> Int32? { isOn ? K_ETIMEOUT : nil }
        func end(arrived: Bool) -> Int32? { nil }
    }

    /// The answer to a call that was left is not taken for that of the next one, and bells without messages are nothing.
    @Test(arguments: [0, 1]) func lateAnswers(_ policy: Int) throws {
        final class Slow: LaneServer, @unchecked Sendable {
            let plans: CallPlans
            let go = Atomic<Bool>(false)
            init(_ plans: CallPlans) { self.plans = plans }
            func plan(_ op: UInt32) -> UnsafeMutablePointer<CallPlan>? { plans.downward(op) }
            func perform(
                _ lane: Lane, _ op: UInt32, _ target: UInt64, _ plan: UnsafeMutablePointer<CallPlan>,
                _ slots: UnsafeMutablePointer<UInt64>, _ lengths: Lengths
            ) -> Int64 {
                while slots[1] > 100, !go.load(ordering: .acquiring) { sched_yield() }
                return Int64(slots[1])
            }
        }
        let plans = try #require(CallPlans())
        let server = Slow(plans)
        let pair = try #require(Pair(LaneTests.policies[policy]) { _ in server })
        let waiting = Impatient()
        pair.nucleus.waiting = waiting
        for round in 0..<50 {
            server.go.store(false, ordering: .releasing)
            waiting.isOn = true
            #expect(eventCall(pair, plans, 101, server) == Int64(K_ETIMEOUT))
            #expect(pair.nucleus.isLeft)
            waiting.isOn = false
            for _ in 0..<round { pair.nucleus.ring() }
            server.go.store(true, ordering: .releasing)
            pair.nucleus.finish(server)
            #expect(!pair.nucleus.isLeft && pair.nucleus.depth == 0)
            #expect(eventCall(pair, plans, 7, server) == 7)
        }
        pair.stop()
    }

    /// Whoever can write to the lane can make up a return; but none that is taken for another call's.
    @Test func aReturnOfAnotherCallIsAViolation() throws {
        let plans = try #require(CallPlans())
        let descriptor = kn_lane_memfd("test")
        defer { close(descriptor) }
        let lane = try #require(Lane(descriptor: descriptor, index: 0, side: .nucleus, policy: .standard(.nucleus)))
        let other = try #require(Lane(descriptor: descriptor, index: 0, side: .actor, policy: .standard(.actor)))
        let violations = Counter()
        lane.violated = { _ in violations.count.wrappingAdd(1, ordering: .relaxed) }
        other.depth = 1
        other.outFrame.storeBytes(of: 5, as: UInt64.self)
        let server = Answering(plans, upcall: false)
        let pair = { (call: UInt32) in
            other.send(KN_LANE_RETURN, KN_LANE_REPLY, 8, 0, call: call)
            return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 12) { slots in
                slots.initialize(repeating: 0)
                guard let base = slots.baseAddress else { return Int64(0) }
                return lane.call(KN_LANE_HANDLER | K_HDL_EVENT, 1, plans.handlers + Int(K_HDL_EVENT), base, server)
            }
        }
        #expect(pair(1) == 5)
        #expect(pair(1) == Int64(K_EDEADSERVER))
        #expect(violations.count.load(ordering: .relaxed) == 1 && lane.isDead)
    }

    /// Not a test of time: prints what a call costs here.
    @Test func cost() throws {
        let plans = try #require(CallPlans())
        let server = Answering(plans, upcall: false)
        let pair = try #require(Pair { _ in server })
        var best = UInt64.max
        for _ in 0..<200 {
            let start = nanoseconds()
            for _ in 0..<500 { _ = eventCall(pair, plans, 0, server) }
            best = min(best, nanoseconds() - start)
        }
        print("null call over a lane between two threads: \(best / 500) ns (best of 200 x 500)")
        pair.stop()
        #expect(server.served.load(ordering: .relaxed) == 100_000)
    }
}

@Suite struct TableTests {
    final class Recorder: CallSink, @unchecked Sendable {
        var op: UInt32 = 0
        var slots: [UInt64] = []
        func call(_ op: UInt32, _ slots: UnsafeMutablePointer<UInt64>) -> Int64 {
            self.op = op
            self.slots = (0..<12).map { slots[$0] }
            return -1234
        }
    }

    /// Closures and compiled entry points pass on the same call with the same arguments.
    @Test(arguments: [true, false]) func everyMemberArrives(_ closures: Bool) throws {
        let plans = try #require(CallPlans())
        var random = Seeded()
        let recorder = Recorder()
        let table = LaneTable(plans, recorder, closures: closures)
        if !closures { #expect(!table.usesClosures) }
        let members = UnsafeRawPointer(table.table) + MemoryLayout<KnNucleus>.size - CallPlans.callCount * 8
        for op in 0..<CallPlans.callCount {
            let member = try #require(members.load(fromByteOffset: op * 8, as: UnsafeRawPointer?.self))
            var slots = (0..<12).map { _ in random.next() }
            let plan = plans.calls[op]
            #expect(plan.call(member, self: table.table.pointee.`self`, &slots) == -1234)
            #expect(recorder.op == UInt32(op))
            for index in 0..<plan.count {
                let kind = plan.argument(index).type
                #expect(
                    CallPlan.normalized(kind, recorder.slots[index]) == CallPlan.normalized(kind, slots[index]),
                    "call \(op) argument \(index)")
            }
        }
    }
}
