import CChorus
import CLane
import Glibc
import KnLane

/// Calls of the user actor up to the nucleus.
extension UserActor: LaneServer {
    func plan(_ op: UInt32) -> UnsafeMutablePointer<CallPlan>? {
        if op < CallPlans.callCount { return plans.calls + Int(op) }
        if op == KN_LANE_FAULT { return plans.fault }
        return op & KN_LANE_TRAP != 0 ? plans.traps.plan(op & ~KN_LANE_TRAP) : nil
    }

    func perform(
        _ lane: Lane, _ op: UInt32, _ target: UInt64, _ plan: UnsafeMutablePointer<CallPlan>,
        _ slots: UnsafeMutablePointer<UInt64>, _ lengths: Lengths
    ) -> Int64 {
        if op & KN_LANE_TRAP != 0 {
            // The cookie's place is empty on the way here.
            let code = actor.site.raise(
                UInt32(truncatingIfNeeded: target >> 32), UInt32(truncatingIfNeeded: target), by: actor,
                signature: op & ~KN_LANE_TRAP, slots + 1)
            return Int64(code)
        }
        if op == KN_LANE_FAULT { return fault(slots) }
        // Its arguments may be pointers: they are brought here by the signature of what is raised, or not at all.
        if op == trapRaise { return Int64(K_ENOSYS) }
        let table = UnsafeRawPointer(actor.table)
        let members = table + MemoryLayout<KnNucleus>.size - CallPlans.callCount * 8
        guard let function = members.load(fromByteOffset: Int(op) * 8, as: UnsafeRawPointer?.self) else {
            return Int64(K_ENOSYS)
        }
        let own = actor.table.pointee.`self`
        if plan.pointee.handler >= 0 { return connect(op, plan, function, slots) }
        if plan.pointee.descriptor >= 0 { return carryDescriptor(lane, plan, function, slots) }
        let deleted = op == eventDelete ? name(at: slots[0]) : nil
        let outer = LaneServing.begin(lane)
        let result = plan.pointee.call(function, self: own, slots)
        LaneServing.end(lane, outer)
        if let deleted, result >= 0 { boxes.eventDeleted(deleted) }
        return result
    }

    private func fault(_ slots: UnsafeMutablePointer<UInt64>) -> Int64 {
        guard let exception = UnsafeMutablePointer<KnException>(bitPattern: UInt(slots[0])),
            let place = UnsafePointer<CChar>(bitPattern: UInt(slots[1]))
        else { return Int64(K_EFAULT) }
        return Int64(actor.decide(&exception.pointee, at: String(cString: place)) ? K_CONTEXT : K_OK)
    }

    /// A call that takes a handler: the function of the host process becomes an entry point and a box of ours.
    private func connect(
        _ op: UInt32, _ plan: UnsafeMutablePointer<CallPlan>, _ function: UnsafeRawPointer,
        _ slots: UnsafeMutablePointer<UInt64>
    ) -> Int64 {
        let (handler, cookie) = (plan.pointee.handler, plan.pointee.handler + 1)
        let kind = plan.pointee.argument(handler).size
        let name = HandlerBox.Name(kind: kind, function: slots[handler], cookie: slots[cookie])
        if name.function != 0 {
            guard let box = boxes.box(self, name) else { return Int64(K_ENOMEM) }
            slots[handler] = HandlerBox.entry(kind)
            slots[cookie] = UInt64(UInt(bitPattern: box))
        }
        let result = plan.pointee.call(function, self: actor.table.pointee.`self`, slots)
        if op == eventCreate, result >= 0, let event = self.name(at: slots[2]) { boxes.eventCreated(event, name) }
        return result
    }

    /// A call that carries a descriptor, which waits in the socket. Ours is a copy, and gone after the call.
    private func carryDescriptor(
        _ lane: Lane, _ plan: UnsafeMutablePointer<CallPlan>, _ function: UnsafeRawPointer,
        _ slots: UnsafeMutablePointer<UInt64>
    ) -> Int64 {
        var note = KnLaneNote()
        var descriptor: Int32 = -1
        let size = arriving.withLock { _ in
            withSocket { kn_lane_recv_fd($0, &note, UInt32(MemoryLayout<KnLaneNote>.size), &descriptor, 0) } ?? -1
        }
        guard descriptor >= 0 else { return Int64(K_EINVAL) }
        defer { close(descriptor) }
        guard size == Int32(MemoryLayout<KnLaneNote>.size), note.kind == KN_LANE_NOTE_FD, note.lane == lane.index else {
            return Int64(K_EINVAL)
        }
        slots[plan.pointee.descriptor] = UInt64(descriptor)
        return plan.pointee.call(function, self: actor.table.pointee.`self`, slots)
    }

    /// The UI at the start of the capability in `slot`.
    private func name(at slot: UInt64) -> KnUniqueId? {
        UnsafePointer<KnCap>(bitPattern: UInt(slot))?.pointee.ui
    }
}
