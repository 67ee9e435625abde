import CMiXFile
import Synchronization

/// Where a magic link of procfs leads.
enum MagicTarget {
    case object(Location)  // an open object of this server
    case foreign(MixObjReply)  // another server's, or the Process Manager's own (pipes)
}

/// An inode, whatever file system it is of. The methods are the whole protocol between the name space and a file system;
/// what a file system does not offer fails here with the errno Linux has for it. Every file system guards its own fields:
/// methods may be called from several threads and take the file system's lock themselves.
class Inode: @unchecked Sendable {
    // Sendable: mutable fields of subclasses are guarded by the lock of their file system.
    let fs: any FileSystem
    let ino: UInt64
    /// S_IFMT part of the mode; never changes.
    let type: UInt32
    /// Mounts on this inode: almost always 0, looked at in every step of a walk.
    let mountsHere = Atomic<Int>(0)
    /// Open instances, their kinds, and locks; guarded by the lock of OpenTable.
    var opens = 0
    /// Instances that run it, or that may write to it: never both (ETXTBSY).
    var runners = 0
    var writers = 0
    var locks: FileLocks?

    init(fs: any FileSystem, ino: UInt64, type: UInt32) {
        self.fs = fs
        self.ino = ino
        self.type = type
    }

    var isDirectory: Bool { type == Linux.S_IFDIR }
    var isSymlink: Bool { type == Linux.S_IFLNK }
    var isRegular: Bool { type == Linux.S_IFREG }
    /// Not in any directory any more.
    var isUnlinked: Bool { false }
    /// Data comes by OBJ_READ from generated text, not from a segment.
    var isGenerated: Bool { false }
    /// Following it does not read its text (proc(5), /proc/PID/fd).
    var isMagic: Bool { false }

    func attributes() throws(Errno) -> Attributes { throw .EIO }
    func permissions() throws(Errno) -> Permissions {
        let a = try attributes()
        return Permissions(mode: a.mode, uid: a.uid, gid: a.gid)
    }

    // Directories.
    func lookup(_ name: Name, _ caller: Caller) throws(Errno) -> Inode { throw .ENOTDIR }
    /// The directory above, itself for the root of the file system.
    var parentDirectory: Inode { self }
    /// Name in `parentDirectory`, where the file system knows it.
    var nameInParent: Name? { nil }
    func make(_ name: Name, _ new: NewNode) throws(Errno) -> Inode { throw .EROFS }
    /// A file without a name; `linkable`: it may get one (O_TMPFILE without O_EXCL).
    func makeTemporary(_ new: NewNode, linkable: Bool) throws(Errno) -> Inode { throw .EOPNOTSUPP }
    func link(_ name: Name, _ inode: Inode) throws(Errno) { throw .EROFS }
    func remove(_ name: Name, directory: Bool) throws(Errno) { throw .EROFS }
    func rename(_ name: Name, to directory: Inode, _ newName: Name, flags: UInt32) throws(Errno) { throw .EROFS }
    func list(after cookie: UInt64, _ caller: Caller, _ sink: DirectorySink) throws(Errno) { throw .ENOTDIR }

    // Links.
    func readLink(_ caller: Caller) throws(Errno) -> [UInt8] { throw .EINVAL }
    func magicTarget(_ caller: Caller) throws(Errno) -> MagicTarget { throw .EINVAL }

    // Data.
    func data(writing: Bool) throws(Errno) -> Segment { throw .ENODEV }
    /// The last instance of those that could write was closed.
    func rest() {}
    func truncate(_ size: UInt64) throws(Errno) { throw .EINVAL }
    func change(_ change: AttributeChange) throws(Errno) { throw .EROFS }
    /// Extended attributes (xattr(7)); `value` nil removes one.
    func extendedAttributes() throws(Errno) -> ExtendedAttributes { throw .EOPNOTSUPP }
    func setExtendedAttribute(_ name: [UInt8], _ value: [UInt8]?, _ must: ExtendedAttributes.Presence) throws(Errno) {
        throw .EOPNOTSUPP
    }
    func generate(_ caller: Caller) throws(Errno) -> [UInt8] { throw .EINVAL }
    func accept(_ bytes: UnsafeRawBufferPointer, _ caller: Caller) throws(Errno) -> Int { throw .EINVAL }
}
