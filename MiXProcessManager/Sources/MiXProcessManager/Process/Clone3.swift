import CChorus

/// clone3(2): clone(2) with its arguments in a structure that may grow.
enum Clone3 {
    /// `struct clone_args` up to CLONE_ARGS_SIZE_VER2.
    private struct Arguments: BitwiseCopyable {
        var flags: UInt64 = 0
        var pidfd: UInt64 = 0
        var childTid: UInt64 = 0
        var parentTid: UInt64 = 0
        var exitSignal: UInt64 = 0
        var stack: UInt64 = 0
        var stackSize: UInt64 = 0
        var tls: UInt64 = 0
        var setTid: UInt64 = 0
        var setTidSize: UInt64 = 0
        var cgroup: UInt64 = 0
    }
    private static let smallest = 64, intoCgroup: UInt64 = 0x2_0000_0000, signals: UInt64 = 0xff

    static func request(_ call: Call) throws(Errno) -> CloneCalls.Request {
        guard call[1] >= smallest else { throw .EINVAL }
        guard call[1] <= 4096 else { throw .E2BIG }
        var bytes = try call.copyIn(call[0], count: Int(call[1]))
        let known = MemoryLayout<Arguments>.size
        // What only a later Linux understands must not be asked for.
        if bytes.count > known, bytes[known...].contains(where: { $0 != 0 }) { throw .E2BIG }
        bytes += [UInt8](repeating: 0, count: max(known - bytes.count, 0))
        let given = bytes.withUnsafeBytes { $0.loadUnaligned(as: Arguments.self) }
        guard given.exitSignal & ~signals == 0, given.flags & (signals | CloneCalls.detached) == 0 else {
            throw .EINVAL
        }
        if given.flags & (CloneCalls.thread | CloneCalls.parent) != 0, given.exitSignal != 0 { throw .EINVAL }
        guard (given.stack == 0) == (given.stackSize == 0), (given.setTid == 0) == (given.setTidSize == 0) else {
            throw .EINVAL
        }
        if given.flags & intoCgroup != 0 { throw .EBADF }  // there are no control groups
        return CloneCalls.Request(
            flags: given.flags | given.exitSignal, stack: given.stack &+ given.stackSize, parentTid: given.parentTid,
            childTid: given.childTid, tls: given.tls, pidfdAddress: given.pidfd,
            wantedPid: try wantedPid(call, given.setTid, given.setTidSize))
    }

    /// There is one PID name space, so an array of one number (clone(2): set_tid).
    private static func wantedPid(_ call: Call, _ address: UInt64, _ count: UInt64) throws(Errno) -> Int32? {
        guard count > 0 else { return nil }
        guard count == 1 else { throw .EINVAL }
        let pid = try call.readStruct(Int32.self, at: address)
        guard pid > 0, pid < ProcessManager.maxPid else { throw .EINVAL }
        guard call.process.credentials.has(Credentials.capSysAdmin) else { throw .EPERM }
        return pid
    }
}
