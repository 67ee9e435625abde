import CChorus
import CMiXFile
import Glibc
import Synchronization

/// memfd_create(2): a segment of our own without a name.
final class MemoryFile: OpenDescription, @unchecked Sendable {
    // Sendable: `offset` has a lock, the rest is constant or atomic.
    private let data: SegmentData
    private let offset = Mutex<Int64>(0)
    private let name: [UInt8]
    private let attributes: OwnAttributes
    private let sealSet: Atomic<UInt32>

    init(_ manager: ProcessManager, name: [UInt8], seals: UInt32, permissions: UInt32, cred: MixCred) throws(Errno) {
        var segment = KnCap()
        try manager.check(manager.nucleus.sgCreate("memfd", 0, &segment))
        data = SegmentData(segment: segment, lock: Lock())
        self.name = name
        attributes = OwnAttributes(permissions: permissions, owner: cred)
        sealSet = Atomic(seals)
        super.init(manager, flags: FileFlags.readWrite | FileFlags.large)
    }

    override func closed() {
        var segment = data.segment
        manager.nucleus.sgRelease(&segment)
    }

    override var mode: UInt32 { FileMode.regular | attributes.permissions }
    override var ownAttributes: OwnAttributes? { attributes }
    override var position: Int64 { offset.withLock { $0 } }

    override func read(_ call: Call, _ ranges: UserRanges, at place: Int64?) throws(Errno) -> Outcome {
        .done(Int64(try data.read(call, ranges, at: place, or: offset)))
    }

    override func write(_ call: Call, _ ranges: UserRanges, at place: Int64?) throws(Errno) -> Outcome {
        let seals = sealSet.load(ordering: .relaxed)
        if seals & (Seal.write | Seal.futureWrite) != 0 { throw .EPERM }
        if seals & Seal.grow != 0, try UInt64(place ?? position) + UInt64(ranges.total) > data.size(manager) {
            throw .EPERM
        }
        return .done(Int64(try data.write(call, ranges, at: place, or: offset, append: flags & FileFlags.append != 0)))
    }

    override func peek(_ buffer: UnsafeMutableRawBufferPointer, at place: Int64?, _ cred: MixCred) throws(Errno) -> Int
    {
        try data.read(manager, buffer, from: place ?? position)
    }

    override func push(
        _ bytes: UnsafeRawBufferPointer, at place: Int64?, _ call: Call, _ cred: MixCred
    ) throws(Errno) -> Int {
        if seals & (Seal.write | Seal.futureWrite | Seal.grow) != 0 { throw .EPERM }
        let size = try data.write(call, bytes, to: place ?? position)
        if place == nil { try skip(size) }
        return size
    }

    override func seek(_ to: Int64, _ whence: Int32) throws(Errno) -> Int64 {
        try data.seek(manager, to, whence, offset)
    }

    override func truncate(_ size: UInt64, _ cred: MixCred) throws(Errno) {
        let seals = sealSet.load(ordering: .relaxed)
        let now = try data.size(manager)
        if size < now && seals & Seal.shrink != 0 || size > now && seals & Seal.grow != 0 { throw .EPERM }
        var segment = data.segment
        try manager.check(manager.nucleus.sgTrunc(&segment, size))
    }

    override func segment(protection: UInt32, _ cred: MixCred) throws(Errno) -> KnCap { data.segment }

    override func stat(_ cred: MixCred) throws(Errno) -> MixStat {
        var stat = MixStat()
        let size = try data.size(manager)
        stat.dev = 1
        stat.ino = number
        stat.size = size
        stat.blocks = (size + 511) / 512
        stat.nlink = 0
        stat.mode = mode
        stat.blksize = 4096
        attributes.fill(&stat)
        return stat
    }

    override func linkText(_ root: MixKey) -> [UInt8] {
        [UInt8]("/memfd:".utf8) + name + [UInt8](" (deleted)".utf8)
    }

    // MARK: Seals (fcntl(2), F_ADD_SEALS)

    enum Seal {
        static let seal: UInt32 = 1
        static let shrink: UInt32 = 2
        static let grow: UInt32 = 4
        static let write: UInt32 = 8
        static let futureWrite: UInt32 = 16
        static let execute: UInt32 = 32
    }

    var seals: UInt32 { sealSet.load(ordering: .relaxed) }

    func addSeals(_ more: UInt32) throws(Errno) {
        if more & ~63 != 0 { throw .EINVAL }
        if seals & Seal.seal != 0 { throw .EPERM }
        if more & Seal.write != 0, seals & Seal.write == 0, isMappedShared { throw .EBUSY }
        // What is never to become executable, or always was, is not written any more.
        let all = more & Seal.execute != 0 && mode & 0o111 != 0 ? more | 0x1e : more
        sealSet.bitwiseOr(all, ordering: .relaxed)
    }

    /// No shared mapping of it may be writable.
    var isWriteSealed: Bool { seals & (Seal.write | Seal.futureWrite) != 0 }

    /// F_SEAL_EXEC: executable or not, it stays so.
    func check(_ newMode: UInt32) throws(Errno) {
        if seals & Seal.execute != 0, (mode ^ newMode) & 0o111 != 0 { throw .EPERM }
    }

    private var isMappedShared: Bool {
        guard let mapping else { return false }
        return manager.tree.withLock({ Array(manager.processes.values) }).contains { process in
            let space = process.memory
            return space.lock.withLock { space.map.areas.contains { $0.file === mapping && $0.isShared } }
        }
    }

    // MARK: memfd_create

    static let table: [(Int, String, SystemCallHandler)] = [(319, "memfd_create", create)]

    @Sendable private static func create(_ call: Call) throws(Errno) -> Outcome {
        let (closeOnExec, sealing, hugePages, noExecute, executable): (UInt32, UInt32, UInt32, UInt32, UInt32) = (
            1, 2, 4, 8, 16
        )
        let flags = call.uint(1)
        let sizes: UInt32 = flags & hugePages == 0 ? 0 : 0xfc00_0000
        guard flags & ~(0x1f | sizes) == 0, flags & (noExecute | executable) != noExecute | executable else {
            throw .EINVAL
        }
        if flags & hugePages != 0 { throw .ENOSYS }  // as without CONFIG_HUGETLBFS
        let name: [UInt8]
        do {
            name = try call.copyString(call[0], limit: 250)
        } catch {
            throw error == .ENAMETOOLONG ? .EINVAL : error
        }
        let file = try MemoryFile(
            call.manager, name: name,
            seals: flags & noExecute != 0 ? Seal.execute : flags & sealing != 0 ? 0 : Seal.seal,
            permissions: flags & noExecute != 0 ? 0o666 : 0o777, cred: call.process.mixCred())
        return .done(value: try call.install(file, closeOnExec: flags & closeOnExec != 0))
    }
}
