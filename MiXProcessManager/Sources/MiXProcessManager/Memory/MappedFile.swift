import CChorus

/// A file as mmap(2) sees it; kept by every area that maps it. The last release may send messages.
protocol MappedFile: AnyObject, Sendable {
    /// The segment to map.
    var mappedSegment: KnCap { get }
    /// Opened for writing: a shared mapping may be writable.
    var isWritable: Bool { get }
    var isReadable: Bool { get }
    /// Device and inode for /proc/PID/maps, and the name.
    var mappedIdentity: (device: UInt64, inode: UInt64) { get }
    func mappedPath() -> [UInt8]
    /// msync(MS_SYNC).
    func synchronize() throws(Errno)
}

extension ExecutableFile: MappedFile {
    var mappedSegment: KnCap { segment }
    var isWritable: Bool { false }
    var isReadable: Bool { true }
    var mappedIdentity: (device: UInt64, inode: UInt64) { (0, inode) }
    func mappedPath() -> [UInt8] { path }
    func synchronize() throws(Errno) {}
}
