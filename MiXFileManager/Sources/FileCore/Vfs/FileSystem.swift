import CMiXFile

/// One file system: a tree of inodes with a root.
protocol FileSystem: AnyObject, Sendable {
    /// Number in this server, in keys (upper 16 bits) and as minor number of st_dev.
    var id: UInt16 { get }
    /// As in /proc/filesystems.
    var typeName: String { get }
    var root: Inode { get }
    func statistics() throws(Errno) -> MixStatfs
    /// Belongs to the server and outlives its mounts.
    var isShared: Bool { get }
    /// The last mount is gone: gives back what the tree holds.
    func discard()
}

extension FileSystem {
    /// Anonymous device number, major 0 (st_dev of file systems without a disk).
    var dev: UInt64 { UInt64(id) + 32 }
    var isShared: Bool { false }
}

/// One directory entry on its way to getdents64(2). `cookie` continues behind it. Returns false when there is no room.
typealias DirectorySink = (_ name: Name, _ ino: UInt64, _ type: UInt8, _ cookie: UInt64) -> Bool
