import CChorus
import CMiXFile
import Glibc
import Synchronization

/// An open file description (open(2)): what descriptors, after dup and fork several of them, refer to.
///
/// Descriptors are counted apart from Swift's references: when the last one is closed, `closed` runs at once, whoever
/// may still be inside a call on it.
class OpenDescription: @unchecked Sendable {
    // Sendable: stored properties are constant, atomic, or guarded by locks of the subclass.
    unowned let manager: ProcessManager
    /// Names the description at other servers: owner of locks and watches.
    let number: UInt64
    private let holds = Atomic<Int>(1)
    private let status: Atomic<UInt32>
    /// How many of the holds are messages' (SCM_RIGHTS).
    let messages = Atomic<Int>(0)

    init(_ manager: ProcessManager, flags: UInt32) {
        self.manager = manager
        number = manager.files.nextNumber()
        status = Atomic(flags)
    }

    // MARK: Holds

    func hold() { holds.add(1, ordering: .relaxed) }

    /// A descriptor is gone; the last one closes the description. Called without locks.
    func drop() {
        let left = holds.subtract(1, ordering: .acquiringAndReleasing).newValue
        guard left == 0 else {
            if left == messages.load(ordering: .relaxed), self is SocketFile { manager.rights.search(manager) }
            return
        }
        let watchers = watchers.withLock { all in
            defer { all = [] }
            return all
        }
        for epoll in watchers { epoll.forget(self) }
        closed()
    }

    /// Only whoever receives it from a message can get at it again.
    final var isOnlyInMessages: Bool { holds.load(ordering: .acquiring) == messages.load(ordering: .acquiring) }

    // MARK: Mappings

    private struct Mapping { weak var object: FileMapping? }
    private let mapped = Mutex(Mapping())

    /// What memory areas hold of it; nil when nothing is mapped.
    final var mapping: FileMapping? {
        get { mapped.withLock { $0.object } }
        set { mapped.withLock { $0.object = newValue } }
    }

    // MARK: epoll

    /// Sets that have an entry for this description.
    private let watchers = Mutex<[EpollFile]>([])

    final func watch(by epoll: EpollFile, adding: Bool) {
        watchers.withLock { all in
            if !adding {
                all.removeAll { $0 === epoll }
            } else if !all.contains(where: { $0 === epoll }) {
                all.append(epoll)
            }
        }
    }

    final var outerSets: [EpollFile] { watchers.withLock { $0 } }

    /// The last descriptor is gone.
    func closed() {}

    /// A descriptor of this description was closed by a process that holds POSIX locks (fcntl(2)).
    func releaseLocks(of cred: MixCred) {}

    // MARK: Flags

    /// Access mode and status flags as F_GETFL gives them.
    var flags: UInt32 { status.load(ordering: .relaxed) }

    /// F_SETFL: only the flags that it may change.
    func setFlags(_ wanted: UInt32) {
        let changeable =
            FileFlags.append | FileFlags.nonBlocking | FileFlags.direct | FileFlags.noAccessTime
            | FileFlags.async
        status.store(flags & ~changeable | wanted & changeable, ordering: .relaxed)
    }

    final var isNonBlocking: Bool { flags & FileFlags.nonBlocking != 0 }
    final var isReadable: Bool { flags & (FileFlags.accessMode | FileFlags.path) <= 2 && flags & 3 != 1 }
    final var isWritable: Bool { flags & FileFlags.path == 0 && (flags & 3 == 1 || flags & 3 == 2) }
    final var isPathOnly: Bool { flags & FileFlags.path != 0 }

    // MARK: What subclasses do

    /// `st_mode` of what is open.
    var mode: UInt32 { 0 }
    /// Where no server keeps them; nil: there are none to change.
    var ownAttributes: OwnAttributes? { nil }
    /// The server's object, for names relative to it, /proc and mmap.
    var remote: RemoteObject? { nil }

    /// `offset` nil: at the description's own position.
    func read(_ call: Call, _ ranges: UserRanges, at offset: Int64?) throws(Errno) -> Outcome { throw .EINVAL }
    func write(_ call: Call, _ ranges: UserRanges, at offset: Int64?) throws(Errno) -> Outcome { throw .EINVAL }
    func seek(_ offset: Int64, _ whence: Int32) throws(Errno) -> Int64 { throw .ESPIPE }
    /// Where those stand that have no position but do not refuse to be asked for one (Linux' noop_llseek).
    static var noPosition: Int64 { 0 }
    func stat(_ cred: MixCred) throws(Errno) -> MixStat { throw .EBADF }
    func truncate(_ size: UInt64, _ cred: MixCred) throws(Errno) { throw .EINVAL }
    func ioctl(_ call: Call, _ command: UInt32, _ argument: UInt64) throws(Errno) -> Outcome { throw .ENOTTY }

    // For transfers between descriptions; EAGAIN where they would have to wait.
    /// Reads at `offset`, or what comes next, without taking it.
    func peek(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int64?, _ cred: MixCred) throws(Errno) -> Int {
        throw .EINVAL
    }
    /// Takes what was peeked at.
    func skip(_ count: Int) throws(Errno) { _ = try seek(Int64(count), SEEK_CUR) }
    func push(_ bytes: UnsafeRawBufferPointer, at offset: Int64?, _ call: Call, _ cred: MixCred) throws(Errno) -> Int {
        throw .EINVAL
    }

    /// The segment that holds the data, where there is one.
    func segment(protection: UInt32, _ cred: MixCred) throws(Errno) -> KnCap { throw .ENODEV }

    /// Poll bits of `mask` (and POLLERR, POLLHUP) that are true now. `arm`: a change from now on notifies the sources.
    func poll(_ mask: UInt32, arm: Bool) -> UInt32 { PollBits.always & mask }
    /// What to wait on for poll; empty where the state never changes.
    func forEachSource(_ body: (PollSource) -> Void) {}
    /// Whether epoll takes it: regular files and directories are refused with EPERM.
    var isPollable: Bool { false }

    /// What /proc/PID/fd/N reads as.
    func linkText(_ root: MixKey) -> [UInt8] { [UInt8]("anon_inode:[file]".utf8) }
    /// Lines of /proc/PID/fdinfo/N behind `pos`, `flags` and `mnt_id`.
    var infoLines: String { "" }
    var position: Int64 { 0 }
}

/// Linux open(2) flags on x86-64.
enum FileFlags {
    static let accessMode: UInt32 = 3
    static let readOnly: UInt32 = 0
    static let writeOnly: UInt32 = 1
    static let readWrite: UInt32 = 2
    static let create: UInt32 = 0o100
    static let exclusive: UInt32 = 0o200
    static let noControllingTerminal: UInt32 = 0o400
    static let truncate: UInt32 = 0o1000
    static let append: UInt32 = 0o2000
    static let nonBlocking: UInt32 = 0o4000
    static let dataSync: UInt32 = 0o10000
    static let async: UInt32 = 0o20000
    static let direct: UInt32 = 0o40000
    static let large: UInt32 = 0o100000
    static let directory: UInt32 = 0o200000
    static let noFollow: UInt32 = 0o400000
    static let noAccessTime: UInt32 = 0o1000000
    static let closeOnExec: UInt32 = 0o2000000
    static let sync: UInt32 = 0o4010000
    static let path: UInt32 = 0o10000000
    static let temporary: UInt32 = 0o20200000
}

/// File types and permissions of `st_mode`.
enum FileMode {
    static let typeMask: UInt32 = 0o170000
    static let regular: UInt32 = 0o100000
    static let directory: UInt32 = 0o040000
    static let character: UInt32 = 0o020000
    static let block: UInt32 = 0o060000
    static let fifo: UInt32 = 0o010000
    static let link: UInt32 = 0o120000
    static let socket: UInt32 = 0o140000
}
