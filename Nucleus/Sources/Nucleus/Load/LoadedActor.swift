import CChorus
import NucleusCore

/// Positions in `KnActorOps`, behind `instance`.
enum ActorOperation: UInt32 {
    case shutdown, stateExport, stateImport, heartbeat, started

    /// The function in `ops`, as a number: of the nucleus process or of an actor host.
    func function(_ ops: KnActorOps) -> UInt64 {
        switch self {
        case .shutdown: UInt64(UInt(bitPattern: unsafeBitCast(ops.shutdown, to: Int.self)))
        case .stateExport: UInt64(UInt(bitPattern: unsafeBitCast(ops.stateExport, to: Int.self)))
        case .stateImport: UInt64(UInt(bitPattern: unsafeBitCast(ops.stateImport, to: Int.self)))
        case .heartbeat: UInt64(UInt(bitPattern: unsafeBitCast(ops.heartbeat, to: Int.self)))
        case .started: UInt64(UInt(bitPattern: unsafeBitCast(ops.started, to: Int.self)))
        }
    }
}

/// A server that `actorLoad` brought in, in either privilege.
protocol LoadedActor: AnyObject, Sendable {
    var actor: Actor { get }
    /// Runs kn_actor_main. What is returned with a failure says why, in one line.
    func start(_ request: LoadRequest) -> (code: Int32, why: String)
    /// Calls a `KnActorOps` member; `slots` behind the instance. K_ENOSYS where the server has none.
    func operate(_ operation: ActorOperation, _ slots: [UInt64]) -> Int32
}

/// `KnLoadArgs` as Swift values.
struct LoadRequest: Sendable {
    let name: String
    let object: String
    let options: String
    let privilege: Int32
    /// May issue privileged calls.
    let isSystem: Bool
    let groupStamp: UInt32
    let generation: UInt32
    let limits: ActorLimits

    /// The next instance of the same server.
    init(_ last: LoadRequest, privilege: Int32) {
        name = last.name
        object = last.object
        options = last.options
        self.privilege = privilege
        isSystem = last.isSystem
        groupStamp = last.groupStamp
        generation = last.generation &+ 1
        limits = last.limits
    }

    init?(_ args: KnLoadArgs) {
        guard let name = args.name, let object = args.object else { return nil }
        switch args.privilege {
        case K_SUPACTOR, K_USERACTOR: isSystem = true
        case K_USERACTOR | K_LOAD_UNPRIVILEGED: isSystem = false
        default: return nil
        }
        self.name = String(cString: name)
        self.object = String(cString: object)
        options = args.options.map { String(cString: $0) } ?? ""
        privilege = args.privilege & ~K_LOAD_UNPRIVILEGED
        groupStamp = args.groupStamp
        generation = args.generation
        limits = ActorLimits(memory: args.memoryLimit, threads: args.threadLimit, ports: args.portLimit)
    }
}
