import CChorus
import Synchronization

/// Sending signals.
extension ProcessManager {
    func post(_ info: SignalInfo, to process: Process) { withTree { _ = postLocked(info, to: process) } }
    func post(_ info: SignalInfo, to task: Task) { withTree { _ = postLocked(info, to: task.process, task: task) } }

    /// Under the tree lock. `task` directs it to one thread. False: a queued signal found no room.
    func postLocked(_ info: SignalInfo, to process: Process, task: Task? = nil) -> Bool {
        guard process.state == .running || process.state == .stopped, !process.groupExiting else { return true }
        let signal = info.signal
        if SignalSet.stops.contains(signal) {
            discardLocked(SignalSet(Signal.cont), of: process)
        } else if signal == Signal.cont {
            discardLocked(SignalSet.stops, of: process)
            if process.state == .stopped { continueLocked(process) }
        } else if signal == Signal.kill, process.state == .stopped {
            resumeLocked(process)
        }
        if signal == Signal.kill {
            killed.append(process)
            return true
        }
        let isBlocked = task?.mask.contains(signal) ?? process.tasks.allSatisfy { $0.mask.contains(signal) }
        if process.actions[Int(signal)].ignores(signal), !isBlocked, !SignalSet.unblockable.contains(signal) {
            return true
        }
        let limit = Int(clamping: process.limits[.signals].soft)
        let queued: Bool
        if let task {
            queued = task.pending.post(info, limit: limit)
        } else {
            queued = process.pending.post(info, limit: limit)
        }
        guard queued else { return false }
        if let target = task ?? process.tasks.first(where: { !$0.mask.contains(signal) }) {
            if !target.mask.contains(signal) || signal == Signal.kill { markLocked(target) }
        }
        process.signalSource.notify()
        return true
    }

    /// Under the tree lock: a fault of the task itself: a blocked or ignored signal then has its default action.
    func forceLocked(_ info: SignalInfo, on task: Task) {
        let signal = Int(info.signal)
        let process = task.process
        if process.actions[signal].handler == SignalAction.ignore || task.mask.contains(info.signal) {
            process.actions[signal] = SignalAction()
        }
        task.mask.remove(info.signal)
        _ = task.pending.post(info)
        task.attention.store(true, ordering: .sequentiallyConsistent)
    }

    private func discardLocked(_ signals: SignalSet, of process: Process) {
        process.pending.discard(signals)
        for task in process.tasks { task.pending.discard(signals) }
    }

    /// To all members of a group; ESRCH where there is none.
    @discardableResult
    func postGroup(_ info: SignalInfo, pgrp: Int32) -> Bool {
        withTree {
            let members = membersLocked(ofGroup: pgrp)
            for process in members { _ = postLocked(info, to: process) }
            return !members.isEmpty
        }
    }

    /// Under the tree lock: replaces a task's mask.
    func setMaskLocked(_ task: Task, _ mask: SignalSet) {
        task.mask = mask.subtracting(.unblockable)
        recalculateLocked(task)
        // What it no longer takes of the process' signals may suit another thread.
        let left = SignalSet(bits: task.process.pending.set.bits & task.mask.bits)
        guard !left.isEmpty else { return }
        for other in task.process.tasks
        where other !== task && !left.subtracting(other.mask).isEmpty
            && !other.attention.load(ordering: .sequentiallyConsistent)
        {
            markLocked(other)
        }
    }
}

extension Call {
    /// Runs the rest of the call under another mask (ppoll, pselect6, epoll_pwait, rt_sigsuspend): restored when the
    /// call ends, or by the return from the handler that ends it. May be called again after a re-dispatch.
    func useTemporaryMask(_ mask: SignalSet) {
        manager.withTree {
            if task.savedMask == nil { task.savedMask = task.mask }
            manager.setMaskLocked(task, mask)
        }
    }
}
