import CChorus
import CMiXFile

/// The working or root directory of a process (of several after CLONE_FS): a place whose content chdir exchanges.
final class DirectoryRef: @unchecked Sendable {
    // Sendable: `handle` is guarded by `lock`.
    private let lock = Lock()
    private var handle: DirectoryHandle

    init(_ handle: DirectoryHandle) { self.handle = handle }

    var key: MixKey { current.key }
    var server: KnUniqueId { current.server }
    var current: DirectoryHandle { lock.withLock { handle } }

    /// The root of the name space (zero key).
    static func nameSpaceRoot(_ manager: ProcessManager) -> DirectoryRef {
        DirectoryRef(DirectoryHandle(manager, key: MixKey(), server: manager.fileServer))
    }

    /// Opens `path` from the name space's root.
    static func open(_ manager: ProcessManager, path: [UInt8], for process: Process) throws(Errno) -> DirectoryRef {
        var request = MixObjRequest()
        request.op = FILE_OPEN
        request.flags = FileFlags.path | FileFlags.directory
        request.cred = process.mixCred()
        let (reply, _) = try manager.objectCall(manager.fileServer, request, body: path + [0], room: 0)
        return DirectoryRef(DirectoryHandle(manager, key: reply.key, server: manager.fileServer))
    }

    /// chdir, chroot.
    func change(to fresh: DirectoryHandle) {
        let old = lock.withLock {
            let old = handle
            handle = fresh
            return old
        }
        withExtendedLifetime(old) {}  // its last release may call the server: not under the lock
    }

    /// The directory of a forked process: the same one, until one of the two changes it.
    func dup(_ manager: ProcessManager) -> DirectoryRef { DirectoryRef(current) }

    /// Drops this reference. Called without locks.
    func release(_ manager: ProcessManager) {
        change(to: DirectoryHandle(manager, key: MixKey(), server: manager.fileServer))
    }
}

/// One reference to an opened directory at its server, shared by all processes that inherited it.
final class DirectoryHandle: Sendable {
    let key: MixKey
    let server: KnUniqueId
    private unowned let manager: ProcessManager

    init(_ manager: ProcessManager, key: MixKey, server: KnUniqueId) {
        self.manager = manager
        self.key = key
        self.server = server
    }

    /// Never under a lock: the server is called.
    deinit {
        if key.object == 0 && key.tag == 0 { return }  // the name space's root is always there
        var request = MixObjRequest()
        request.op = OBJ_CLOSE
        request.key = key
        _ = try? manager.objectCall(server, request)
    }
}
