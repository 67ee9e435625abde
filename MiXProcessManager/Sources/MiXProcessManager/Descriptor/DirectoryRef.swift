import CChorus
import CMiXFile

/// A counted reference to a directory of some server: a process' working or root directory.
final class DirectoryRef: @unchecked Sendable {
    let key: MixKey
    let server: KnUniqueId

    init(key: MixKey, server: KnUniqueId) {
        self.key = key
        self.server = server
    }
    /// The root of the name space (zero key).
    static func nameSpaceRoot(_ manager: ProcessManager) -> DirectoryRef {
        DirectoryRef(key: MixKey(), server: manager.fileServer)
    }
    /// Opens `path` from the name space's root.
    static func open(_ manager: ProcessManager, path: [UInt8], for process: Process) throws(Errno) -> DirectoryRef {
        nameSpaceRoot(manager)
    }
    /// One more reference for a forked process.
    func dup(_ manager: ProcessManager) -> DirectoryRef { self }
    /// Drops this reference. Called without locks.
    func release(_ manager: ProcessManager) {}
}
