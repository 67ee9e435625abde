import CMiXFile

/// /sys, as far as programs ask it how many processors and how much memory there are (sysfs(5)). The rest is empty
/// directories: the site has no hardware but what its manifest gives it.
final class Sysfs: FileSystem, @unchecked Sendable {
    // Sendable: `top` is guarded by `lock`, the rest is constant.
    let id: UInt16
    private let lock = Lock()
    private var top: FixedNode?

    init(id: UInt16) { self.id = id }

    var typeName: String { "sysfs" }

    /// Grown when it is first asked for: that is a read of the host for each file.
    var root: Inode {
        lock.lock()
        defer { lock.unlock() }
        if let top { return top }
        let made = SysTree.grow(self)
        top = made
        return made
    }

    func statistics() throws(Errno) -> MixStatfs {
        var out = MixStatfs()
        out.type = 0x6265_6572  // SYSFS_MAGIC
        out.bsize = 4096
        out.frsize = 4096
        out.namelen = 255
        out.fsid = UInt64(id)
        return out
    }

    func discard() {
        lock.lock()
        top = nil
        lock.unlock()
    }
}
