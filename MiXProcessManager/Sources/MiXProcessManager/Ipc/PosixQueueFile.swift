import CMiXFile
import Glibc
import Synchronization

/// An open POSIX message queue: what mq_open(3) returns is a descriptor.
final class PosixQueueFile: OpenDescription, @unchecked Sendable {
    // Sendable: constants, and what has locks of its own.
    let queue: PosixQueue
    private let offset = Mutex<Int64>(0)

    init(_ manager: ProcessManager, _ queue: PosixQueue, flags: UInt32) {
        self.queue = queue
        super.init(manager, flags: flags)
    }

    /// A process that asked to be told closes a descriptor: it is told no more (mq_close(3)).
    override func releaseLocks(of cred: MixCred) {
        queue.lock.withLock { if queue.registration?.process.pid == cred.pid { queue.registration = nil } }
    }

    override var mode: UInt32 { FileMode.regular | queue.attributes.permissions }
    override var ownAttributes: OwnAttributes? { queue.attributes }
    override var position: Int64 { offset.withLock { $0 } }

    /// The state as a line of text (mq_overview(7), "Mounting the message queue filesystem").
    override func read(_ call: Call, _ ranges: UserRanges, at place: Int64?) throws(Errno) -> Outcome {
        let text = queue.lock.withLock { () -> [UInt8] in
            let told = queue.registration
            let fields = [
                ("QSIZE", queue.bytes, 10), ("NOTIFY", told != nil && told?.signal == nil ? 1 : 0, 5),
                ("SIGNO", Int(told?.signal ?? 0), 5), ("NOTIFY_PID", Int(told?.process.pid ?? 0), 6),
            ]
            let words = fields.map { name, number, width in
                "\(name):\(number)" + String(repeating: " ", count: max(0, width - String(number).count))
            }
            return Array((words.joined(separator: " ") + "\n").utf8)
        }
        let start = Int(clamping: place ?? position)
        let piece = text.dropFirst(start).prefix(ranges.total)
        try Array(piece).withUnsafeBytes { bytes in
            Result { () throws(Errno) in try call.scatter(bytes, to: ranges) }
        }.get()
        if place == nil { offset.withLock { $0 += Int64(piece.count) } }
        return .done(value: piece.count)
    }

    override var isPollable: Bool { true }
    override func poll(_ mask: UInt32, arm: Bool) -> UInt32 {
        queue.lock.withLock {
            (queue.count > 0 ? PollBits.readable : 0) & mask | (queue.isFull ? 0 : PollBits.writable) & mask
        }
    }
    override func forEachSource(_ body: (PollSource) -> Void) { body(queue.source) }

    override func stat(_ cred: MixCred) throws(Errno) -> MixStat {
        var stat = MixStat.anonymous(number, mode: mode)
        stat.size = 80
        queue.attributes.fill(&stat)
        return stat
    }
    override func linkText(_ root: MixKey) -> [UInt8] { [0x2f] + queue.name }
}
