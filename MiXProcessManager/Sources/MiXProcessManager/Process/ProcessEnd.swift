import CChorus
import CMiXDevice
import CMiXFile
import Synchronization

/// The end of threads and processes.
extension ProcessManager {
    /// Ends the whole process with a wait status. The calling task, if it is one of it, returns `.gone` afterwards.
    func endProcess(_ process: Process, status: Int32) {
        let tasks = withTree { () -> [Task]? in
            if process.groupExiting { return nil }
            process.groupExiting = true
            process.exitStatus = status
            for task in process.tasks {
                task.dying.store(true, ordering: .sequentiallyConsistent)
                task.attention.store(true, ordering: .sequentiallyConsistent)
                self.tasks[task.tid] = nil
            }
            return process.tasks
        }
        guard let tasks else { return }
        collectAccounting(process)
        // Words in memory that others share have waiters who live on.
        if tasks.contains(where: { $0.robustList != 0 }), process.memory.lock.withLock({ process.memory.map.hasShared })
        {
            for task in tasks { releaseRobust(task) }
        }
        for task in tasks {
            taskTable.remove(task.cookie)
            // Woken to drop what it holds; it finds itself dying and goes no further.
            _ = task.interruptPark()
        }
        // The guest is gone before anything it could still use is.
        var actor = process.actor
        nucleus.actorDelete(&actor)
        for task in tasks { releasePiLocks(ofTask: task.tid) }
        disarmTimers(process)
        undoSemaphores(process)
        detachSegments(process)
        releaseFiles(process)
        if let done = withTree({ take(&process.vforkDone) }) { done.wake() }
        let report = withTree { bury(process) }
        finish(report, process)
    }

    /// One thread ends (exit(2)); the last one takes the process with it.
    func endTask(_ task: Task, status: Int32) {
        let process = task.process
        let isLast = tree.withLock { process.tasks.count <= 1 }
        if isLast {
            endProcess(process, status: status)
            return
        }
        releaseRobust(task)
        releaseThreadWords(task)
        let left = withTree { () -> Bool in
            task.dying.store(true, ordering: .sequentiallyConsistent)
            process.tasks.removeAll { $0 === task }
            if let heir = process.leader {
                for child in process.children where child.maker == task.tid { child.maker = heir.tid }
            }
            tasks[task.tid] = nil
            // Signals meant for the process may have been this thread's to take.
            for other in process.tasks {
                recalculateLocked(other)
                if other.attention.load(ordering: .relaxed) { markLocked(other) }
            }
            return !process.tasks.isEmpty
        }
        releasePiLocks(ofTask: task.tid)
        taskTable.remove(task.cookie)
        finishCall(task)
        nucleus.threadDelete(task.thread)
        if !left { endProcess(process, status: status) }
    }

    func take<T>(_ value: inout T?) -> T? {
        defer { value = nil }
        return value
    }

    /// Files, directories and the executable: may send messages, so without locks.
    func releaseFiles(_ process: Process) {
        if process.fileUsers.drop() { process.files.closeAll() }
        process.cwd.release(self)
        process.root.release(self)
        // What these hold is closed by messages when the last reference goes, so only behind the lock.
        let held = tree.withLock { () -> (AddressSpace, ExecutableFile?) in
            defer {
                process.memory = AddressSpace()
                process.executable = nil
            }
            return (process.memory, process.executable)
        }
        withExtendedLifetime(held) {}
    }

    private enum Report {
        case child
        case forgotten
        case spawned(SpawnState)
    }

    /// Under the tree lock: from dying to zombie, or out of the table at once.
    private func bury(_ process: Process) -> Report {
        process.tasks = []
        process.state = .zombie
        process.endSource.notify()
        adoptChildrenLocked(of: process)
        hangUpOrphansLocked(process.pgrp, leaving: process)
        if process.spawned != nil {
            return .spawned(process.spawned ?? SpawnState(isSiteProgram: false))
        }
        guard let parent = process.parent else {
            forgetLocked(process)
            return .forgotten
        }
        let action = parent.actions[Int(Signal.chld)]
        let isUnwanted =
            process.exitSignal == Signal.chld
            && (action.handler == SignalAction.ignore || action.has(SignalAction.noChildWait))
        let signal = process.exitStatus & 0x7f
        // SA_NOCLDWAIT leaves the signal (sigaction(2)), and whoever is forgotten has no parent to tell any more.
        if !(isUnwanted && action.handler == SignalAction.ignore) {
            notifyParentLocked(
                process, code: signal == 0 ? ChildCode.exited : ChildCode.killed,
                status: signal == 0 ? process.exitStatus >> 8 & 0xff : signal)
        }
        if isUnwanted {
            forgetLocked(process)
            parent.childQueue.wake()
        }
        return .child
    }

    /// Under the tree lock: children go to the nearest subreaper, else to the manager, which wants nothing of them.
    private func adoptChildrenLocked(of process: Process) {
        var reaper = process.parent
        while let candidate = reaper, !candidate.childSubreaper || candidate.isZombie { reaper = candidate.parent }
        let children = process.children
        process.children = []
        for child in children {
            child.parent = reaper
            child.maker = reaper?.pid ?? 0
            if let reaper {
                reaper.children.append(child)
                if child.isZombie { notifyParentLocked(child, code: ChildCode.exited, status: 0) }
            } else if child.isZombie {
                forgetLocked(child)
            }
            if child.deathSignal != 0 { _ = postLocked(.kernel(child.deathSignal), to: child) }
            // A group of a child that hung on us for not being orphaned.
            if child.pgrp != process.pgrp { hangUpOrphansLocked(child.pgrp, leaving: process) }
        }
    }

    /// Under the tree lock: out of all tables.
    func forgetLocked(_ process: Process) {
        process.state = .reaped
        process.endSource.notify()
        processes[process.pid] = nil
        if let parent = process.parent {
            parent.accounting.childUser &+= process.accounting.user &+ process.accounting.childUser
            parent.accounting.childSystem &+= process.accounting.system &+ process.accounting.childSystem
            parent.accounting.childMaxResident = max(
                parent.accounting.childMaxResident, process.accounting.maxResident)
            parent.children.removeAll { $0 === process }
        }
        process.parent = nil
    }

    private func finish(_ report: Report, _ process: Process) {
        if process.sid == process.pid {
            var request = MixObjRequest()
            request.op = TTY_SESSION_END
            request.cred = process.mixCred()
            _ = try? objectCall(deviceServer, request)
        }
        guard case .spawned(let spawned) = report else { return }
        for watcher in spawned.watchers {
            var event = watcher
            nucleus.eventPost(&event, 1)
        }
        if spawned.isSiteProgram { shutdownWhenDrained(status: process.exitStatus, attempt: 0) }
    }

    /// The site ends with its program, but not before its output has reached the host.
    func shutdownWhenDrained(status: Int32, attempt: Int) {
        var request = MixObjRequest()
        request.op = DEV_CONSOLE_DRAIN
        var isDrained = true
        do {
            _ = try objectCall(deviceServer, request)
        } catch {
            isDrained = error != .EAGAIN
        }
        if isDrained || attempt > 5000 {
            nucleus.sysShutdown(Self.exitCode(status))
        } else {
            _ = timers.arm(at: clock.monotonic() + 1_000_000) { [weak self] in
                self?.shutdownWhenDrained(status: status, attempt: attempt + 1)
            }
        }
    }

    /// As a shell reports it: 128 + n for a signal.
    static func exitCode(_ status: Int32) -> Int32 {
        status & 0x7f == 0 ? status >> 8 & 0xff : 128 + (status & 0x7f)
    }

    /// CPU time and memory of the guest as the nucleus counted them.
    /// A process of a few milliseconds is not worth asking for: the times are given in centiseconds.
    func collectAccounting(_ process: Process) {
        if clock.monotonic() &- process.startTime > 30_000_000 { _ = measure(process) }
    }

    /// CLONE_CHILD_CLEARTID: zero and a wake-up when memory is shared with someone who may look.
    func releaseThreadWords(_ task: Task) {
        guard task.clearChildTid != 0 else { return }
        let address = task.clearChildTid
        task.clearChildTid = 0
        var zero: UInt32 = 0
        nucleus.svCopyOut(task.thread, &zero, address, 4, 0)
        futexWake(task.process, address, 1)
    }
}

/// How many processes share a descriptor table (clone(CLONE_FILES)).
final class UserCount: Sendable {
    private let count = Atomic<Int>(1)
    func add() -> UserCount {
        count.add(1, ordering: .relaxed)
        return self
    }
    var isShared: Bool { count.load(ordering: .acquiring) > 1 }
    /// True for the last one.
    func drop() -> Bool { count.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 }
}
