import CChorus
import CLane
import KnLane
import NucleusCore

/// Specific handlers of traps: of supervisors through libffi, of user actors through their lanes.
final class LaneTrapBinder: TrapBinder {
    private let plans: CallPlans

    init(_ plans: CallPlans) { self.plans = plans }

    func signature(of entry: KnTrapEntry) -> UInt32? { plans.traps.number(of: entry) }

    func call(
        _ owner: Actor, _ entry: KnTrapEntry, _ signature: UInt32, _ slots: UnsafeMutablePointer<UInt64>
    ) -> Int32 {
        guard let plan = plans.traps.plan(signature), let handler = entry.handler else { return K_ENOSYS }
        let function = unsafeBitCast(handler, to: UnsafeRawPointer.self)
        guard owner.privilege != K_SUPACTOR else {
            return Int32(truncatingIfNeeded: plan.pointee.call(function, slots))
        }
        // The actor's host has numbered the signature itself.
        guard let host = owner.guest as? UserActor else { return K_ENOSYS }
        let binding = entry.binding & ~KN_LANE_TRAP
        return Int32(
            truncatingIfNeeded: host.downcall(
                KN_LANE_TRAP | binding, UInt64(UInt(bitPattern: function)), slots, plan))
    }
}
