/// getpriority(2), ioprio_get(2) and what sets them.
enum PriorityCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (140, "getpriority", getPriority), (141, "setpriority", setPriority),
        (251, "ioprio_set", setIoPriority), (252, "ioprio_get", getIoPriority),
    ]

    // MARK: permissions, under the tree lock

    static func mayChange(_ from: Process, _ task: Task) -> Bool {
        let (a, b) = (from.credentials, task.process.credentials)
        return a.euid == b.euid || a.euid == b.uid || a.has(Credentials.capSysNice)
    }
    /// RLIMIT_NICE: 20 - nice.
    static func mayReach(_ nice: Int32, _ from: Process, _ target: Process) -> Bool {
        UInt64(20 - nice) <= target.limits[.nice].soft || from.credentials.has(Credentials.capSysNice)
    }

    private enum Which { case one, group, user }

    /// Threads: one of its number, or all of a process group or a user.
    private static func selectedLocked(_ call: Call, _ which: Which) -> [Task] {
        let id = call.int(1)
        let manager = call.manager
        switch which {
        case .one: return (id == 0 ? call.task : manager.tasks[id]).map { [$0] } ?? []
        case .group:
            let group = id == 0 ? call.process.pgrp : id
            return manager.tasks.values.filter { $0.process.pgrp == group }
        case .user:
            let user = id == 0 ? call.process.credentials.uid : UInt32(bitPattern: id)
            return manager.tasks.values.filter { $0.process.credentials.uid == user }
        }
    }

    private static func which(_ call: Call, first: Int32) throws(Errno) -> Which {
        switch call.int(0) - first {
        case 0: return .one
        case 1: return .group
        case 2: return .user
        default: throw .EINVAL
        }
    }

    // MARK: nice

    /// The kernel's own convention: 20 - nice.
    @Sendable private static func getPriority(_ call: Call) throws(Errno) -> Outcome {
        let which = try which(call, first: 0)
        let best = call.manager.tree.withLock { selectedLocked(call, which).map { 20 - $0.schedule.nice }.max() }
        guard let best else { throw .ESRCH }
        return .done(value: best)
    }

    @Sendable private static func setPriority(_ call: Call) throws(Errno) -> Outcome {
        let nice = min(max(call.int(2), -20), 19)
        let which = try which(call, first: 0)
        let manager = call.manager
        var problem: Errno?
        let (found, changed) = manager.tree.withLock { () -> (Int, [(Task, Schedule)]) in
            let tasks = selectedLocked(call, which)
            var changed: [(Task, Schedule)] = []
            for task in tasks {
                guard mayChange(call.process, task) else {
                    problem = .EPERM
                    continue
                }
                guard nice >= task.schedule.nice || mayReach(nice, call.process, task.process) else {
                    problem = .EACCES
                    continue
                }
                task.schedule.nice = nice
                changed.append((task, task.schedule))
            }
            return (tasks.count, changed)
        }
        guard found > 0 else { throw .ESRCH }
        for (task, schedule) in changed { manager.apply(schedule, to: task) }
        if let problem { throw problem }
        return .zero
    }

    // MARK: ioprio: kept and inherited; there is no disk scheduler to look at it

    @Sendable private static func setIoPriority(_ call: Call) throws(Errno) -> Outcome {
        let value = call.int(2)
        let (kind, data) = (value >> 13, value & 7)
        guard value >= 0, value <= 0xffff else { throw .EINVAL }
        switch kind {
        case 0: guard data == 0 else { throw .EINVAL }  // IOPRIO_CLASS_NONE
        case 1:
            guard
                call.process.credentials.has(Credentials.capSysAdmin)
                    || call.process.credentials.has(Credentials.capSysNice)
            else { throw .EPERM }
        case 2, 3: break
        default: throw .EINVAL
        }
        let which = try which(call, first: 1)
        try call.manager.tree.withLock { () throws(Errno) in
            let tasks = selectedLocked(call, which)
            guard !tasks.isEmpty else { throw .ESRCH }
            for task in tasks {
                guard mayChange(call.process, task) else { throw .EPERM }
                task.schedule.ioPriority = UInt16(value)
            }
        }
        return .zero
    }

    /// The best of all that are meant: a lower class is better, then a lower level.
    @Sendable private static func getIoPriority(_ call: Call) throws(Errno) -> Outcome {
        let which = try which(call, first: 1)
        let best = call.manager.tree.withLock {
            selectedLocked(call, which).map(\.schedule.ioPriority).min()
        }
        guard let best else { throw .ESRCH }
        return .done(value: best)
    }
}
