import CFileHost

/// A time stamp of a file.
public struct FileTime: Equatable, Sendable {
    public var seconds: Int64
    public var nanoseconds: UInt32

    public init(_ seconds: Int64, _ nanoseconds: UInt32) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    public static var now: FileTime {
        var seconds: Int64 = 0
        var nanoseconds: Int64 = 0
        fm_now(&seconds, &nanoseconds)
        return FileTime(seconds, UInt32(truncatingIfNeeded: nanoseconds))
    }

    static func latest(_ a: FileTime, _ b: FileTime) -> FileTime {
        (a.seconds, a.nanoseconds) < (b.seconds, b.nanoseconds) ? b : a
    }
}
