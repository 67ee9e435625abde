import CChorus
import CMiXFile

/// The opened file a process runs: kept for /proc/PID/exe.
final class ExecutableFile: @unchecked Sendable {
    // Sendable: constant.
    let key: MixKey
    let server: KnUniqueId
    let segment: KnCap
    let size: UInt64
    let inode: UInt64
    /// As resolved by the File Manager, or the name given to execve.
    let path: [UInt8]
    private unowned let manager: ProcessManager

    init(
        manager: ProcessManager, key: MixKey, server: KnUniqueId, segment: KnCap, size: UInt64, inode: UInt64,
        path: [UInt8]
    ) {
        self.manager = manager
        self.key = key
        self.server = server
        self.segment = segment
        self.size = size
        self.inode = inode
        self.path = path
    }
    /// The last user's release closes the object. Never released under a lock (see `ProcessManager.release`).
    deinit {
        var request = MixObjRequest()
        request.op = OBJ_CLOSE
        request.key = key
        _ = try? manager.objectCall(server, request)
    }
}
