import CChorus
import CLane
import KnLane
import Synchronization

/// Traps of this actor and of others. What a handler takes is known at run time only, so both ways travel by plans that
/// are made here: of its own tables when they are connected, of others' when they are first raised.
final class HostTraps: Sendable {
    private struct Known {
        /// The nucleus' number for the signature, and ours.
        let signature: UInt32
        let plan: UInt32
    }
    private let known = Mutex<[UInt64: Known]>([:])
    private static let most = 4096
    let table: UInt32
    let raise: UInt32
    private let entry: UInt32

    init(_ plans: CallPlans) {
        table = plans.number(of: "svTrapTable")
        raise = plans.number(of: "trapRaise")
        entry = plans.number(of: "trapEntry")
    }

    /// svTrapTable: tells the nucleus by which plan each handler is to be called here.
    func connect(_ lane: Lane, _ host: ActorHost, _ slots: UnsafeMutablePointer<UInt64>) -> Int64 {
        let count = Int(UInt32(truncatingIfNeeded: slots[2]))
        guard count > 0, count <= Int(K_TRAPENTRYMAX) else { return Int64(K_EINVAL) }
        guard let given = UnsafePointer<KnTrapEntry>(bitPattern: UInt(slots[1])) else { return Int64(K_EFAULT) }
        var entries = Array(UnsafeBufferPointer(start: given, count: count))
        for index in entries.indices where entries[index].handler != nil {
            guard let plan = host.plans.traps.number(of: entries[index]) else { return Int64(K_EINVAL) }
            entries[index].binding = plan
        }
        return entries.withUnsafeBufferPointer { entries in
            slots[1] = UInt64(UInt(bitPattern: entries.baseAddress))
            return lane.call(table, 0, host.plans.calls + Int(table), slots, host)
        }
    }

    /// trapRaise: by the signature that the nucleus tells, once for each.
    func raise(_ lane: Lane, _ host: ActorHost, _ slots: UnsafeMutablePointer<UInt64>) -> Int64 {
        let target = slots[0] << 32 | UInt64(UInt32(truncatingIfNeeded: slots[1]))
        let result = UnsafeMutablePointer<Int64>(bitPattern: UInt(slots[3]))
        var isFresh = false
        while true {
            let found: Known
            if let seen = isFresh ? nil : known.withLock({ $0[target] }) {
                found = seen
            } else {
                switch ask(lane, host, target) {
                case .success(let told): found = told
                case .failure(let refusal): return Int64(refusal.code)
                }
            }
            guard let plan = host.plans.traps.plan(found.plan) else { return Int64(K_EINVAL) }
            let isGeneral = found.signature == TrapPlans.general
            let words = plan.pointee.count - (isGeneral ? 2 : 1)
            guard
                let args = words > 0 ? UnsafePointer<UInt64>(bitPattern: UInt(slots[2])) : UnsafePointer(bitPattern: 8)
            else { return Int64(K_EFAULT) }
            var value: Int64 = 0
            let code = withUnsafeMutablePointer(to: &value) { value in
                withUnsafeTemporaryAllocation(of: UInt64.self, capacity: Int(K_SIG_ARGMAX)) { room in
                    guard let own = room.baseAddress else { return Int64(K_ENOMEM) }
                    own[0] = 0
                    (own + 1).update(from: args, count: words)
                    if isGeneral { own[words + 1] = UInt64(UInt(bitPattern: value)) }
                    return lane.call(KN_LANE_TRAP | found.signature, target, plan, own, host)
                }
            }
            if code == Int64(KN_LANE_STALE) {
                isFresh = true
                continue
            }
            result?.pointee = isGeneral ? value : code
            return code
        }
    }

    private struct Refusal: Error { let code: Int32 }

    private func ask(_ lane: Lane, _ host: ActorHost, _ target: UInt64) -> Result<Known, Refusal> {
        var told = KnTrapEntry()
        let code = withUnsafeMutablePointer(to: &told) { told in
            withUnsafeTemporaryAllocation(of: UInt64.self, capacity: Int(K_SIG_ARGMAX)) { slots in
                guard let base = slots.baseAddress else { return Int64(K_ENOMEM) }
                (base[0], base[1], base[2]) = (target >> 32, target & 0xffff_ffff, UInt64(UInt(bitPattern: told)))
                return lane.call(entry, 0, host.plans.calls + Int(entry), base, host)
            }
        }
        guard code >= 0 else { return .failure(Refusal(code: Int32(truncatingIfNeeded: code))) }
        let signature = UInt32(truncatingIfNeeded: code)
        let own = signature == TrapPlans.general ? TrapPlans.general : host.plans.traps.number(of: told)
        guard let own else { return .failure(Refusal(code: K_EINVAL)) }
        let found = Known(signature: signature, plan: own)
        known.withLock { known in
            if known.count >= Self.most { known = [:] }
            known[target] = found
        }
        return .success(found)
    }
}
