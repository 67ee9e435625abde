import CChorus

/// wait4(2) and waitid(2).
enum WaitCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (61, "wait4", wait4), (247, "waitid", waitid),
    ]
    static let noHang: UInt32 = 1, untraced: UInt32 = 2, exited: UInt32 = 4, continued: UInt32 = 8
    static let noWait: UInt32 = 0x0100_0000
    private static let known: UInt32 = 0x0f00_000f | 0xe000_0000
    private static let own: UInt32 = 0x2000_0000, all: UInt32 = 0x4000_0000, clones: UInt32 = 0x8000_0000

    enum Selection {
        case any
        case pid(Int32)
        case process(Process)
        case group(Int32)

        func matches(_ process: Process) -> Bool {
            switch self {
            case .any: true
            case .pid(let pid): process.pid == pid
            case .process(let one): process === one
            case .group(let pgrp): process.pgrp == pgrp
            }
        }
    }

    struct Found {
        var pid: Int32
        var uid: UInt32
        var code: Int32
        var status: Int32
        var word: Int32
        var accounting: Accounting
        /// Forgotten, and to be released outside the lock.
        var process: Process?
    }

    /// Under the tree lock: nil when nothing is there yet, ECHILD when nothing ever can be.
    static func find(
        _ manager: ProcessManager, _ task: Task, _ selection: Selection, _ options: UInt32
    ) throws(Errno) -> Found? {
        let parent = task.process
        var hasChild = false
        for child in parent.children where selection.matches(child) {
            // __WCLONE: those whose end sends another signal than SIGCHLD, and no others; __WNOTHREAD: the thread's own.
            if options & all == 0, (child.exitSignal != Signal.chld) != (options & clones != 0) { continue }
            if options & own != 0, child.maker != task.tid { continue }
            hasChild = true
            let keep = options & noWait != 0
            if child.isZombie {
                guard options & exited != 0 else { continue }
                let word = child.exitStatus
                let signal = word & 0x7f
                if !keep { manager.forgetLocked(child) }
                return Found(
                    pid: child.pid, uid: child.credentials.uid,
                    code: signal == 0 ? ChildCode.exited : ChildCode.killed,
                    status: signal == 0 ? word >> 8 & 0xff : signal, word: word, accounting: child.accounting,
                    process: child)
            }
            if options & untraced != 0, let signal = child.stopReport, child.state == .stopped {
                if !keep { child.stopReport = nil }
                return Found(
                    pid: child.pid, uid: child.credentials.uid, code: ChildCode.stopped, status: signal,
                    word: WaitStatus.stopped(signal), accounting: child.accounting)
            }
            if options & continued != 0, child.continueReport {
                if !keep { child.continueReport = false }
                return Found(
                    pid: child.pid, uid: child.credentials.uid, code: ChildCode.continued, status: Signal.cont,
                    word: WaitStatus.continued, accounting: child.accounting)
            }
        }
        guard hasChild else { throw .ECHILD }
        return nil
    }

    /// Finds, or enlists on the parent's queue in the same breath.
    private static func collect(_ call: Call, _ selection: Selection, _ options: UInt32) throws(Errno) -> Found? {
        try call.manager.withTree { () throws(Errno) -> Found? in
            if let found = try find(call.manager, call.task, selection, options) { return found }
            if options & noHang == 0 { call.enlist(on: call.process.childQueue) }
            return nil
        }
    }

    @Sendable static func wait4(_ call: Call) throws(Errno) -> Outcome {
        let pid = call.int(0)
        let options = call.uint(2)
        guard options & ~known == 0, options & (noWait | exited) == 0 else { throw .EINVAL }
        guard pid != .min else { throw .ESRCH }
        let selection: Selection =
            pid > 0 ? .pid(pid) : pid == -1 ? .any : .group(pid == 0 ? call.process.pgrp : -pid)
        guard let found = try collect(call, selection, options | exited) else {
            return options & noHang != 0 ? .zero : .park(Wait(on: [call.process.childQueue], for: "do_wait"))
        }
        if call[1] != 0 { try call.writeStruct(found.word, at: call[1]) }
        if call[3] != 0 { try call.copyOut(ResourceCalls.usage(found.accounting, children: true), to: call[3]) }
        return .done(value: found.pid)
    }

    @Sendable static func waitid(_ call: Call) throws(Errno) -> Outcome {
        let options = call.uint(3)
        let id = call.int(1)
        guard options & ~known == 0, options & (exited | untraced | continued) != 0 else { throw .EINVAL }
        let selection: Selection
        /// Of a pidfd with O_NONBLOCK (waitid(2)).
        var pollsOnly = false
        switch call.int(0) {
        case 0: selection = .any
        case 1:
            guard id > 0 else { throw .EINVAL }
            selection = .pid(id)
        case 2:
            guard id >= 0 else { throw .EINVAL }
            selection = .group(id == 0 ? call.process.pgrp : id)
        case 3:
            guard let file = try call.openDescription(1) as? PidFile else { throw .EBADF }
            selection = .process(file.process)
            pollsOnly = file.isNonBlocking
        default: throw .EINVAL
        }
        guard let found = try collect(call, selection, options | (pollsOnly ? noHang : 0)) else {
            guard options & noHang != 0 else {
                if pollsOnly { throw .EAGAIN }
                return .park(Wait(on: [call.process.childQueue], for: "do_wait"))
            }
            if call[2] != 0 { try call.copyOut([UInt8](repeating: 0, count: SignalInfo.size), to: call[2]) }
            return .zero
        }
        if call[2] != 0 {
            let info = SignalInfo(
                signal: Signal.chld, code: found.code,
                detail: .child(pid: found.pid, uid: found.uid, status: found.status, user: 0, system: 0))
            try call.copyOut(info.encoded(), to: call[2])
        }
        if call[4] != 0 { try call.copyOut(ResourceCalls.usage(found.accounting, children: true), to: call[4]) }
        return .zero
    }
}
