import CChorus
import Synchronization

/// Stops and continuations. All under the tree lock.
extension ProcessManager {
    func stopLocked(_ process: Process, by signal: Int32) {
        guard process.state == .running else { return }
        process.state = .stopped
        process.stopReport = signal
        process.continueReport = false
        for task in process.tasks { markLocked(task) }
        notifyParentLocked(process, code: ChildCode.stopped, status: signal)
    }

    func continueLocked(_ process: Process) {
        resumeLocked(process)
        process.stopReport = nil
        process.continueReport = true
        notifyParentLocked(process, code: ChildCode.continued, status: Signal.cont)
    }

    /// Lets the tasks run on without reporting it.
    func resumeLocked(_ process: Process) {
        process.state = .running
        for task in process.tasks {
            recalculateLocked(task)
            if task.held != nil, !task.isResuming {
                task.isResuming = true
                ready.append(task)
            }
        }
    }

    /// SIGCHLD and wait4's wake-up.
    func notifyParentLocked(_ process: Process, code: Int32, status: Int32) {
        guard let parent = process.parent else { return }
        let isStop = code == ChildCode.stopped || code == ChildCode.continued
        let signal = isStop ? Signal.chld : process.exitSignal
        let action = parent.actions[Int(Signal.chld)]
        // Of stops nobody is told who ignores SIGCHLD, even while it is blocked (Linux' do_notify_parent_cldstop).
        let isUnwanted = isStop && (action.handler == SignalAction.ignore || action.has(SignalAction.noChildStop))
        if signal != 0, !isUnwanted {
            let info = SignalInfo(
                signal: signal, code: code,
                detail: .child(
                    pid: process.pid, uid: process.credentials.uid, status: status,
                    user: Int64(process.accounting.user / 10_000_000),
                    system: Int64(process.accounting.system / 10_000_000)))
            _ = postLocked(info, to: parent)
        }
        parent.childQueue.wake()
    }

    /// A group became orphaned with stopped members: they get SIGHUP and SIGCONT (setpgid(2), POSIX exit).
    func hangUpOrphansLocked(_ pgrp: Int32, leaving: Process) {
        guard isOrphanedLocked(pgrp, without: leaving) else { return }
        let members = membersLocked(ofGroup: pgrp).filter { $0 !== leaving }
        guard members.contains(where: { $0.state == .stopped }) else { return }
        for member in members {
            _ = postLocked(.kernel(Signal.hup), to: member)
            _ = postLocked(.kernel(Signal.cont), to: member)
        }
    }
}

/// si_code of SIGCHLD.
enum ChildCode {
    static let exited: Int32 = 1, killed: Int32 = 2, dumped: Int32 = 3, stopped: Int32 = 5, continued: Int32 = 6
}
