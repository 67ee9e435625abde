import CChorus
import CMiXFile

/// Locks and readiness of open files.
extension FileServer {
    func lock(_ request: Request, _ reply: inout Reply) throws(Errno) {
        let handle = try opens.find(request.key)
        let flags = request.flags
        let kind = flags & MIX_LOCK_TYPE
        if kind == 0 || flags & ~(MIX_LOCK_TYPE | MIX_LOCK_TEST | MIX_LOCK_FLOCK) != 0 { throw .EINVAL }
        if handle.isPathOnly { throw .EBADF }
        if request.offset > UInt64(Int64.max) { throw .EINVAL }
        let (end, overflow) = request.offset.addingReportingOverflow(request.size)
        if overflow || end > 1 << 63 { throw .EOVERFLOW }
        if flags & MIX_LOCK_FLOCK == 0, flags & MIX_LOCK_TEST == 0 {
            if kind == MIX_LOCK_SHARED, !handle.canRead { throw .EBADF }
            if kind == MIX_LOCK_EXCLUSIVE, !handle.canWrite { throw .EBADF }
        }
        let wholeFile = flags & MIX_LOCK_FLOCK != 0
        let wanted = FileLocks.Record(
            owner: request.owner, pid: request.caller.pid, isExclusive: kind == MIX_LOCK_EXCLUSIVE,
            start: wholeFile ? 0 : request.offset, end: wholeFile || request.size == 0 ? .max : end)
        let other = try opens.lock(handle.inode, wanted, flags: flags)
        if flags & MIX_LOCK_TEST != 0 {
            guard let other else {
                reply.annex.value.0 = UInt64(MIX_LOCK_UNLOCK)
                return
            }
            reply.annex.value.0 = UInt64(other.isExclusive ? MIX_LOCK_EXCLUSIVE : MIX_LOCK_SHARED)
            reply.annex.value.1 = other.start
            reply.annex.value.2 = other.end == .max ? 0 : other.end - other.start
            reply.annex.value.3 = UInt64(UInt32(bitPattern: other.pid))
        } else if other != nil {
            throw .EAGAIN
        }
    }

    /// Files are always ready; only the release of a lock is worth waiting for.
    func watch(_ request: Request, _ reply: inout Reply) throws(Errno) {
        let handle = try opens.find(request.key)
        let mask = UInt32(truncatingIfNeeded: request.arg0)
        let ready = Linux.POLLIN | Linux.POLLOUT | Linux.POLLRDNORM | Linux.POLLWRNORM
        reply.annex.events = mask & ready
        let event = KnUniqueId(
            uiHead: UInt32(truncatingIfNeeded: request.arg2), uiTail: UInt32(truncatingIfNeeded: request.arg3))
        opens.watch(handle.inode, owner: request.owner, event: mask & MIX_POLL_LOCK != 0 ? event : nil)
    }
}
