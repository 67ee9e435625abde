import CMiXFile
import Synchronization

/// eventfd(2): a counter to wait on.
final class EventFile: OpenDescription, @unchecked Sendable {
    // Sendable: constants, and what has locks of its own.
    private let counter: Mutex<UInt64>
    private let semaphore: Bool
    private let source = PollSource()
    private static let most = UInt64.max - 1

    init(_ manager: ProcessManager, count: UInt32, flags: UInt32, semaphore: Bool) {
        counter = Mutex(UInt64(count))
        self.semaphore = semaphore
        super.init(manager, flags: FileFlags.readWrite | flags)
    }

    override var mode: UInt32 { 0o600 }

    override func read(_ call: Call, _ ranges: UserRanges, at offset: Int64?) throws(Errno) -> Outcome {
        if offset != nil { throw .ESPIPE }
        guard ranges.total >= 8 else { throw .EINVAL }
        let wait = !isNonBlocking
        let value: UInt64? = counter.withLock { now in
            if now == 0 {
                if wait { call.enlist(on: source.queue) }
                return nil
            }
            let value = semaphore ? 1 : now
            now -= value
            return value
        }
        guard var value else {
            if !wait { throw .EAGAIN }
            return .park(Wait(on: [source.queue], for: "eventfd_read"))
        }
        source.notify()
        try withUnsafeBytes(of: &value) { bytes in Result { () throws(Errno) in try call.scatter(bytes, to: ranges) } }
            .get()
        return .done(8)
    }

    override func write(_ call: Call, _ ranges: UserRanges, at offset: Int64?) throws(Errno) -> Outcome {
        if offset != nil { throw .ESPIPE }
        guard ranges.total >= 8 else { throw .EINVAL }
        var value: UInt64 = 0
        try withUnsafeMutableBytes(of: &value) { bytes in
            Result { () throws(Errno) in try call.gather(ranges, into: bytes) }
        }.get()
        guard value != .max else { throw .EINVAL }
        let wait = !isNonBlocking
        let fits = counter.withLock { now in
            if Self.most - now < value {
                if wait { call.enlist(on: source.queue) }
                return false
            }
            now += value
            return true
        }
        if !fits {
            if !wait { throw .EAGAIN }
            return .park(Wait(on: [source.queue], for: "eventfd_write"))
        }
        source.notify()
        return .done(8)
    }

    /// One more, from within (io_submit(2), IOCB_FLAG_RESFD).
    func signal() {
        counter.withLock { if $0 < Self.most { $0 += 1 } }
        source.notify()
    }

    override func seek(_ offset: Int64, _ whence: Int32) throws(Errno) -> Int64 { Self.noPosition }
    override var isPollable: Bool { true }
    override func poll(_ mask: UInt32, arm: Bool) -> UInt32 {
        let now = counter.withLock { $0 }
        return (now > 0 ? PollBits.readable : 0) & mask | (now < Self.most ? PollBits.writable : 0) & mask
    }
    override func forEachSource(_ body: (PollSource) -> Void) { body(source) }

    override func stat(_ cred: MixCred) throws(Errno) -> MixStat { .anonymous(number, mode: mode) }
    override func linkText(_ root: MixKey) -> [UInt8] { [UInt8]("anon_inode:[eventfd]".utf8) }
    override var infoLines: String {
        let text = String(counter.withLock { $0 }, radix: 16)
        return "eventfd-count: \(String(repeating: " ", count: 16 - text.count))\(text)\n"
    }

    static let table: [(Int, String, SystemCallHandler)] = [
        (284, "eventfd", { (call) throws(Errno) in try make(call, 0) }),
        (290, "eventfd2", { (call) throws(Errno) in try make(call, call.uint(1)) }),
    ]

    private static func make(_ call: Call, _ flags: UInt32) throws(Errno) -> Outcome {
        if flags & ~(1 | FileFlags.nonBlocking | FileFlags.closeOnExec) != 0 { throw .EINVAL }
        let file = EventFile(
            call.manager, count: call.uint(0), flags: flags & FileFlags.nonBlocking, semaphore: flags & 1 != 0)
        return .done(value: try call.install(file, closeOnExec: flags & FileFlags.closeOnExec != 0))
    }
}

extension MixStat {
    /// Of a file without a name that only its descriptor reaches.
    static func anonymous(_ inode: UInt64, mode: UInt32) -> MixStat {
        var stat = MixStat()
        stat.dev = 13
        stat.ino = inode
        stat.nlink = 1
        stat.mode = mode
        stat.blksize = 4096
        return stat
    }
}
