/// Constants of the Linux x86-64 ABI that requests carry. Guest numbers, so they are spelt here and not taken from the
/// host's headers (open(2), openat2(2), stat(2), rename(2), mount(2)).
public enum Linux {
    public static let S_IFMT: UInt32 = 0o170000
    public static let S_IFSOCK: UInt32 = 0o140000
    public static let S_IFLNK: UInt32 = 0o120000
    public static let S_IFREG: UInt32 = 0o100000
    public static let S_IFBLK: UInt32 = 0o060000
    public static let S_IFDIR: UInt32 = 0o040000
    public static let S_IFCHR: UInt32 = 0o020000
    public static let S_IFIFO: UInt32 = 0o010000
    public static let S_ISUID: UInt32 = 0o4000
    public static let S_ISGID: UInt32 = 0o2000
    public static let S_ISVTX: UInt32 = 0o1000

    public static let O_ACCMODE: UInt32 = 3
    public static let O_WRONLY: UInt32 = 1
    public static let O_RDWR: UInt32 = 2
    public static let O_CREAT: UInt32 = 0o100
    public static let O_EXCL: UInt32 = 0o200
    public static let O_TRUNC: UInt32 = 0o1000
    public static let O_APPEND: UInt32 = 0o2000
    public static let O_NONBLOCK: UInt32 = 0o4000
    public static let O_DIRECTORY: UInt32 = 0o200000
    public static let O_NOFOLLOW: UInt32 = 0o400000
    public static let O_PATH: UInt32 = 0o10000000
    public static let O_TMPFILE_BIT: UInt32 = 0o20000000

    public static let AT_SYMLINK_NOFOLLOW: UInt32 = 0x100
    public static let AT_EACCESS: UInt32 = 0x200
    public static let AT_REMOVEDIR: UInt32 = 0x200
    public static let AT_SYMLINK_FOLLOW: UInt32 = 0x400
    public static let AT_EMPTY_PATH: UInt32 = 0x1000

    public static let RESOLVE_NO_XDEV: UInt64 = 1
    public static let RESOLVE_NO_MAGICLINKS: UInt64 = 2
    public static let RESOLVE_NO_SYMLINKS: UInt64 = 4
    public static let RESOLVE_BENEATH: UInt64 = 8
    public static let RESOLVE_IN_ROOT: UInt64 = 16
    public static let RESOLVE_CACHED: UInt64 = 32

    public static let RENAME_NOREPLACE: UInt32 = 1
    public static let RENAME_EXCHANGE: UInt32 = 2

    public static let UTIME_NOW: Int64 = 0x3fff_ffff
    public static let UTIME_OMIT: Int64 = 0x3fff_fffe

    public static let MS_RDONLY: UInt64 = 1
    public static let MS_NOSUID: UInt64 = 2
    public static let MS_NODEV: UInt64 = 4
    public static let MS_NOEXEC: UInt64 = 8
    public static let MS_REMOUNT: UInt64 = 32
    public static let MS_BIND: UInt64 = 4096
    public static let MS_MOVE: UInt64 = 8192
    public static let MS_REC: UInt64 = 16384
    public static let MS_PROPAGATION: UInt64 = (1 << 17) | (1 << 18) | (1 << 19) | (1 << 20)
    public static let MNT_DETACH: UInt64 = 2
    public static let UMOUNT_NOFOLLOW: UInt64 = 8

    public static let POLLIN: UInt32 = 1
    public static let POLLOUT: UInt32 = 4
    public static let POLLRDNORM: UInt32 = 0x40
    public static let POLLWRNORM: UInt32 = 0x100

    public static let PATH_MAX = 4096
    public static let NAME_MAX = 255
    public static let maxLinks = 40
    public static let maxFileSize: UInt64 = 0x7fff_ffff_ffff_f000

    /// d_type of getdents64(2) for a file type.
    public static func direntType(_ mode: UInt32) -> UInt8 { UInt8((mode & S_IFMT) >> 12) }
}
