import CChorus

/// Limits, CPU use, scheduling.
enum ResourceCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (97, "getrlimit", getLimit), (160, "setrlimit", setLimit), (302, "prlimit64", prlimit),
        (98, "getrusage", getUsage), (140, "getpriority", getPriority), (141, "setpriority", setPriority),
        (24, "sched_yield", yield), (142, "sched_setparam", schedule), (143, "sched_getparam", getParam),
        (144, "sched_setscheduler", schedule), (145, "sched_getscheduler", getScheduler),
        (146, "sched_get_priority_max", maxPriority), (147, "sched_get_priority_min", minPriority),
        (148, "sched_rr_get_interval", interval), (203, "sched_setaffinity", setAffinity),
        (204, "sched_getaffinity", getAffinity), (309, "getcpu", getCpu), (251, "ioprio_set", { _ in .zero }),
        (252, "ioprio_get", { _ in .done(4 << 13 | 4) }),
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

    // MARK: scheduling

    private static func selected(_ call: Call) throws(Errno) -> [Process] {
        let id = call.int(1)
        let found = call.manager.tree.withLock { () -> [Process] in
            let all = call.manager.processes.values.filter { !$0.isZombie }
            switch call.int(0) {
            case 0: return all.filter { $0.pid == (id == 0 ? call.process.pid : id) }
            case 1: return all.filter { $0.pgrp == (id == 0 ? call.process.pgrp : id) }
            default: return all.filter { Int32(bitPattern: $0.credentials.uid) == id }
            }
        }
        guard (0...2).contains(call.int(0)) else { throw .EINVAL }
        guard !found.isEmpty else { throw .ESRCH }
        return found
    }
    /// The kernel's own convention: 20 - nice.
    @Sendable static func getPriority(_ call: Call) throws(Errno) -> Outcome {
        .done(value: try selected(call).map { 20 - $0.nice }.max() ?? 20)
    }
    @Sendable static func setPriority(_ call: Call) throws(Errno) -> Outcome {
        let nice = min(max(call.int(2), -20), 19)
        for process in try selected(call) {
            guard nice >= process.nice || call.process.credentials.has(Credentials.capSysNice) else { throw .EACCES }
            process.nice = nice
        }
        return .zero
    }
    @Sendable static func yield(_ call: Call) throws(Errno) -> Outcome { .zero }
    private static func checkTask(_ call: Call) throws(Errno) {
        let pid = call.int(0)
        guard pid >= 0 else { throw .EINVAL }
        guard pid == 0 || call.manager.tree.withLock({ call.manager.tasks[pid] != nil }) else { throw .ESRCH }
    }
    @Sendable static func schedule(_ call: Call) throws(Errno) -> Outcome {
        try checkTask(call)
        let policy = call.number == 144 ? call.int(1) & ~0x4000_0000 : 0
        guard [0, 1, 2, 3, 5].contains(policy) else { throw .EINVAL }
        if policy == 1 || policy == 2 { throw .EPERM }
        return .zero
    }
    @Sendable static func getScheduler(_ call: Call) throws(Errno) -> Outcome {
        try checkTask(call)
        return .zero
    }
    @Sendable static func getParam(_ call: Call) throws(Errno) -> Outcome {
        try checkTask(call)
        guard call[1] != 0 else { throw .EINVAL }
        try call.writeStruct(Int32(0), at: call[1])
        return .zero
    }
    @Sendable static func maxPriority(_ call: Call) throws(Errno) -> Outcome {
        try .done(value: priority(call, 99))
    }
    @Sendable static func minPriority(_ call: Call) throws(Errno) -> Outcome {
        try .done(value: priority(call, 1))
    }
    private static func priority(_ call: Call, _ realTime: Int32) throws(Errno) -> Int32 {
        switch call.int(0) {
        case 1, 2: return realTime
        case 0, 3, 5, 6: return 0
        default: throw .EINVAL
        }
    }
    @Sendable static func interval(_ call: Call) throws(Errno) -> Outcome {
        try checkTask(call)
        try call.writeStruct((Int64(0), Int64(4_000_000)), at: call[1])
        return .zero
    }
    @Sendable static func setAffinity(_ call: Call) throws(Errno) -> Outcome {
        try checkTask(call)
        guard call[1] > 0 else { throw .EINVAL }
        let mask = try call.copyIn(call[2], count: Int(min(call[1], 128)))
        guard mask.contains(where: { $0 != 0 }) else { throw .EINVAL }
        return .zero
    }
    /// All processors of the host, as far as 1024 go.
    @Sendable static func getAffinity(_ call: Call) throws(Errno) -> Outcome {
        try checkTask(call)
        let count = call.manager.processorCount
        let needed = (count + 63) / 64 * 8
        guard call[1] >= UInt64(needed), call[1] % 8 == 0 else { throw .EINVAL }
        var mask = [UInt8](repeating: 0, count: needed)
        for processor in 0..<count { mask[processor / 8] |= 1 << UInt8(processor % 8) }
        try call.copyOut(mask, to: call[2])
        return .done(value: needed)
    }
    @Sendable static func getCpu(_ call: Call) throws(Errno) -> Outcome {
        if call[0] != 0 { try call.writeStruct(UInt32(0), at: call[0]) }
        if call[1] != 0 { try call.writeStruct(UInt32(0), at: call[1]) }
        return .zero
    }
}
