import CChorus
import Glibc
import KnLane
import NucleusCore
import Synchronization

/// A server inside the nucleus process. Its handlers have the canonical signatures, so they are called directly.
final class SupervisorActor: LoadedActor, @unchecked Sendable {  // Sendable: the operations are behind a mutex.
    let actor: Actor
    private let plans: CallPlans
    private let operations = Mutex<OperationTable>(OperationTable())

    private struct OperationTable: @unchecked Sendable {  // Sendable: only moved under the mutex.
        var ops = KnActorOps()
    }

    init(_ actor: Actor, _ plans: CallPlans) {
        self.actor = actor
        self.plans = plans
        actor.hostPid = getpid()
    }

    func start(_ request: LoadRequest) -> (code: Int32, why: String) {
        // Never unmapped: a Swift object cannot be (its metadata stays registered).
        guard let handle = dlopen(request.object, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE),
            let entry = dlsym(handle, K_ACTOR_ENTRY)
        else {
            return (K_EHOST, dlerror().map { String(cString: $0) } ?? "\(request.object): cannot be loaded")
        }
        let main = unsafeBitCast(entry, to: KnActorMain.self)
        var ops = KnActorOps()
        ops.size = UInt32(MemoryLayout<KnActorOps>.size)
        let code = request.name.withCString { name in
            request.options.withCString { options in
                var args = KnActorArgs()
                args.size = UInt32(MemoryLayout<KnActorArgs>.size)
                args.privilege = UInt32(K_SUPACTOR)
                args.name = name
                args.options = options
                args.generation = request.generation
                args.groupStamp = request.groupStamp
                return main(actor.table, &args, &ops)
            }
        }
        let filled = OperationTable(ops: ops)
        operations.withLock { $0 = filled }
        return (code, code < 0 ? "\(request.name): kn_actor_main refused with \(code)" : "")
    }

    func operate(_ operation: ActorOperation, _ slots: [UInt64]) -> Int32 {
        let ops = operations.withLock { $0 }.ops
        guard let function = UnsafeRawPointer(bitPattern: UInt(operation.function(ops))) else { return K_ENOSYS }
        return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: Int(K_SIG_ARGMAX)) { room in
            guard let base = room.baseAddress else { return K_ENOMEM }
            base[0] = UInt64(UInt(bitPattern: ops.instance))
            for (index, slot) in slots.enumerated() { base[index + 1] = slot }
            return Int32(truncatingIfNeeded: plans.operations[Int(operation.rawValue)].call(function, base))
        }
    }
}
