import CChorus
import CMiXFile
import Synchronization

/// execve(2), execveat(2).
enum ExecCalls {
    static let table: [(Int, String, SystemCallHandler)] = [(59, "execve", execve), (322, "execveat", execveat)]

    @Sendable static func execve(_ call: Call) throws(Errno) -> Outcome {
        try run(call, from: call.process.cwd.key, path: try call.copyString(call[0]), call[1], call[2])
    }

    @Sendable static func execveat(_ call: Call) throws(Errno) -> Outcome {
        let path = try call.copyString(call[1])
        let flags = call.uint(4)
        guard flags & ~0x1100 == 0 else { throw .EINVAL }
        if path.first == 0x2f || call.int(0) == -100 {
            return try run(call, from: call.process.cwd.key, path: path, call[2], call[3])
        }
        // By way of the descriptor's own name, as Linux shows it to scripts (/dev/fd/N/path).
        let base = Array("/proc/self/fd/\(call.int(0))".utf8)
        if path.isEmpty && flags & 0x1000 == 0 { throw .ENOENT }
        let name = path.isEmpty ? base : base + [0x2f] + path
        return try run(call, from: call.process.cwd.key, path: name, call[2], call[3])
    }

    private static func run(
        _ call: Call, from directory: MixKey, path: [UInt8], _ argv: UInt64, _ envp: UInt64
    ) throws(Errno) -> Outcome {
        let manager = call.manager
        let process = call.process
        let task = call.task
        var strings = GuestStrings(call)
        var total = 0
        var arguments = try strings.vector(argv, total: &total)
        if arguments.isEmpty { arguments = [[]] }
        let environment = try strings.vector(envp, total: &total)
        let plan = try manager.planExec(
            process, from: directory, path: path, arguments: arguments, environment: environment)

        // From here on there is no way back to the old program.
        let tid = task.tid
        guard manager.leaveAlone(task) else { return .gone }
        manager.releaseRobust(task)
        manager.releasePiLocks(ofTask: tid)
        var actor = process.actor
        let renewed = manager.nucleus.actorRenew(&actor, task.thread)
        guard renewed >= 0 else {
            manager.log(1, "actorRenew of process \(process.pid): \(renewed)")
            manager.endProcess(process, status: WaitStatus.killed(Signal.kill))
            return .gone
        }
        manager.becomeNew(process, task, plan)
        do {
            let space = try manager.load(plan, into: process, actor, task)
            manager.finishExec(process, space, plan)
        } catch {
            manager.log(2, "execve of process \(process.pid) failed behind the point of no return: \(error.number)")
            manager.endProcess(process, status: WaitStatus.killed(Signal.kill))
            return .gone
        }
        return .context
    }
}

extension ProcessManager {
    /// Ends all other threads of the process. False when the whole process is ending already.
    func leaveAlone(_ task: Task) -> Bool {
        let process = task.process
        let others = withTree { () -> [Task]? in
            if process.groupExiting || task.dying.load(ordering: .relaxed) { return nil }
            let others = process.tasks.filter { $0 !== task }
            for other in others {
                other.dying.store(true, ordering: .sequentiallyConsistent)
                other.attention.store(true, ordering: .sequentiallyConsistent)
                tasks[other.tid] = nil
            }
            process.tasks = [task]
            if task.tid != process.pid {
                tasks[task.tid] = nil
                task.tid = process.pid
                tasks[task.tid] = task
            }
            return others
        }
        guard let others else { return false }
        for other in others {
            taskTable.remove(other.cookie)
            _ = other.interruptPark()
            releasePiLocks(ofTask: other.tid)
        }
        return true
    }

    /// What execve(2) changes in a process besides its memory.
    func becomeNew(_ process: Process, _ task: Task, _ plan: ExecPlan) {
        disarmTimers(process, onlyPosix: true)
        if process.fileUsers.isShared {
            let own = process.files.fork()
            let shared = process.files
            let last = process.fileUsers.drop()
            tree.withLock {
                process.files = own
                process.fileUsers = UserCount()
            }
            if last { shared.closeAll() }
        }
        process.files.closeOnExec()
        withTree {
            for signal in 1...64 where process.actions[signal].handler != SignalAction.ignore {
                process.actions[signal] = SignalAction()
            }
            for signal in 1...64 where process.actions[signal].handler == SignalAction.ignore {
                process.actions[signal] = SignalAction(handler: SignalAction.ignore)
            }
            task.altStack = AltStack()
            task.clearChildTid = 0
            task.hostThread = 0
            task.robustList = 0
            process.hasExecuted = true
            process.exitSignal = Signal.chld
            process.deathSignal = 0
            process.usesBarriers = false
            process.personality = Personality.afterExec(
                process.personality, changesIdentity: plan.newUid != nil || plan.newGid != nil)
            process.dumpable = plan.newUid == nil && plan.newGid == nil
            process.credentials.exec(uid: plan.newUid, gid: plan.newGid)
            let base = plan.path.split(separator: 0x2f).last ?? []
            process.command = String(decoding: base.prefix(15), as: UTF8.self)
            task.name = process.command
        }
    }

    func finishExec(_ process: Process, _ space: AddressSpace, _ plan: ExecPlan) {
        var actor = process.actor
        nucleus.actorName(&actor, process.command)
        stamp(process)
        trace(process: process.pid, actor)
        detachSegments(process)
        let old = withTree { () -> (AddressSpace, ExecutableFile?, WaitQueue?) in
            let old = (process.memory, process.executable, process.vforkDone)
            process.memory = space
            process.executable = plan.file
            process.vforkDone = nil
            return old
        }
        old.2?.wake()
        withExtendedLifetime(old) {}
    }
}
