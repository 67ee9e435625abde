import CMiXFile

/// One open instance: what a key names.
final class Handle: @unchecked Sendable {
    // Sendable: `references` is guarded by the lock of OpenTable, the text by `lock`, the rest never changes.
    let id: UInt64
    let place: Location
    let flags: UInt32
    /// The data as it was at open: stays the lower file's for who opened it before a copy-up.
    let segment: Segment?
    var references = 1
    let lock: Lock?
    var text: [UInt8]?

    init(id: UInt64, place: Location, flags: UInt32, segment: Segment?) {
        self.id = id
        self.place = place
        self.flags = flags
        self.segment = segment
        lock = place.inode.isGenerated ? Lock() : nil
    }

    /// Marks an instance of FILE_EXEC among the flags, where open(2) has none.
    static let runs: UInt32 = 1 << 31

    var inode: Inode { place.inode }
    var isPathOnly: Bool { flags & Linux.O_PATH != 0 }
    var canRead: Bool { !isPathOnly && flags & Linux.O_ACCMODE != Linux.O_WRONLY }
    var canWrite: Bool { !isPathOnly && flags & Linux.O_ACCMODE != 0 }
}
