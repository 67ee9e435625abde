import CProcessHost

/// sched_setscheduler(2) and its kin. Real-time policies are refused as to programs without CAP_SYS_NICE, which none has.
enum SchedulingCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (24, "sched_yield", { _ in .zero }),
        (142, "sched_setparam", setParameter), (143, "sched_getparam", getParameter),
        (144, "sched_setscheduler", setScheduler), (145, "sched_getscheduler", getScheduler),
        (146, "sched_get_priority_max", { (call) throws(Errno) in .done(value: try bound(call, 99)) }),
        (147, "sched_get_priority_min", { (call) throws(Errno) in .done(value: try bound(call, 1)) }),
        (148, "sched_rr_get_interval", interval), (203, "sched_setaffinity", setAffinity),
        (204, "sched_getaffinity", getAffinity), (309, "getcpu", getProcessor),
        (314, "sched_setattr", setAttributes), (315, "sched_getattr", getAttributes),
    ]
    private static let resetOnFork: Int32 = 0x4000_0000

    private static func task(_ call: Call) throws(Errno) -> Task {
        let pid = call.int(0)
        guard pid >= 0 else { throw .EINVAL }
        return try anyTask(call)
    }

    /// The affinity calls know no negative numbers either, but find nobody by them.
    private static func anyTask(_ call: Call) throws(Errno) -> Task {
        let pid = call.int(0)
        if pid == 0 { return call.task }
        guard let task = call.manager.tree.withLock({ call.manager.tasks[pid] }) else { throw .ESRCH }
        return task
    }

    private static func bound(_ call: Call, _ realTime: Int32) throws(Errno) -> Int32 {
        switch call.int(0) {
        case Schedule.fifo, Schedule.roundRobin: return realTime
        case Schedule.other, Schedule.batch, Schedule.idle, Schedule.deadline: return 0
        default: throw .EINVAL
        }
    }

    /// A policy and what it takes; `nice` nil leaves it.
    private static func change(
        _ call: Call, _ task: Task, policy: Int32, priority: Int32, nice: Int32?, resetOnFork: Bool?
    ) throws(Errno) {
        switch policy {
        case Schedule.other, Schedule.batch, Schedule.idle: guard priority == 0 else { throw .EINVAL }
        case Schedule.fifo, Schedule.roundRobin:
            guard 1...99 ~= priority else { throw .EINVAL }
            throw .EPERM
        default: throw .EINVAL
        }
        let manager = call.manager
        let schedule = try manager.tree.withLock { () throws(Errno) -> Schedule in
            var schedule = task.schedule
            guard PriorityCalls.mayChange(call.process, task) else { throw .EPERM }
            // Back from SCHED_IDLE, and to a better nice value, only as far as RLIMIT_NICE goes.
            let wanted = nice ?? schedule.nice
            let isBetter = wanted < schedule.nice || schedule.policy == Schedule.idle && policy != Schedule.idle
            guard !isBetter || PriorityCalls.mayReach(wanted, call.process, task.process) else { throw .EPERM }
            if resetOnFork == false, schedule.resetOnFork, !call.process.credentials.has(Credentials.capSysNice) {
                throw .EPERM
            }
            schedule.policy = policy
            schedule.nice = wanted
            if let resetOnFork { schedule.resetOnFork = resetOnFork }
            task.schedule = schedule
            return schedule
        }
        manager.apply(schedule, to: task)
    }

    @Sendable private static func setScheduler(_ call: Call) throws(Errno) -> Outcome {
        guard call.int(1) >= 0, call[2] != 0, call.int(0) >= 0 else { throw .EINVAL }
        let priority = try call.readStruct(Int32.self, at: call[2])
        try change(
            call, try task(call), policy: call.int(1) & ~resetOnFork, priority: priority, nice: nil,
            resetOnFork: call.int(1) & resetOnFork != 0)
        return .zero
    }

    @Sendable private static func setParameter(_ call: Call) throws(Errno) -> Outcome {
        guard call[1] != 0, call.int(0) >= 0 else { throw .EINVAL }
        let priority = try call.readStruct(Int32.self, at: call[1])
        let task = try task(call)
        let policy = call.manager.tree.withLock { task.schedule.policy }
        try change(call, task, policy: policy, priority: priority, nice: nil, resetOnFork: nil)
        return .zero
    }

    /// Number 1 is the manager: there to be asked, with what everybody begins with.
    private static func isManager(_ call: Call) -> Bool { call.int(0) == 1 }

    @Sendable private static func getScheduler(_ call: Call) throws(Errno) -> Outcome {
        if isManager(call) { return .zero }
        let task = try task(call)
        let schedule = call.manager.tree.withLock { task.schedule }
        return .done(value: schedule.policy | (schedule.resetOnFork ? resetOnFork : 0))
    }

    @Sendable private static func getParameter(_ call: Call) throws(Errno) -> Outcome {
        guard call[1] != 0 else { throw .EINVAL }
        if !isManager(call) { _ = try task(call) }
        try call.writeStruct(Int32(0), at: call[1])
        return .zero
    }

    @Sendable private static func interval(_ call: Call) throws(Errno) -> Outcome {
        _ = try task(call)
        try call.writeStruct((Int64(0), Int64(4_000_000)), at: call[1])
        return .zero
    }

    // MARK: struct sched_attr

    private struct Attributes: BitwiseCopyable {
        var size: UInt32 = 0
        var policy: UInt32 = 0
        var flags: UInt64 = 0
        var nice: Int32 = 0
        var priority: UInt32 = 0
        var runtime: UInt64 = 0
        var deadline: UInt64 = 0
        var period: UInt64 = 0
        var leastUse: UInt32 = 0
        var mostUse: UInt32 = 0
        static let first = 48, known = 56
    }

    @Sendable private static func setAttributes(_ call: Call) throws(Errno) -> Outcome {
        guard call[1] != 0, call.int(0) >= 0, call.uint(2) == 0 else { throw .EINVAL }
        var size = Int(try call.readStruct(UInt32.self, at: call[1]))
        if size == 0 { size = Attributes.first }
        guard Attributes.first...4096 ~= size else { throw try tooBig(call) }
        let bytes = try call.copyIn(call[1], count: size)
        if bytes.dropFirst(Attributes.known).contains(where: { $0 != 0 }) { throw try tooBig(call) }
        let padded =
            Array(bytes.prefix(Attributes.known)) + [UInt8](repeating: 0, count: max(0, Attributes.known - size))
        let given = padded.withUnsafeBytes { $0.loadUnaligned(as: Attributes.self) }
        let (keepPolicy, keepParameters, clamps): (UInt64, UInt64, UInt64) = (8, 16, 0x60)
        guard given.policy <= Int32.max, given.flags & ~0x7f == 0 else { throw .EINVAL }
        if given.flags & clamps != 0 { throw .EOPNOTSUPP }  // as without CONFIG_UCLAMP_TASK
        let task = try task(call)
        let now = call.manager.tree.withLock { task.schedule }
        let policy = given.flags & keepPolicy != 0 ? now.policy : Int32(given.policy)
        if policy == Schedule.deadline { throw .EPERM }
        let keepsNice = given.flags & keepParameters != 0 || policy == Schedule.idle
        try change(
            call, task, policy: policy,
            priority: given.flags & keepParameters != 0 ? 0 : Int32(clamping: given.priority),
            nice: keepsNice ? nil : min(max(given.nice, -20), 19),
            resetOnFork: given.flags & 1 != 0)
        return .zero
    }

    /// E2BIG, with the size that is known.
    private static func tooBig(_ call: Call) throws(Errno) -> Errno {
        var size = UInt32(Attributes.known)
        try withUnsafeBytes(of: &size) { (bytes) throws(Errno) in try call.copyOutNow(bytes, to: call[1]) }
        return .E2BIG
    }

    @Sendable private static func getAttributes(_ call: Call) throws(Errno) -> Outcome {
        let room = Int(call.uint(2))
        guard call[1] != 0, call.int(0) >= 0, Attributes.first...4096 ~= room, call.uint(3) == 0 else { throw .EINVAL }
        let task = try task(call)
        let schedule = call.manager.tree.withLock { task.schedule }
        var attributes = Attributes()
        attributes.size = UInt32(min(room, Attributes.known))
        attributes.policy = UInt32(schedule.policy)
        attributes.flags = schedule.resetOnFork ? 1 : 0
        attributes.nice = schedule.nice
        let bytes = withUnsafeBytes(of: &attributes) { Array($0.prefix(room)) }
        try call.copyOut(bytes, to: call[1])
        return .zero
    }

    // MARK: processors

    /// As many bytes as Linux uses for them: whole words.
    private static func processors(_ call: Call) -> [UInt8] {
        let count = call.manager.processorCount
        var mask = [UInt8](repeating: 0, count: (count + 63) / 64 * 8)
        for processor in 0..<count { mask[processor / 8] |= 1 << UInt8(processor % 8) }
        return mask
    }

    @Sendable private static func setAffinity(_ call: Call) throws(Errno) -> Outcome {
        let all = processors(call)
        let given = try call.copyIn(call[2], count: Int(min(call.uint(1), UInt32(all.count))))
        let task = try anyTask(call)
        var mask = all
        for index in mask.indices { mask[index] &= index < given.count ? given[index] : 0 }
        try call.manager.tree.withLock { () throws(Errno) in
            guard PriorityCalls.mayChange(call.process, task) else { throw .EPERM }
            guard mask.contains(where: { $0 != 0 }) else { throw .EINVAL }
            task.schedule.affinity = mask == all ? nil : mask
        }
        return .zero
    }

    @Sendable private static func getAffinity(_ call: Call) throws(Errno) -> Outcome {
        let all = processors(call)
        guard UInt64(call.uint(1)) >= UInt64(all.count), call.uint(1) % 8 == 0 else { throw .EINVAL }
        let task = try anyTask(call)
        let mask = call.manager.tree.withLock { task.schedule.affinity } ?? all
        try call.copyOut(mask, to: call[2])
        return .done(value: mask.count)
    }

    /// Of the host's processor that serves the call; the vDSO tells the one the program runs on.
    @Sendable private static func getProcessor(_ call: Call) throws(Errno) -> Outcome {
        if call[0] != 0 { try call.writeStruct(pm_processor(), at: call[0]) }
        if call[1] != 0 { try call.writeStruct(UInt32(0), at: call[1]) }
        return .zero
    }
}
