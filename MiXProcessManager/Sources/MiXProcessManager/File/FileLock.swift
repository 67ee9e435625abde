import CMiXFile
import Glibc

/// flock(2) and the record locks of fcntl(2), which servers keep.
enum FileLock {
    static let table: [(Int, String, SystemCallHandler)] = [(73, "flock", flock)]

    /// Lock owners that are processes are told from open descriptions by the top bit.
    static func owner(ofProcess pid: Int32) -> UInt64 { 1 << 63 | UInt64(UInt32(bitPattern: pid)) }

    @Sendable private static func flock(_ call: Call) throws(Errno) -> Outcome {
        let operation = call.uint(1)
        if operation & 32 != 0 { return .zero }  // LOCK_MAND has meant nothing since Linux 5.5
        let type: UInt32
        switch operation & ~4 {
        case 1: type = MIX_LOCK_SHARED
        case 2: type = MIX_LOCK_EXCLUSIVE
        case 8: type = MIX_LOCK_UNLOCK
        default: throw .EINVAL
        }
        guard let remote = try call.openDescription(0).remote else { return .zero }
        var request = remote.request(OBJ_LOCK, call.process.mixCred())
        request.flags = type | MIX_LOCK_FLOCK
        return try lock(call, remote, request, wait: operation & 4 == 0)
    }

    /// F_GETLK … F_OFD_SETLKW.
    static func fcntl(_ call: Call, _ description: OpenDescription, _ command: Int32) throws(Errno) -> Outcome {
        let byDescription = command >= 36
        let record = try call.readStruct(Record.self, at: call[2])
        if byDescription && record.pid != 0 { throw .EINVAL }
        guard let remote = description.remote, remote.mode & FileMode.typeMask == FileMode.regular else {
            if description is MemoryFile && command != F_GETLK { return .zero }
            throw description is PipeEnd || description.remote != nil ? .EINVAL : .EBADF
        }
        var request = remote.request(OBJ_LOCK, call.process.mixCred())
        if byDescription {
            request.cred.pid = -1  // what F_GETLK shows for them, and no process that closes takes them along
        } else {
            request.owner = owner(ofProcess: call.process.pid)
        }
        let size = record.whence == SEEK_END ? try remote.stat(request.cred).size : 0
        (request.offset, request.size) = try record.range(position: remote.position, size: Int64(clamping: size))
        switch Int32(record.type) {
        case F_RDLCK: request.flags = MIX_LOCK_SHARED
        case F_WRLCK: request.flags = MIX_LOCK_EXCLUSIVE
        case F_UNLCK: request.flags = MIX_LOCK_UNLOCK
        default: throw .EINVAL
        }
        if command == F_GETLK || command == 36 {
            guard request.flags != MIX_LOCK_UNLOCK else { throw .EINVAL }
            request.flags |= MIX_LOCK_TEST
            let (reply, _) = try call.manager.objectCall(remote.server, request)
            try call.writeStruct(Record(found: reply, asked: record), at: call[2])
            return .zero
        }
        if request.flags == MIX_LOCK_SHARED && !description.isReadable
            || request.flags == MIX_LOCK_EXCLUSIVE && !description.isWritable
        {
            throw .EBADF
        }
        if !byDescription { call.process.files.markLocked(by: request.cred) }
        return try lock(call, remote, request, wait: command == F_SETLKW || command == 38)
    }

    private static func lock(
        _ call: Call, _ remote: RemoteObject, _ request: MixObjRequest, wait: Bool
    ) throws(Errno) -> Outcome {
        var armed = false
        while true {
            do {
                _ = try call.manager.objectCall(remote.server, request)
                return .zero
            } catch {
                guard error == .EAGAIN, wait else { throw error }
                if armed {
                    if request.flags & MIX_LOCK_FLOCK == 0, request.owner >> 63 == 1 {
                        try checkDeadlock(call, remote, request)
                    }
                    return remote.parked("lock")
                }
                // Armed first and asked once more: a release in between is not missed.
                try remote.prepareWait(call, MIX_POLL_LOCK)
                armed = true
            }
        }
    }

    /// EDEADLK where the holder waits, at last, for a lock of ours (fcntl(2)); locks of open descriptions do not count.
    private static func checkDeadlock(
        _ call: Call, _ remote: RemoteObject, _ request: MixObjRequest
    ) throws(Errno) {
        var question = request
        question.flags |= MIX_LOCK_TEST
        let (reply, _) = try call.manager.objectCall(remote.server, question)
        guard UInt32(truncatingIfNeeded: reply.value.0) & MIX_LOCK_TYPE != MIX_LOCK_UNLOCK else { return }
        let holder = Int32(truncatingIfNeeded: reply.value.3)
        guard holder > 0 else { return }
        let isCircle = call.manager.tree.withLock { () -> Bool in
            call.task.lockBlocker = holder
            return call.manager.waitsLocked(holder, for: call.process.pid)
        }
        if isCircle { throw .EDEADLK }
    }

    /// `struct flock` of x86-64.
    struct Record: BitwiseCopyable {
        var type: Int16
        var whence: Int16
        var start: Int64
        var length: Int64
        var pid: Int32

        init(type: Int16, whence: Int16, start: Int64, length: Int64, pid: Int32) {
            (self.type, self.whence, self.start, self.length, self.pid) = (type, whence, start, length, pid)
        }

        init(found reply: MixObjReply, asked: Record) {
            self = asked
            switch UInt32(truncatingIfNeeded: reply.value.0) & MIX_LOCK_TYPE {
            case MIX_LOCK_SHARED: type = Int16(F_RDLCK)
            case MIX_LOCK_EXCLUSIVE: type = Int16(F_WRLCK)
            default:
                type = Int16(F_UNLCK)
                return
            }
            whence = Int16(SEEK_SET)
            start = Int64(clamping: reply.value.1)
            length = Int64(clamping: reply.value.2)
            pid = Int32(truncatingIfNeeded: reply.value.3)
        }

        /// First byte and count, 0 for all to the end.
        func range(position: Int64, size: Int64) throws(Errno) -> (UInt64, UInt64) {
            let base: Int64
            switch Int32(whence) {
            case SEEK_SET: base = 0
            case SEEK_CUR: base = position
            case SEEK_END: base = size
            default: throw .EINVAL
            }
            var (first, overflow) = base.addingReportingOverflow(start)
            if overflow { throw .EOVERFLOW }
            var count = length
            if count < 0 {
                (first, overflow) = first.addingReportingOverflow(count)
                if overflow { throw .EINVAL }
                count = -count
            }
            guard first >= 0 else { throw .EINVAL }
            return (UInt64(first), UInt64(count))
        }
    }
}

extension ProcessManager {
    /// Under the tree lock: whether a thread of process `pid` waits for a record lock of `other`, or of one that does.
    func waitsLocked(_ pid: Int32, for other: Int32) -> Bool {
        var seen: Set<Int32> = []
        var next = [pid]
        while let pid = next.popLast() {
            if pid == other { return true }
            guard seen.insert(pid).inserted, let process = processes[pid] else { continue }
            next += process.tasks.map(\.lockBlocker).filter { $0 != 0 }
        }
        return false
    }
}
