/// unshare(2), setns(2).
enum UnshareCalls {
    static let table: [(Int, String, SystemCallHandler)] = [(272, "unshare", unshare), (308, "setns", enter)]

    @Sendable private static func unshare(_ call: Call) throws(Errno) -> Outcome {
        let namespaces: UInt64 = 0x80 | 0x2_0000 | 0x7e00_0000
        let threads = CloneCalls.thread | CloneCalls.sighand | CloneCalls.vm
        let known = namespaces | threads | CloneCalls.fs | CloneCalls.files | CloneCalls.systemV
        let flags = call[0]
        guard flags & ~known == 0 else { throw .EINVAL }
        let process = call.process
        let isAlone = call.manager.tree.withLock { process.tasks.count == 1 }
        guard flags & threads == 0 || isAlone else { throw .EINVAL }
        guard flags & namespaces == 0 else { throw .EPERM }
        // Threads have directory, descriptors and semaphore undo of their process, never of their own.
        guard flags & (CloneCalls.fs | CloneCalls.files) == 0 || isAlone else { throw .EPERM }
        if flags & CloneCalls.files != 0 { call.ownDescriptors() }
        return .zero
    }

    /// No descriptor is a namespace's.
    @Sendable private static func enter(_ call: Call) throws(Errno) -> Outcome {
        _ = try call.openDescription(0)
        throw .EINVAL
    }
}

extension Call {
    /// A descriptor table that no other process uses (unshare(2), close_range(2)).
    func ownDescriptors() {
        let (shared, users) = (process.files, process.fileUsers)
        process.files = shared.fork()
        process.fileUsers = UserCount()
        if users.drop() { shared.closeAll() }
    }
}
