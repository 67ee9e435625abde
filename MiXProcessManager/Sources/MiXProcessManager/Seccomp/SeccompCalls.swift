/// seccomp(2), and prctl(2)'s older way to it.
enum SeccompCalls {
    static let table: [(Int, String, SystemCallHandler)] = [(317, "seccomp", seccomp)]

    private static let sync: UInt32 = 1, log: UInt32 = 2, allowSpeculation: UInt32 = 4, syncSaysWhom: UInt32 = 16

    @Sendable private static func seccomp(_ call: Call) throws(Errno) -> Outcome {
        switch call.uint(0) {
        case 0:  // SECCOMP_SET_MODE_STRICT
            guard call.uint(1) == 0, call[2] == 0 else { throw .EINVAL }
            return try setStrict(call)
        case 1: return try setFilter(call, flags: call.uint(1), call[2])
        case 2:  // SECCOMP_GET_ACTION_AVAIL
            guard call.uint(1) == 0 else { throw .EINVAL }
            let known = [
                Seccomp.killProcess, Seccomp.killThread, Seccomp.trap, Seccomp.errno, Seccomp.trace, Seccomp.log,
                Seccomp.allow,
            ]
            guard known.contains(try call.readStruct(UInt32.self, at: call[2])) else { throw .EOPNOTSUPP }
            return .zero
        default: throw .EINVAL
        }
    }

    /// PR_SET_SECCOMP.
    static func set(_ call: Call) throws(Errno) -> Outcome {
        switch call[1] {
        case 1: return try setStrict(call)
        case 2: return try setFilter(call, flags: 0, call[2])
        default: throw .EINVAL
        }
    }

    private static func setStrict(_ call: Call) throws(Errno) -> Outcome {
        try call.manager.tree.withLock { () throws(Errno) in
            if case .filter = call.task.seccomp { throw .EINVAL }
            call.task.seccomp = .strict
        }
        return .zero
    }

    private static func setFilter(_ call: Call, flags: UInt32, _ address: UInt64) throws(Errno) -> Outcome {
        // SECCOMP_FILTER_FLAG_NEW_LISTENER and what belongs to it are not there.
        guard flags & ~(sync | log | allowSpeculation | syncSaysWhom) == 0 else { throw .EINVAL }
        let header = try call.readStruct((UInt16, UInt64).self, at: address)
        guard 1...BpfProgram.longest ~= Int(header.0) else { throw .EINVAL }
        let process = call.process
        guard process.noNewPrivileges || process.credentials.has(Credentials.capSysAdmin) else { throw .EACCES }
        let bytes = try call.copyIn(header.1, count: Int(header.0) * 8)
        let code = bytes.withUnsafeBytes { raw in
            (0..<Int(header.0)).map { raw.loadUnaligned(fromByteOffset: $0 * 8, as: BpfProgram.Instruction.self) }
        }
        guard let program = BpfProgram(code) else { throw .EINVAL }
        return try call.manager.tree.withLock { () throws(Errno) in
            var older: SeccompFilter?
            switch call.task.seccomp {
            case .none: break
            case .strict: throw .EINVAL
            case .filter(let filter): older = filter
            }
            if flags & sync != 0, let other = stranger(call.task, older) {
                if flags & syncSaysWhom != 0 { throw .ESRCH }
                return .done(value: other.tid)
            }
            let filter = SeccompFilter(program, over: older)
            guard filter.weight <= SeccompFilter.heaviest else { throw .ENOMEM }
            call.task.seccomp = .filter(filter)
            if flags & sync != 0 { for task in process.tasks { task.seccomp = .filter(filter) } }
            return .zero
        }
    }

    /// A thread whose filters are not all among those of the caller.
    private static func stranger(_ task: Task, _ filter: SeccompFilter?) -> Task? {
        task.process.tasks.first { other in
            switch other.seccomp {
            case .none: false
            case .strict: other !== task
            case .filter(let its): !(filter?.includes(its) ?? false)
            }
        }
    }
}
