import ActorKit
import CChorus
import Synchronization

/// fork(2), vfork(2), clone(2), exit(2).
enum CloneCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (56, "clone", clone), (57, "fork", fork), (58, "vfork", vfork), (60, "exit", exit),
        (231, "exit_group", exitGroup), (435, "clone3", clone3),
    ]
    static let vm: UInt64 = 0x100, fs: UInt64 = 0x200, files: UInt64 = 0x400, sighand: UInt64 = 0x800
    static let pidfd: UInt64 = 0x1000, ptrace: UInt64 = 0x2000, vforkFlag: UInt64 = 0x4000, parent: UInt64 = 0x8000
    static let thread: UInt64 = 0x1_0000, newNamespace: UInt64 = 0x2_0000, systemV: UInt64 = 0x4_0000
    static let setTls: UInt64 = 0x8_0000, parentSetTid: UInt64 = 0x10_0000, childClearTid: UInt64 = 0x20_0000
    static let detached: UInt64 = 0x40_0000, untraced: UInt64 = 0x80_0000, childSetTid: UInt64 = 0x100_0000
    static let clearHandlers: UInt64 = 0x1_0000_0000
    private static let known: UInt64 =
        vm | fs | files | sighand | ptrace | vforkFlag | parent | thread | systemV | setTls | parentSetTid
        | childClearTid | detached | untraced | childSetTid | 0x8000_0000 | 0xff | pidfd | clearHandlers

    struct Request {
        var flags: UInt64
        var stack: UInt64 = 0
        var parentTid: UInt64 = 0
        var childTid: UInt64 = 0
        var tls: UInt64 = 0
        /// Where the pidfd goes: with clone(2) in the place of the parent's tid.
        var pidfdAddress: UInt64 = 0
        /// The number that clone3(2) asks for.
        var wantedPid: Int32?
        var signal: Int32 { Int32(flags & 0xff) }
        func has(_ flag: UInt64) -> Bool { flags & flag != 0 }
    }

    @Sendable static func fork(_ call: Call) throws(Errno) -> Outcome {
        try create(call, Request(flags: UInt64(Signal.chld)))
    }
    @Sendable static func vfork(_ call: Call) throws(Errno) -> Outcome {
        try create(call, Request(flags: vm | vforkFlag | UInt64(Signal.chld)))
    }
    @Sendable static func clone(_ call: Call) throws(Errno) -> Outcome {
        let request = Request(
            flags: call[0] & 0xffff_ffff, stack: call[1], parentTid: call[2], childTid: call[3], tls: call[4],
            pidfdAddress: call[2])
        if request.has(pidfd) && request.has(parentSetTid) { throw .EINVAL }
        return try create(call, request)
    }
    @Sendable static func clone3(_ call: Call) throws(Errno) -> Outcome {
        // The parent of a vfork, run again: what it asked for is long done.
        try create(call, call.kept is VforkWait ? Request(flags: 0) : Clone3.request(call))
    }
    @Sendable static func exit(_ call: Call) throws(Errno) -> Outcome {
        call.manager.endTask(call.task, status: WaitStatus.exited(call.int(0)))
        return .gone
    }
    @Sendable static func exitGroup(_ call: Call) throws(Errno) -> Outcome {
        call.manager.endProcess(call.process, status: WaitStatus.exited(call.int(0)))
        return .gone
    }

    private static func create(_ call: Call, _ request: Request) throws(Errno) -> Outcome {
        // The parent of a vfork, run again: its child has executed or ended.
        if let waiting = call.kept as? VforkWait {
            return waiting.isOver(call) ? .done(value: waiting.pid) : waiting.park
        }
        let flags = request.flags
        guard flags & ~known == 0 else { throw .EINVAL }
        if request.has(thread) && !request.has(sighand) { throw .EINVAL }
        if request.has(sighand) && (!request.has(vm) || request.has(clearHandlers)) { throw .EINVAL }
        if request.has(pidfd) && (request.has(thread) || request.has(detached)) { throw .EINVAL }
        guard request.signal <= Signal.last else { throw .EINVAL }
        if request.has(thread) { return .done(value: try createThread(call, request)) }
        return try createProcess(call, request)
    }

    private static func createThread(_ call: Call, _ request: Request) throws(Errno) -> Int32 {
        let manager = call.manager
        let process = call.process
        let tid = try manager.tree.withLock { () throws(Errno) in try manager.allocatePidLocked(request.wantedPid) }
        let task = Task(manager: manager, process: process, tid: tid, name: call.task.name)
        task.inherit(from: call.task)
        var actor = process.actor
        try start(call, request, task, &actor, isSharing: true)
        let isAlive = manager.withTree { () -> Bool in
            if process.groupExiting || call.task.dying.load(ordering: .relaxed) { return false }
            task.mask = call.task.mask
            process.tasks.append(task)
            manager.tasks[tid] = task
            manager.recalculateLocked(task)
            return true
        }
        guard isAlive else {
            manager.taskTable.remove(task.cookie)
            nucleus(call).threadDelete(task.thread)
            throw .EINTR
        }
        manager.complete(task, manager.settle(task, .finished(.value(0))))
        return tid
    }

    private static func nucleus(_ call: Call) -> Nucleus { call.nucleus }

    /// The nucleus' thread, its cookie and the words CLONE_*TID name. The thread stays trapped.
    private static func start(
        _ call: Call, _ request: Request, _ task: Task, _ actor: inout KnCap, isSharing: Bool
    ) throws(Errno) {
        let manager = call.manager
        var start = KnThreadStart()
        start.from = call.thread
        if request.stack != 0 {
            start.flags |= K_START_RSP
            start.rsp = request.stack
        }
        if request.has(setTls) {
            start.flags |= K_START_FSBASE
            start.fsBase = request.tls
        }
        let code = manager.nucleus.threadCreateUnix(&actor, &start, &task.thread)
        guard code >= 0 else {
            throw code == K_ENOMEM || code == K_EHOST ? .EAGAIN : ProcessManager.errno(ofCode: code)
        }
        task.cookie = manager.taskTable.insert(task)
        manager.nucleus.threadCookie(task.thread, task.cookie)
        if request.has(childClearTid) { task.clearChildTid = request.childTid }
        var tid = task.tid
        if request.has(childSetTid) {
            manager.nucleus.svCopyOut(task.thread, &tid, request.childTid, 4, K_COPY_DEFER)
        }
        if request.has(parentSetTid) {
            if isSharing {
                // Both may look at it at once, so it is written before either runs.
                manager.nucleus.svCopyOut(call.thread, &tid, request.parentTid, 4, 0)
            } else {
                manager.nucleus.svCopyOut(call.thread, &tid, request.parentTid, 4, K_COPY_DEFER)
            }
        }
        if !isSharing || request.has(vforkFlag) { task.altStack = call.task.altStack }
    }

    private static func createProcess(_ call: Call, _ request: Request) throws(Errno) -> Outcome {
        let manager = call.manager
        let from = call.process
        let pid = try manager.tree.withLock { () throws(Errno) -> Int32 in
            let user = from.credentials.uid
            let own = manager.tasks.values.count { $0.process.credentials.uid == user }
            if own >= from.limits[.processes].soft && !from.credentials.isPrivileged {
                throw .EAGAIN
            }
            return try manager.allocatePidLocked(request.wantedPid)
        }
        var actor = KnCap()
        let created = manager.nucleus.actorCreate(nil, &actor, K_UNIXACTOR, K_ACTIVE, from.command)
        guard created >= 0 else { throw .EAGAIN }
        let sharesMemory = request.has(vm)
        var source = from.actor
        let copied = manager.nucleus.rgnDup(&actor, &source, sharesMemory ? K_RGNDUP_SHARE : K_RGNDUP_COPY)
        guard copied >= 0 else {
            manager.nucleus.actorDelete(&actor)
            throw .ENOMEM
        }
        let child = Process(
            manager: manager, pid: pid, parent: from, actor: actor,
            files: request.has(files) ? from.files : from.files.fork(), cwd: from.cwd.dup(manager),
            root: from.root.dup(manager), memory: sharesMemory ? from.memory : from.memory.copy())
        if request.has(files) { child.fileUsers = from.fileUsers.add() }
        inherit(child, from, request)
        manager.stamp(child)
        manager.trace(process: pid, actor)
        let task = Task(manager: manager, process: child, tid: pid, name: call.task.name)
        task.inherit(from: call.task)
        var descriptor: Int?
        do throws(Errno) {
            if request.has(pidfd) { descriptor = try call.install(PidFile(child, flags: 0), closeOnExec: true) }
            try start(call, request, task, &actor, isSharing: sharesMemory)
            // The child has been copied and has not run: a bad address leaves nothing behind.
            if let descriptor { try call.writeNow(Int32(descriptor), at: request.pidfdAddress) }
        } catch {
            if let descriptor { try? from.files.close(descriptor) }
            manager.taskTable.remove(task.cookie)
            manager.releaseFiles(child)
            manager.nucleus.actorDelete(&actor)
            throw error
        }
        if !sharesMemory { manager.followForkAdvice(child) }
        let done = request.has(vforkFlag) ? WaitQueue() : nil
        manager.withTree {
            task.mask = call.task.mask
            child.tasks = [task]
            child.vforkDone = done
            let parent = request.has(Self.parent) ? from.parent : from
            child.parent = parent
            child.maker = request.has(Self.parent) ? from.maker : call.task.tid
            parent?.children.append(child)
            manager.processes[pid] = child
            manager.tasks[pid] = task
            manager.forks &+= 1
            manager.recalculateLocked(task)
        }
        if child.limits[.cpu].soft != Limits.infinity { manager.watchCpuLimit(child) }
        let waiting = done.map { VforkWait(pid: pid, queue: $0, child: child) }
        if let waiting {
            call.kept = waiting
            call.enlist(on: waiting.queue)
        }
        manager.complete(task, manager.settle(task, .finished(.value(0))))
        return waiting?.park ?? .done(value: pid)
    }

    private static func inherit(_ child: Process, _ from: Process, _ request: Request) {
        from.manager.tree.withLock {
            child.actions = from.actions
            child.credentials = from.credentials
            child.limits = from.limits
            child.umask = from.umask
            if request.has(clearHandlers) {
                for signal in child.actions.indices where child.actions[signal].isHandler {
                    child.actions[signal] = SignalAction()
                }
            }
            child.exitSignal = request.has(parent) ? from.exitSignal : request.signal
            child.command = from.command
            child.commandLine = from.commandLine
            child.environment = from.environment
            child.auxiliary = from.auxiliary
            child.executable = from.executable
            child.personality = from.personality
            child.dumpable = from.dumpable
            child.noNewPrivileges = from.noNewPrivileges
            child.hasNoHugePages = from.hasNoHugePages
            child.usesBarriers = from.usesBarriers
            child.oomScoreAdjust = from.oomScoreAdjust
            child.coredumpFilter = from.coredumpFilter
        }
    }
}

/// What the parent of a vfork waits for; kept across re-dispatches.
final class VforkWait {
    let pid: Int32
    let queue: WaitQueue
    private let child: Process

    init(pid: Int32, queue: WaitQueue, child: Process) {
        self.pid = pid
        self.queue = queue
        self.child = child
    }
    var park: Outcome { .park(Wait(on: [queue], restart: .killable, for: "vfork")) }
    func isOver(_ call: Call) -> Bool {
        call.manager.tree.withLock {
            if child.vforkDone == nil { return true }
            call.enlist(on: queue)
            return false
        }
    }
}
