import CMiXFile

/// What stat(2) says of a file.
public struct Attributes: Sendable {
    public var dev: UInt64 = 0
    public var ino: UInt64 = 0
    public var rdev: UInt64 = 0
    public var size: UInt64 = 0
    public var blocks: UInt64 = 0
    public var nlink: UInt64 = 1
    public var mode: UInt32 = 0
    public var uid: UInt32 = 0
    public var gid: UInt32 = 0
    public var blksize: UInt32 = 4096
    public var atime = FileTime(0, 0)
    public var mtime = FileTime(0, 0)
    public var ctime = FileTime(0, 0)
    public var btime = FileTime(0, 0)

    public init() {}

    func mixStat(mountId: UInt64) -> MixStat {
        var out = MixStat()
        out.dev = dev
        out.ino = ino
        out.rdev = rdev
        out.size = size
        out.blocks = blocks
        out.nlink = nlink
        out.mode = mode
        out.uid = uid
        out.gid = gid
        out.blksize = blksize
        out.atimeSec = atime.seconds
        out.mtimeSec = mtime.seconds
        out.ctimeSec = ctime.seconds
        out.btimeSec = btime.seconds
        out.atimeNsec = atime.nanoseconds
        out.mtimeNsec = mtime.nanoseconds
        out.ctimeNsec = ctime.nanoseconds
        out.btimeNsec = btime.nanoseconds
        out.mountId = mountId
        return out
    }
}

/// Who may do what with a file: the part of stat(2) that permission checks need.
struct Permissions {
    var mode: UInt32
    var uid: UInt32
    var gid: UInt32
}

/// A checked change of attributes; what is nil stays.
struct AttributeChange {
    var mode: UInt32?
    var uid: UInt32?
    var gid: UInt32?
    var atime: FileTime?
    var mtime: FileTime?
}

/// What a new file is to be.
struct NewNode {
    var mode: UInt32  // with the type
    var uid: UInt32
    var gid: UInt32
    var rdev: UInt64 = 0  // major << 32 | minor
    var target: [UInt8] = []  // of a symbolic link

    var type: UInt32 { mode & Linux.S_IFMT }
}
