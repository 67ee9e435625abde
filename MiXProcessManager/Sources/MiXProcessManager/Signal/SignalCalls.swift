import CChorus
import Glibc
import Synchronization

/// The signal system calls.
enum SignalCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (13, "rt_sigaction", action), (14, "rt_sigprocmask", procMask), (15, "rt_sigreturn", sigreturn),
        (34, "pause", pause), (62, "kill", kill), (127, "rt_sigpending", pending),
        (128, "rt_sigtimedwait", timedWait), (129, "rt_sigqueueinfo", queueInfo), (130, "rt_sigsuspend", suspend),
        (131, "sigaltstack", altStack), (200, "tkill", tkill), (234, "tgkill", tgkill),
        (297, "rt_tgsigqueueinfo", threadQueueInfo),
    ]

    @Sendable static func sigreturn(_ call: Call) throws(Errno) -> Outcome { call.manager.sigreturn(call) }

    @Sendable static func action(_ call: Call) throws(Errno) -> Outcome {
        let signal = call.int(0)
        guard call[3] == 8, Signal.isValid(signal) else { throw .EINVAL }
        var new: SignalAction?
        if call[1] != 0 {
            let raw = try call.readStruct((UInt64, UInt64, UInt64, UInt64).self, at: call[1])
            if SignalSet.unblockable.contains(signal) { throw .EINVAL }
            new = SignalAction(
                handler: raw.0, flags: raw.1 & SignalAction.known, restorer: raw.2,
                mask: SignalSet(bits: raw.3).subtracting(.unblockable))
        }
        let process = call.process
        let old = call.manager.withTree { () -> SignalAction in
            let old = process.actions[Int(signal)]
            if let new {
                process.actions[Int(signal)] = new
                // What is ignored now is pending no more (POSIX 2.4.3).
                if new.ignores(signal) {
                    process.pending.discard(SignalSet(signal))
                    for task in process.tasks { task.pending.discard(SignalSet(signal)) }
                }
            }
            return old
        }
        if call[2] != 0 {
            try call.writeStruct((old.handler, old.flags, old.restorer, old.mask.bits), at: call[2])
        }
        return .zero
    }

    @Sendable static func procMask(_ call: Call) throws(Errno) -> Outcome {
        guard call[3] == 8 else { throw .EINVAL }
        let task = call.task
        let old = task.mask
        if call[1] != 0 {
            let given = SignalSet(bits: try call.readStruct(UInt64.self, at: call[1]))
            let new: SignalSet
            switch call.int(0) {
            case SIG_BLOCK: new = old.union(given)
            case SIG_UNBLOCK: new = old.subtracting(given)
            case SIG_SETMASK: new = given
            default: throw .EINVAL
            }
            call.manager.withTree { call.manager.setMaskLocked(task, new) }
        }
        if call[2] != 0 { try call.writeStruct(old.bits, at: call[2]) }
        return .zero
    }

    @Sendable static func pending(_ call: Call) throws(Errno) -> Outcome {
        guard call[1] <= 8 else { throw .EINVAL }
        let set = call.manager.tree.withLock {
            call.task.pending.set.union(call.process.pending.set).bits & call.task.mask.bits
        }
        try call.writeStruct(set, at: call[0])
        return .zero
    }

    @Sendable static func pause(_ call: Call) throws(Errno) -> Outcome {
        .park(Wait(restart: .interrupt, for: "do_sigtimedwait"))
    }

    @Sendable static func suspend(_ call: Call) throws(Errno) -> Outcome {
        guard call[1] == 8 else { throw .EINVAL }
        call.useTemporaryMask(SignalSet(bits: try call.readStruct(UInt64.self, at: call[0])))
        return .park(Wait(restart: .interrupt, for: "sigsuspend"))
    }

    @Sendable static func timedWait(_ call: Call) throws(Errno) -> Outcome {
        guard call[3] == 8 else { throw .EINVAL }
        let wanted = SignalSet(bits: try call.readStruct(UInt64.self, at: call[0])).subtracting(.unblockable)
        var deadline: UInt64?
        var polls = false
        if call[2] != 0 {
            let nanoseconds = try TimeCalls.duration(call, call[2])
            polls = nanoseconds == 0
            deadline = call.deadline(after: nanoseconds)
        }
        let task = call.task
        let info = call.manager.withTree { () -> SignalInfo? in
            if let info = task.pending.take(wanted) ?? call.process.pending.take(wanted) {
                call.manager.recalculateLocked(task)
                return info
            }
            if !polls && !call.timedOut { call.enlist(on: call.process.signalQueue) }
            return nil
        }
        if let info {
            if call[1] != 0 { try call.copyOut(info.encoded(), to: call[1]) }
            return .done(value: info.signal)
        }
        if polls || call.timedOut { throw .EAGAIN }
        return .park(
            Wait(on: [call.process.signalQueue], until: deadline, restart: .interrupt, for: "do_sigtimedwait"))
    }

    @Sendable static func altStack(_ call: Call) throws(Errno) -> Outcome {
        let task = call.task
        let old = task.altStack
        let isOn = old.contains(task.frame.rsp)
        if call[0] != 0 {
            let raw = try call.readStruct((UInt64, UInt32, UInt32, UInt64).self, at: call[0])
            if isOn { throw .EPERM }
            let mode = raw.1 & ~AltStack.autoDisarm
            guard mode == 0 || mode == UInt32(AltStack.disable) || mode == UInt32(AltStack.onStack) else {
                throw .EINVAL
            }
            if mode == UInt32(AltStack.disable) {
                task.altStack = AltStack()
            } else {
                guard raw.3 >= 2048 else { throw .ENOMEM }
                task.altStack = AltStack(base: raw.0, size: raw.3, flags: raw.1 & AltStack.autoDisarm)
            }
        }
        if call[1] != 0 {
            let flags = old.flags | (isOn ? UInt32(AltStack.onStack) : 0)
            try call.writeStruct((old.base, flags, UInt32(0), old.size), at: call[1])
        }
        return .zero
    }

    // MARK: sending

    static func maySignal(_ from: Process, _ to: Process, _ signal: Int32) -> Bool {
        let a = from.credentials
        let b = to.credentials
        if a.has(Credentials.capKill) || a.euid == b.suid || a.euid == b.uid || a.uid == b.suid || a.uid == b.uid {
            return true
        }
        return signal == Signal.cont && from.sid == to.sid
    }

    @Sendable static func kill(_ call: Call) throws(Errno) -> Outcome {
        try send(call.manager, from: call.process, pid: call.int(0), signal: call.int(1))
        return .zero
    }

    /// kill(2); `from` nil: the manager itself, which may all.
    static func send(_ manager: ProcessManager, from: Process?, pid: Int32, signal: Int32) throws(Errno) {
        guard signal == 0 || Signal.isValid(signal) else { throw .EINVAL }
        guard pid != .min else { throw .ESRCH }
        if pid == 1, let from {
            // The manager itself is parent of those who have no other: as init it is there, and takes no signal.
            guard from.credentials.has(Credentials.capKill) || from.credentials.euid == 0 else { throw .EPERM }
            return
        }
        try manager.withTree { () throws(Errno) in
            let targets: [Process]
            if pid > 0 {
                targets = (manager.processes[pid] ?? manager.tasks[pid]?.process).map { [$0] } ?? []
            } else if pid == -1 {
                targets = manager.processes.values.filter { $0 !== from && !$0.isZombie }
            } else {
                targets = manager.membersLocked(ofGroup: pid == 0 ? from?.pgrp ?? 0 : -pid)
            }
            guard !targets.isEmpty else { throw .ESRCH }
            let allowed = targets.filter { target in from.map { maySignal($0, target, signal) } ?? true }
            guard !allowed.isEmpty || pid == -1 else { throw .EPERM }  // -1: EPERM alone is no failure (kill(2))
            guard signal != 0 else { return }
            for target in allowed {
                let info = from.map { SignalInfo.from($0, signal) } ?? .kernel(signal)
                _ = manager.postLocked(info, to: target)
            }
        }
    }

    private static func sendThread(_ call: Call, _ group: Int32?, _ tid: Int32, _ info: SignalInfo) throws(Errno) {
        let signal = info.signal
        guard tid > 0, group.map({ $0 > 0 }) ?? true, signal == 0 || Signal.isValid(signal) else { throw .EINVAL }
        try call.manager.withTree { () throws(Errno) in
            guard let task = call.manager.tasks[tid], group.map({ $0 == task.process.pid }) ?? true else {
                // A zombie may be named, without effect.
                if let process = call.manager.processes[tid], process.isZombie, group ?? tid == tid { return }
                throw .ESRCH
            }
            guard maySignal(call.process, task.process, signal) else { throw .EPERM }
            if signal != 0, !call.manager.postLocked(info, to: task.process, task: task) { throw .EAGAIN }
        }
    }

    @Sendable static func tkill(_ call: Call) throws(Errno) -> Outcome {
        try sendThread(call, nil, call.int(0), .from(call.process, call.int(1), code: SignalInfo.thread))
        return .zero
    }
    @Sendable static func tgkill(_ call: Call) throws(Errno) -> Outcome {
        try sendThread(call, call.int(0), call.int(1), .from(call.process, call.int(2), code: SignalInfo.thread))
        return .zero
    }

    private static func readInfo(_ call: Call, _ address: UInt64, _ signal: Int32) throws(Errno) -> SignalInfo {
        SignalInfo(bytes: try call.copyIn(address, count: SignalInfo.size), signal: signal)
    }

    @Sendable static func queueInfo(_ call: Call) throws(Errno) -> Outcome {
        let info = try readInfo(call, call[2], call.int(1))
        let pid = call.int(0)
        guard info.signal == 0 || Signal.isValid(info.signal) else { throw .EINVAL }
        // Nobody may pretend to be the kernel or kill(2) towards another process.
        if (info.code >= 0 || info.code == SignalInfo.thread) && pid != call.process.pid { throw .EPERM }
        try call.manager.withTree { () throws(Errno) in
            guard let target = call.manager.processes[pid] ?? call.manager.tasks[pid]?.process else { throw .ESRCH }
            guard maySignal(call.process, target, info.signal) else { throw .EPERM }
            if info.signal != 0, !call.manager.postLocked(info, to: target) { throw .EAGAIN }
        }
        return .zero
    }

    @Sendable static func threadQueueInfo(_ call: Call) throws(Errno) -> Outcome {
        let info = try readInfo(call, call[3], call.int(2))
        if (info.code >= 0 || info.code == SignalInfo.thread) && call.int(0) != call.process.pid { throw .EPERM }
        try sendThread(call, call.int(0), call.int(1), info)
        return .zero
    }
}
