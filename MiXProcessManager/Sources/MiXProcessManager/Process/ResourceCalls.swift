import CChorus

/// Limits and CPU use.
enum ResourceCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (97, "getrlimit", getLimit), (160, "setrlimit", setLimit), (302, "prlimit64", prlimit),
        (98, "getrusage", getUsage),
    ]

    // MARK: limits

    private static func resource(_ number: UInt32) throws(Errno) -> Limits.Resource {
        guard let resource = Limits.Resource(rawValue: Int(number)) else { throw .EINVAL }
        return resource
    }
    @Sendable static func getLimit(_ call: Call) throws(Errno) -> Outcome {
        let limit = call.process.limits[try resource(call.uint(0))]
        try call.writeStruct((limit.soft, limit.hard), at: call[1])
        return .zero
    }
    private static func set(
        _ call: Call, _ process: Process, _ resource: Limits.Resource, _ raw: (UInt64, UInt64)
    ) throws(Errno) {
        try call.manager.tree.withLock { () throws(Errno) in
            try process.limits.change(
                resource, to: Limits.Limit(soft: raw.0, hard: raw.1),
                privileged: call.process.credentials.has(Credentials.capSysResource))
        }
        if resource == .cpu { call.manager.watchCpuLimit(process) }
    }
    @Sendable static func setLimit(_ call: Call) throws(Errno) -> Outcome {
        try set(
            call, call.process, try resource(call.uint(0)), try call.readStruct((UInt64, UInt64).self, at: call[1]))
        return .zero
    }
    @Sendable static func prlimit(_ call: Call) throws(Errno) -> Outcome {
        let pid = call.int(0)
        guard let process = pid == 0 ? call.process : call.manager.process(pid) else { throw .ESRCH }
        let which = try resource(call.uint(1))
        if process !== call.process {
            let (a, b) = (call.process.credentials, process.credentials)
            let isSame = a.uid == b.uid && a.uid == b.euid && a.uid == b.suid && a.gid == b.gid
            guard isSame || a.has(Credentials.capSysResource) else { throw .EPERM }
        }
        let old = process.limits[which]
        if call[2] != 0 { try set(call, process, which, try call.readStruct((UInt64, UInt64).self, at: call[2])) }
        if call[3] != 0 { try call.writeStruct((old.soft, old.hard), at: call[3]) }
        return .zero
    }

    // MARK: CPU use

    /// struct rusage: times, largest resident set in KiB, the rest 0.
    static func usage(_ accounting: Accounting, children: Bool) -> [UInt8] {
        let user = children ? accounting.user + accounting.childUser : accounting.user
        let system = children ? accounting.system + accounting.childSystem : accounting.system
        var words = [UInt64](repeating: 0, count: 18)
        words[0] = user / 1_000_000_000
        words[1] = user % 1_000_000_000 / 1000
        words[2] = system / 1_000_000_000
        words[3] = system % 1_000_000_000 / 1000
        words[4] = max(accounting.maxResident, children ? accounting.childMaxResident : 0) / 1024
        return words.withUnsafeBytes { Array($0) }
    }
    @Sendable static func getUsage(_ call: Call) throws(Errno) -> Outcome {
        var accounting = call.manager.measure(call.process)
        switch call.int(0) {
        case 0, 1: break
        case -1:
            accounting.user = accounting.childUser
            accounting.system = accounting.childSystem
            accounting.maxResident = accounting.childMaxResident
        default: throw .EINVAL
        }
        try call.copyOut(usage(accounting, children: false), to: call[1])
        return .zero
    }
}
