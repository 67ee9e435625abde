import CChorus
import CLane

/// The plans of the nucleus table, of the handlers, of the actor operations and of actor loading.
public final class CallPlans: @unchecked Sendable {  // Sendable: nothing changes after init.
    public let calls: UnsafeMutablePointer<CallPlan>
    public let handlers: UnsafeMutablePointer<CallPlan>
    public let operations: UnsafeMutablePointer<CallPlan>
    public let main: UnsafeMutablePointer<CallPlan>
    /// Of message handlers whose body is moved.
    public let moved: UnsafeMutablePointer<CallPlan>
    public let fault: UnsafeMutablePointer<CallPlan>
    public let traps: TrapPlans
    public static let callCount =
        (MemoryLayout<KnNucleus>.size - (MemoryLayout<KnNucleus>.offset(of: \.`self`) ?? 0) - 8) / 8
    public static let handlerCount = Int(K_HDL_COUNT)
    public static let operationCount = 5

    /// nil when a signature of the headers contradicts itself: a build error in all but name.
    public init?() {
        guard let traps = TrapPlans() else { return nil }
        self.traps = traps
        calls = .allocate(capacity: CallPlans.callCount)
        handlers = .allocate(capacity: CallPlans.handlerCount)
        operations = .allocate(capacity: CallPlans.operationCount)
        main = .allocate(capacity: 1)
        moved = .allocate(capacity: 1)
        fault = .allocate(capacity: 1)
        for op in 0..<CallPlans.callCount {
            guard let plan = CallPlan(kn_nucleus_signature(UInt32(op)), hasSelf: true) else { return nil }
            (calls + op).initialize(to: plan)
        }
        for kind in 0..<CallPlans.handlerCount {
            guard let plan = CallPlan(kn_handler_signature(UInt32(kind)), hasSelf: false) else { return nil }
            (handlers + kind).initialize(to: plan)
        }
        for op in 0..<CallPlans.operationCount {
            guard let plan = CallPlan(kn_actor_op_signature(UInt32(op)), hasSelf: false) else { return nil }
            (operations + op).initialize(to: plan)
        }
        guard let plan = CallPlan(kn_lane_main_signature(), hasSelf: false) else { return nil }
        main.initialize(to: plan)
        guard let plan = CallPlan(kn_lane_moved_signature(), hasSelf: false) else { return nil }
        moved.initialize(to: plan)
        guard let plan = CallPlan(kn_lane_fault_signature(), hasSelf: false) else { return nil }
        fault.initialize(to: plan)
    }

    /// The plan of a call towards the actor (`KnLaneMsg.op`).
    public func downward(_ op: UInt32) -> UnsafeMutablePointer<CallPlan>? {
        if op & KN_LANE_TRAP != 0 { return traps.plan(op & ~KN_LANE_TRAP) }
        let number = Int(op & 0xff)
        switch op & ~0xff {
        case KN_LANE_HANDLER: return number < CallPlans.handlerCount ? handlers + number : nil
        case KN_LANE_OP: return number < CallPlans.operationCount ? operations + number : nil
        case KN_LANE_MOVED: return number == K_HDL_MESSAGE ? moved : nil
        case KN_LANE_MAIN: return number == 0 ? main : nil
        default: return nil
        }
    }

    /// The position of a nucleus call in the table, by the name in its signature.
    public func call(named name: StaticString) -> Int? {
        for op in 0..<CallPlans.callCount
        where name.withUTF8Buffer({ wanted in
            guard let found = calls[op].signature.pointee.name else { return false }
            for (index, byte) in wanted.enumerated() where UInt8(bitPattern: found[index]) != byte { return false }
            return found[wanted.count] == 0
        }) {
            return op
        }
        return nil
    }

    /// The same as a lane carries it; `callCount`, which no call has, where there is none.
    public func number(of name: StaticString) -> UInt32 { UInt32(call(named: name) ?? CallPlans.callCount) }

    deinit {
        for op in 0..<CallPlans.callCount { calls[op].destroy() }
        for kind in 0..<CallPlans.handlerCount { handlers[kind].destroy() }
        for op in 0..<CallPlans.operationCount { operations[op].destroy() }
        main.pointee.destroy()
        moved.pointee.destroy()
        fault.pointee.destroy()
        calls.deallocate()
        handlers.deallocate()
        operations.deallocate()
        main.deallocate()
        moved.deallocate()
        fault.deallocate()
    }
}
