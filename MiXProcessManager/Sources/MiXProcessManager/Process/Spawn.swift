import CChorus
import CMiXFile
import CMiXProcess

/// PROC_SPAWN: a process out of nothing, a child of the manager.
extension ProcessManager {
    func spawn(
        program: [UInt8], directory: [UInt8], arguments: [[UInt8]], environment: [[UInt8]], console: Bool,
        isSiteProgram: Bool
    ) throws(Errno) -> Int32 {
        let pid = try tree.withLock { () throws(Errno) in try allocatePidLocked() }
        let start = DirectoryRef.nameSpaceRoot(self)
        let process = Process(
            manager: self, pid: pid, parent: nil, actor: KnCap(), files: DescriptorTable(), cwd: start,
            root: start.dup(self), memory: AddressSpace())
        process.command = "chorus"
        if directory.count > 1 { process.cwd = try DirectoryRef.open(self, path: directory, for: process) }
        let plan: ExecPlan
        do throws(Errno) {
            plan = try planExec(
                process, from: process.cwd.key, path: program, arguments: arguments, environment: environment)
            if console { process.files = try DescriptorTable.console(self, for: process) }
        } catch {
            releaseFiles(process)
            throw error
        }
        var actor = KnCap()
        guard nucleus.actorCreate(nil, &actor, K_UNIXACTOR, K_ACTIVE, "spawn") >= 0 else {
            releaseFiles(process)
            throw .EAGAIN
        }
        process.actor = actor
        process.spawned = SpawnState(isSiteProgram: isSiteProgram)
        let task = Task(manager: self, process: process, tid: pid, name: "spawn")
        do throws(Errno) {
            var from = KnThreadStart()
            from.flags = K_START_BLANK
            let code = nucleus.threadCreateUnix(&actor, &from, &task.thread)
            guard code >= 0 else {
                log(0, "threadCreateUnix for \(String(decoding: program, as: UTF8.self)): \(code)")
                throw Errno.EAGAIN
            }
            task.cookie = taskTable.insert(task)
            nucleus.threadCookie(task.thread, task.cookie)
            process.tasks = [task]
            becomeNew(process, task, plan)
            let space = try load(plan, into: process, actor, task)
            finishExec(process, space, plan)
        } catch {
            taskTable.remove(task.cookie)
            nucleus.actorDelete(&actor)
            releaseFiles(process)
            throw error
        }
        withTree {
            processes[pid] = process
            tasks[pid] = task
            forks &+= 1
        }
        complete(task, settle(task, .finished(.context)))
        return pid
    }
}

extension ProcessManager {
    /// Tells the black box which process an actor is: the actor's other events name it alone.
    func trace(process pid: Int32, _ actor: KnCap) {
        nucleus.sysTrace(MIX_TR_PROCESS, UInt64(pid), UInt64(actor.ui.uiHead) << 32 | UInt64(actor.ui.uiTail))
    }
}
