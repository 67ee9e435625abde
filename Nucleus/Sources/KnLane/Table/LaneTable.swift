import CChorus
import CFFI
import CLane
import Glibc

/// Where the calls of a table made here arrive.
public protocol CallSink: AnyObject {
    /// Call `op` of the nucleus table with its arguments behind `self`.
    func call(_ op: UInt32, _ slots: UnsafeMutablePointer<UInt64>) -> Int64
}

/// A `KnNucleus` whose members are made from the signatures: libffi closures, or the compiled entry points where the
/// host refuses the page that closures need. Lives as long as the process: servers keep pointers into it.
public final class LaneTable: @unchecked Sendable {  // Sendable: nothing changes after init.
    public let table: UnsafeMutablePointer<KnNucleus>
    public let usesClosures: Bool
    private let own: UnsafeMutablePointer<LaneTableSelf>

    public init(_ plans: CallPlans, _ sink: any CallSink, closures: Bool = true) {
        table = .allocate(capacity: 1)
        memset(table, 0, MemoryLayout<KnNucleus>.size)
        own = .allocate(capacity: 1)
        own.initialize(
            to: LaneTableSelf(
                thunk: KnThunkSelf(dispatch: { own, op, slots in
                    guard let own, let slots else { return Int64(K_EINVAL) }
                    let holder = UnsafeMutableRawPointer(own).assumingMemoryBound(to: LaneTableSelf.self)
                    return holder.pointee.sink.call(op, slots)
                }), sink: sink))
        table.pointee.size = UInt32(MemoryLayout<KnNucleus>.size)
        table.pointee.abiMajor = UInt16(K_ABI_MAJOR)
        table.pointee.abiMinor = UInt16(K_ABI_MINOR)
        table.pointee.`self` = UnsafeMutableRawPointer(own)
        let members = UnsafeMutableRawPointer(table) + MemoryLayout<KnNucleus>.size - CallPlans.callCount * 8
        var all = closures
        for op in 0..<CallPlans.callCount {
            let closure = all ? LaneTable.closure(plans.calls + op, UInt32(op)) : nil
            all = all && closure != nil
            members.storeBytes(
                of: closure ?? kn_lane_thunk(UInt32(op)), toByteOffset: op * 8, as: UnsafeRawPointer?.self)
        }
        usesClosures = all
    }

    private static func closure(_ plan: UnsafeMutablePointer<CallPlan>, _ op: UInt32) -> UnsafeRawPointer? {
        var code: UnsafeMutableRawPointer?
        guard let closure = kn_ffi_closure_alloc(&code), let code else { return nil }
        let user = UnsafeMutablePointer<ClosureUser>.allocate(capacity: 1)
        user.initialize(to: ClosureUser(plan: plan, op: op))
        let failed = kn_ffi_closure(closure, plan.pointee.cif, closureBody, UnsafeMutableRawPointer(user), code)
        return failed == 0 ? UnsafeRawPointer(code) : nil
    }
}

/// `self` of the table: begins with what the compiled entry points look for.
private struct LaneTableSelf {
    var thunk: KnThunkSelf
    let sink: any CallSink
}

private struct ClosureUser {
    let plan: UnsafeMutablePointer<CallPlan>
    let op: UInt32
}

private let closureBody:
    @convention(c) (
        UnsafeMutablePointer<ffi_cif>?, UnsafeMutableRawPointer?, UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
        UnsafeMutableRawPointer?
    ) -> Void = { _, result, values, user in
        guard let result, let values, let user, let own = values[0] else { return }
        let closure = user.assumingMemoryBound(to: ClosureUser.self)
        let plan = closure.pointee.plan
        let returned = withUnsafeTemporaryAllocation(of: UInt64.self, capacity: Int(K_SIG_ARGMAX)) { slots in
            for index in 0..<plan.pointee.count {
                guard let value = values[index + 1] else { continue }
                switch UInt32(plan.pointee.argument(index).type) {
                case K_ARG_I32, K_ARG_U32, K_ARG_FD: slots[index] = UInt64(value.load(as: UInt32.self))
                default: slots[index] = value.load(as: UInt64.self)
                }
            }
            guard let thunk = own.load(as: UnsafeMutablePointer<KnThunkSelf>?.self), let base = slots.baseAddress else {
                return Int64(K_EINVAL)
            }
            return thunk.pointee.dispatch(thunk, closure.pointee.op, base)
        }
        result.storeBytes(of: returned, as: Int64.self)
    }
