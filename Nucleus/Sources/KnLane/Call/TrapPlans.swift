import CChorus
import Synchronization

/// Plans of traps' handlers, whose signatures come at run time; each takes the handler's cookie first. Equal signatures
/// share one plan. It stays as long as this does, so that who calls by it needs no hold on it; their number is bounded.
public final class TrapPlans: @unchecked Sendable {
    // Sendable: a plan is written once, before `used` says that it is there.
    static let most = 4096
    /// Bytes of a handler's buffers of fixed size: they travel beside the largest variable ones.
    private static let fixedMost = 32 * 1024
    /// The plan of general handlers: K_TRAPWORDS words there, one back.
    public static let general: UInt32 = 0

    private let plans: UnsafeMutablePointer<CallPlan>
    private let known = Mutex<[[UInt64]: UInt32]>([:])
    private let used = Atomic<Int>(0)

    /// nil only when the headers contradict themselves.
    init?() {
        plans = .allocate(capacity: Self.most)
        var args = [KnArg](
            repeating: KnArg(type: UInt8(K_ARG_U64), dir: UInt8(K_IN), len: 0, lenArg: 0, size: 0),
            count: Int(K_TRAPWORDS))
        args.append(KnArg(type: UInt8(K_ARG_BUF), dir: UInt8(K_OUT), len: UInt8(K_LEN_FIXED), lenArg: 0, size: 8))
        guard let plan = Self.plan(args) else { return nil }
        plans.initialize(to: plan)
        used.store(1, ordering: .releasing)
    }

    @inline(__always) public func plan(_ number: UInt32) -> UnsafeMutablePointer<CallPlan>? {
        Int(number) < used.load(ordering: .acquiring) ? plans + Int(number) : nil
    }

    /// The number of the plan for `entry`; nil: its signature contradicts itself, or there are too many.
    public func number(of entry: KnTrapEntry) -> UInt32? {
        guard entry.count <= K_TRAPARGMAX else { return nil }
        let all = withUnsafeBytes(of: entry.args) { Array($0.bindMemory(to: KnArg.self)) }
        let args = all.prefix(Int(entry.count)).map(Self.counted)
        return Self.isAllowed(args) ? number(of: args) : nil
    }

    /// As it counts with the cookie before it.
    private static func counted(_ arg: KnArg) -> KnArg {
        let isVariable = arg.type == K_ARG_BUF && arg.len != K_LEN_FIXED
        return KnArg(
            type: arg.type, dir: arg.type == K_ARG_BUF ? arg.dir : UInt8(K_IN),
            len: arg.type == K_ARG_BUF ? arg.len : 0, lenArg: isVariable ? arg.lenArg &+ 1 : 0, size: arg.size)
    }

    private static func isAllowed(_ args: [KnArg]) -> Bool {
        var fixed = 0
        for arg in args {
            switch UInt32(arg.type) {
            case K_ARG_I32, K_ARG_U32, K_ARG_I64, K_ARG_U64, K_ARG_PTR: break
            case K_ARG_STR: guard arg.size > 0, arg.size <= 64 * 1024 else { return false }
            case K_ARG_BUF: if arg.len == K_LEN_FIXED { fixed += min(Int(arg.size), fixedMost + 1) }
            default: return false
            }
        }
        return fixed <= fixedMost
    }

    private func number(of args: [KnArg]) -> UInt32? {
        known.withLock { known -> UInt32? in
            let shape = args.map(Self.word)
            if let number = known[shape] { return number }
            let number = used.load(ordering: .relaxed)
            guard number < Self.most, let plan = Self.plan(args) else { return nil }
            (plans + number).initialize(to: plan)
            used.store(number + 1, ordering: .releasing)
            known[shape] = UInt32(number)
            return UInt32(number)
        }
    }

    private static func word(_ arg: KnArg) -> UInt64 {
        UInt64(arg.size) << 32 | UInt64(arg.lenArg) << 24 | UInt64(arg.len) << 16 | UInt64(arg.dir) << 8
            | UInt64(arg.type)
    }

    private static let name: StaticString = "trap"

    private static func plan(_ args: [KnArg]) -> CallPlan? {
        var signature = KnSignature()
        signature.name = UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)
        signature.ret = UInt8(K_ARG_I32)
        signature.count = UInt8(args.count + 1)
        withUnsafeMutableBytes(of: &signature.args) { room in
            let places = room.bindMemory(to: KnArg.self)
            places[0] = KnArg(type: UInt8(K_ARG_PTR), dir: UInt8(K_IN), len: 0, lenArg: 0, size: 0)
            for (index, arg) in args.enumerated() { places[index + 1] = arg }
        }
        let place = UnsafeMutablePointer<KnSignature>.allocate(capacity: 1)
        place.initialize(to: signature)
        guard let plan = CallPlan(place, hasSelf: false) else {
            place.deallocate()
            return nil
        }
        return plan
    }

    deinit {
        for number in 0..<used.load(ordering: .relaxed) {
            let signature = plans[number].signature
            plans[number].destroy()
            signature.deallocate()
        }
        plans.deallocate()
    }
}
