import CChorus
import Synchronization

extension ProcessManager {
    /// Runs `body` under the tree lock; tasks it marked for attention are kicked once the lock is free.
    func withTree<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
        var marked: [Task] = []
        var ended: [Process] = []
        defer {
            for process in ended { endProcess(process, status: WaitStatus.killed(Signal.kill)) }
            for task in marked { kick(task) }
        }
        return try tree.withLock { () throws(E) -> R in
            defer {
                if !kicks.isEmpty { swap(&marked, &kicks) }
                if !killed.isEmpty { swap(&ended, &killed) }
            }
            return try body()
        }
    }

    /// Under the tree lock: the task has to look at its signals, or at a stop or the end of its process.
    func markLocked(_ task: Task) {
        task.attention.store(true, ordering: .sequentiallyConsistent)
        kicks.append(task)
    }

    /// Under the tree lock: sets `attention` to what is true now.
    func recalculateLocked(_ task: Task) {
        let process = task.process
        let deliverable = task.pending.set.union(process.pending.set).subtracting(task.mask)
        let needed =
            !deliverable.isEmpty || process.state != .running || process.groupExiting
            || task.dying.load(ordering: .relaxed)
        task.attention.store(needed, ordering: .sequentiallyConsistent)
    }

    func process(_ pid: Int32) -> Process? { tree.withLock { processes[pid] } }

    /// Under the tree lock: members of a process group that still live.
    func membersLocked(ofGroup pgrp: Int32) -> [Process] {
        processes.values.filter { $0.pgrp == pgrp && !$0.isZombie && $0.state != .reaped }
    }

    /// Under the tree lock. Orphaned: no member has a parent in another group of the same session (POSIX 3.264).
    func isOrphanedLocked(_ pgrp: Int32, without leaving: Process? = nil) -> Bool {
        for process in processes.values where process.pgrp == pgrp && process !== leaving && !process.isZombie {
            if let parent = process.parent, parent.pgrp != pgrp, parent.sid == process.sid, !parent.isZombie {
                return false
            }
        }
        return true
    }

    private func isPidUsedLocked(_ pid: Int32) -> Bool {
        pid == 1 || processes[pid] != nil || tasks[pid] != nil
            || processes.values.contains { $0.pgrp == pid || $0.sid == pid }
    }

    /// Under the tree lock: the next free process or thread number, or the one wanted.
    func allocatePidLocked(_ wanted: Int32? = nil) throws(Errno) -> Int32 {
        if let wanted {
            if isPidUsedLocked(wanted) { throw .EEXIST }
            return wanted
        }
        for _ in 0..<Self.maxPid {
            lastPid = lastPid >= Self.maxPid - 1 ? Self.firstPid : max(lastPid + 1, Self.firstPid)
            if !isPidUsedLocked(lastPid) { return lastPid }
        }
        throw .EAGAIN
    }
    /// Number 1 is the manager itself: the parent of spawned processes and orphans.
    static let firstPid: Int32 = 2
    static let maxPid: Int32 = 4_194_304
}
