import CChorus

/// A task's filters, the newest first; those below are shared with whom they were inherited from.
final class SeccompFilter: Sendable {
    let program: BpfProgram
    let older: SeccompFilter?
    /// Filters, and instructions with a charge of four for each filter (MAX_INSNS_PER_PATH).
    let count: Int
    let weight: Int
    static let heaviest = 32768

    init(_ program: BpfProgram, over older: SeccompFilter?) {
        self.program = program
        self.older = older
        count = (older?.count ?? 0) + 1
        weight = (older?.weight ?? 0) + program.count + 4
    }

    /// Whether `other` is this one or below it.
    func includes(_ other: SeccompFilter?) -> Bool {
        guard let other else { return true }
        var now: SeccompFilter? = self
        while let filter = now {
            if filter === other { return true }
            now = filter.older
        }
        return false
    }

    /// All run; the strictest answer counts, of equal ones the newest.
    func verdict(_ frame: KnTrapFrame) -> UInt32 {
        let arguments = frame.args
        let wide = [frame.rip, arguments.0, arguments.1, arguments.2, arguments.3, arguments.4, arguments.5]
        var words: [UInt32] = [UInt32(truncatingIfNeeded: frame.number), 0xc000_003e]  // AUDIT_ARCH_X86_64
        for value in wide {
            words.append(UInt32(truncatingIfNeeded: value))
            words.append(UInt32(value >> 32))
        }
        var best: UInt32 = Seccomp.allow
        var now: SeccompFilter? = self
        while let filter = now {
            let answer = filter.program.run(words)
            if Int32(bitPattern: answer & Seccomp.action) < Int32(bitPattern: best & Seccomp.action) { best = answer }
            now = filter.older
        }
        return best
    }
}

/// What a filter says (seccomp(2)).
enum Seccomp {
    static let action: UInt32 = 0xffff_0000
    static let killProcess: UInt32 = 0x8000_0000, killThread: UInt32 = 0, trap: UInt32 = 0x3_0000
    static let errno: UInt32 = 0x5_0000, notify: UInt32 = 0x7fc0_0000, trace: UInt32 = 0x7ff0_0000
    static let log: UInt32 = 0x7ffc_0000, allow: UInt32 = 0x7fff_0000
}

/// How a task's calls are restricted; inherited by what it makes, kept across execve(2).
enum SeccompMode: Sendable {
    case none
    case strict
    case filter(SeccompFilter)

    /// For /proc/PID/status.
    var number: Int {
        switch self {
        case .none: 0
        case .strict: 1
        case .filter: 2
        }
    }
    var filters: Int { if case .filter(let filter) = self { filter.count } else { 0 } }
}

extension ProcessManager {
    /// nil: the call may go on.
    func restrict(_ task: Task) -> DispatchResult? {
        switch task.seccomp {
        case .none: return nil
        case .strict:
            // read, write, rt_sigreturn, exit; the end of everything else is SIGKILL.
            if [0, 1, 15, 60].contains(task.frame.number) { return nil }
            endProcess(task.process, status: WaitStatus.killed(Signal.kill))
            return .gone
        case .filter(let filter): return obey(filter.verdict(task.frame), task)
        }
    }

    private func obey(_ verdict: UInt32, _ task: Task) -> DispatchResult? {
        let data = Int32(verdict & 0xffff)
        switch verdict & Seccomp.action {
        case Seccomp.allow, Seccomp.log: return nil
        case Seccomp.errno: return .finished(.value(-Int64(min(data, 4095))))
        case Seccomp.trap:
            let info = SignalInfo(
                signal: Signal.sys, code: 1, errno: data,  // SYS_SECCOMP
                detail: .systemCall(address: task.frame.rip, number: Int32(truncatingIfNeeded: task.frame.number)))
            tree.withLock { forceLocked(info, on: task) }
            return .finished(.value(Int64(bitPattern: task.frame.number)))
        // Nobody traces, and nobody listens.
        case Seccomp.trace, Seccomp.notify: return .finished(.value(Errno.ENOSYS.result))
        case Seccomp.killThread where tree.withLock({ task.process.tasks.count > 1 }):
            endTask(task, status: WaitStatus.killed(Signal.sys))
            return .gone
        default:
            endProcess(task.process, status: WaitStatus.killed(Signal.sys))
            return .gone
        }
    }
}
