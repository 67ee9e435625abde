import CChorus
import CMiXDevice
import CMiXFile
import CMiXProcess
import CMiXSocket

/// The manager's port: `mix/mixProcess.h`, `mix/mixProcInfo.h`, and the terminals' requests of `mix/mixDevice.h`.
extension ProcessManager {
    typealias Answer = (reply: MixObjReply, data: [UInt8])

    /// The message handler's body.
    func message(
        _ annex: UnsafeRawPointer, _ body: UnsafeRawBufferPointer, _ replyAnnex: UnsafeMutableRawPointer?,
        _ replyBody: UnsafeMutableRawPointer?, _ replySize: UnsafeMutablePointer<UInt32>?
    ) -> Int32 {
        let request = annex.loadUnaligned(as: MixObjRequest.self)
        let room = replyBody == nil ? 0 : Int(replySize?.pointee ?? 0)
        var information = MixObjReply()
        if let size = serveProcessInfo(
            request, body: body, reply: &information, room: UnsafeMutableRawBufferPointer(start: replyBody, count: room)
        ) {
            if let replyAnnex { replyAnnex.storeBytes(of: information, as: MixObjReply.self) }
            replySize?.pointee = UInt32(size)
            return K_OK
        }
        var answer: Answer
        do {
            answer = try serve(request, body, room)
        } catch {
            answer = (MixObjReply(), [])
            answer.reply.diag = error.result
        }
        if let replyAnnex { replyAnnex.storeBytes(of: answer.reply, as: MixObjReply.self) }
        let count = min(answer.data.count, room)
        if count > 0, let replyBody {
            answer.data.withUnsafeBytes { data in
                UnsafeMutableRawBufferPointer(start: replyBody, count: count).copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: data[..<count]))
            }
        }
        replySize?.pointee = UInt32(count)
        return K_OK
    }

    private func serve(
        _ request: MixObjRequest, _ body: UnsafeRawBufferPointer, _ room: Int
    ) throws(Errno) -> Answer {
        var reply = MixObjReply()
        switch request.op {
        case PROC_SPAWN:
            reply.diag = Int64(try spawn(request, body))
        case PROC_WAIT:
            reply.value.0 = UInt64(UInt32(bitPattern: try waitSpawned(Int32(truncatingIfNeeded: request.arg.0))))
        case OBJ_WATCH:
            reply.events = try watchSpawned(request)
        case OBJ_STAT:
            // stat(2) of /proc/PID/fd/N, asked by the File Manager where N is a pipe or another object of ours.
            guard let description = LocalKey.find(self, request.key) else { throw .ENOENT }
            return (reply, withUnsafeBytes(of: try description.stat(request.cred)) { Array($0) })
        case PROC_KILL:
            try SignalCalls.send(
                self, from: nil, pid: Int32(truncatingIfNeeded: request.arg.0),
                signal: Int32(truncatingIfNeeded: request.arg.1))
        case PROC_TABLE:
            let data = processEntries(after: Int32(truncatingIfNeeded: request.arg.0), room: room)
            reply.diag = Int64(data.count)
            return (reply, data)
        case UInt32(PROC_RIGHTS_DROP):
            rights.drop((0..<body.count / 8).map { body.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self) })
        case PROC_SIGNAL_GROUP:
            let signal = Int32(truncatingIfNeeded: request.arg.0)
            guard Signal.isValid(signal) else { throw .EINVAL }
            let target = Int32(truncatingIfNeeded: request.arg.1)
            if target < 0 {
                withTree { processes[0 &- target].map { _ = postLocked(.kernel(signal), to: $0) } }
            } else {
                postGroup(.kernel(signal), pgrp: target)
            }
        case PROC_GROUP_ORPHANED:
            let state = try groupState(request)
            reply.value.0 = state.orphaned ? 1 : 0
            reply.value.1 = state.ignored ? 1 : 0
            reply.value.2 = UInt64(state.session)
        default:
            throw .ENOSYS
        }
        return (reply, [])
    }

    private func spawn(_ request: MixObjRequest, _ body: UnsafeRawBufferPointer) throws(Errno) -> Int32 {
        guard request.arg.0 <= 65536, request.arg.1 <= 65536, body.last == 0 else { throw .EINVAL }
        let strings = body.split(separator: 0, omittingEmptySubsequences: false).dropLast().map { Array($0) }
        let (argc, envc) = (Int(request.arg.0), Int(request.arg.1))
        guard strings.count == 2 + argc + envc else { throw .EINVAL }
        let program = strings[0]
        let arguments = argc == 0 ? [program] : Array(strings[2..<2 + argc])
        return try spawn(
            program: program, directory: strings[1], arguments: arguments,
            environment: Array(strings[(2 + argc)...]), console: request.flags & 1 != 0,
            isSiteProgram: request.flags & 2 != 0)
    }

    /// The wait status of a spawned process, which is collected by that.
    private func waitSpawned(_ pid: Int32) throws(Errno) -> Int32 {
        try withTree { () throws(Errno) in
            guard let process = processes[pid], process.spawned != nil else { throw .ECHILD }
            guard process.isZombie else { throw .EAGAIN }
            forgetLocked(process)
            return process.exitStatus
        }
    }

    private func watchSpawned(_ request: MixObjRequest) throws(Errno) -> UInt32 {
        let pid = Int32(truncatingIfNeeded: request.key.object)
        let event = KnUniqueId(
            uiHead: UInt32(truncatingIfNeeded: request.arg.2), uiTail: UInt32(truncatingIfNeeded: request.arg.3))
        return try withTree { () throws(Errno) in
            guard let process = processes[pid], process.spawned != nil else { throw .ECHILD }
            if process.isZombie { return 1 }
            if request.arg.0 != 0 { process.spawned?.watchers.append(event) }
            return 0
        }
    }

    /// PROC_GROUP_ORPHANED: a terminal asks about a process group and about what the caller does with a signal.
    private func groupState(
        _ request: MixObjRequest
    ) throws(Errno) -> (orphaned: Bool, ignored: Bool, session: UInt32) {
        let signal = Int32(truncatingIfNeeded: request.arg.0)
        let group = Int32(truncatingIfNeeded: request.arg.1)
        return try tree.withLock { () throws(Errno) in
            // Zombies are members until they are collected (setpgid(2)).
            guard let member = processes.values.first(where: { $0.pgrp == group }) ?? processes[group] else {
                throw .ESRCH
            }
            let orphaned = isOrphanedLocked(group)
            let session = UInt32(bitPattern: member.sid)
            guard Signal.isValid(signal), let process = processes[request.cred.pid] else {
                return (orphaned, false, session)
            }
            let ignores = process.actions[Int(signal)].handler == SignalAction.ignore
            let blocks = process.tasks.allSatisfy { $0.mask.contains(signal) }
            return (orphaned, ignores || blocks, session)
        }
    }

    /// MixProcEntry records in ascending order.
    private func processEntries(after pid: Int32, room: Int) -> [UInt8] {
        let stats = statistics()
        let size = MemoryLayout<MixProcEntry>.stride
        return tree.withLock {
            var data: [UInt8] = []
            for process in processes.values.filter({ $0.pid > pid }).sorted(by: { $0.pid < $1.pid }) {
                guard data.count + size <= room else { break }
                let stat = stats.first {
                    $0.cap.ui.uiHead == process.actor.ui.uiHead && $0.cap.ui.uiTail == process.actor.ui.uiTail
                }
                withUnsafeBytes(of: entryLocked(process, stat)) { data.append(contentsOf: $0) }
                data.append(contentsOf: [UInt8](repeating: 0, count: size - MemoryLayout<MixProcEntry>.size))
            }
            return data
        }
    }

    private func entryLocked(_ process: Process, _ stat: KnActorStat?) -> MixProcEntry {
        var entry = MixProcEntry()
        entry.pid = process.pid
        entry.ppid = process.parent?.pid ?? 1
        entry.pgrp = process.pgrp
        entry.sid = process.sid
        entry.uid = process.credentials.euid
        entry.threads = UInt32(process.tasks.count)
        entry.hostPid = process.isZombie ? 0 : stat?.hostPid ?? 0
        entry.state = CChar(bitPattern: process.stateLetterLocked)
        withUnsafeMutableBytes(of: &entry.command) { $0.copyBytes(from: process.command.utf8.prefix(18)) }
        let tick: UInt64 = 10_000_000
        entry.startTicks = (process.startTime &- bootTime) / tick
        entry.userTicks = (stat?.userNanoseconds ?? process.accounting.user) / tick
        entry.systemTicks = (stat?.systemNanoseconds ?? process.accounting.system) / tick
        entry.residentBytes = stat?.residentBytes ?? 0
        return entry
    }
}

extension Process {
    /// As in proc(5). Under the tree lock.
    var stateLetterLocked: UInt8 {
        switch state {
        case .zombie, .reaped: UInt8(ascii: "Z")
        case .stopped: UInt8(ascii: "T")
        case .running: tasks.allSatisfy(\.isParked) ? UInt8(ascii: "S") : UInt8(ascii: "R")
        }
    }
}
