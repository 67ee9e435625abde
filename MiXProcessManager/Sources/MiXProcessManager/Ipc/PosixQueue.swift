import CMiXFile
import Glibc
import Synchronization

/// A POSIX message queue (mq_overview(7)). Guarded by `lock`.
final class PosixQueue: @unchecked Sendable {
    // Sendable: see above.
    struct Message {
        var priority: UInt32
        var text: [UInt8]
    }
    /// mq_notify(3): told once that a message came to an empty queue.
    struct Registration {
        let process: Process
        /// nil: SIGEV_NONE.
        var signal: Int32?
        var value: UInt64
    }

    /// What a queue weighs against RLIMIT_MSGQUEUE of its maker (getrlimit(2)).
    struct Weight {
        let uid: UInt32
        let bytes: UInt64
        init(uid: UInt32, most: Int, size: Int) {
            self.uid = uid
            bytes = UInt64(most) * (48 + UInt64(size)) + UInt64(min(most, Int(PosixQueue.mostPriority))) * 48
        }
    }

    let lock = Lock()
    let name: [UInt8]
    let most: Int
    let size: Int
    let attributes: OwnAttributes
    private let weight: Weight
    private let queues: PosixQueues
    /// Lowest priority first, and of equals the youngest first: the next one is the last.
    private var messages: [Message] = []
    private(set) var bytes = 0
    var registration: Registration?
    let receivers = WaitQueue()
    let senders = WaitQueue()
    /// Polls of all descriptions.
    let source = PollSource()

    static let mostPriority: UInt32 = 32768  // MQ_PRIO_MAX

    init(name: [UInt8], most: Int, size: Int, mode: UInt32, owner: MixCred, _ weight: Weight, _ queues: PosixQueues) {
        self.name = name
        self.most = most
        self.size = size
        attributes = OwnAttributes(permissions: mode, owner: owner)
        self.weight = weight
        self.queues = queues
    }

    /// Never under the lock of the table: who takes a name away still holds the queue.
    deinit { queues.release(weight) }

    var count: Int { messages.count }
    var isFull: Bool { messages.count >= most }

    func insert(_ message: Message) {
        var low = 0
        var high = messages.count
        while low < high {
            let middle = (low + high) / 2
            if messages[middle].priority < message.priority { low = middle + 1 } else { high = middle }
        }
        messages.insert(message, at: low)
        bytes += message.text.count
    }

    func take() -> Message? {
        guard let message = messages.popLast() else { return nil }
        bytes -= message.text.count
        return message
    }
}

/// The queues by name; there is nothing of them in the file system.
final class PosixQueues: Sendable {
    private struct State {
        var names: [[UInt8]: PosixQueue] = [:]
        /// What users' queues weigh, those without a name that are still open among them.
        var weights: [UInt32: UInt64] = [:]
    }
    private let state = Mutex(State())
    static let most = 256  // /proc/sys/fs/mqueue/queues_max

    func find(_ name: [UInt8]) -> PosixQueue? { state.withLock { $0.names[name] } }

    /// A queue of that name, unless there is one by now (nil). Its weight counts against `limit`.
    func add(
        _ queue: @autoclosure () -> PosixQueue, _ name: [UInt8], _ weight: PosixQueue.Weight, limit: UInt64,
        privileged: Bool
    )
        throws(Errno) -> PosixQueue?
    {
        let made: Result<PosixQueue?, Errno> = state.withLock { now in
            if now.names[name] != nil { return .success(nil) }
            guard now.names.count < Self.most || privileged else { return .failure(.ENOSPC) }
            let (sum, overflow) = (now.weights[weight.uid] ?? 0).addingReportingOverflow(weight.bytes)
            guard !overflow, sum <= limit else { return .failure(.EMFILE) }
            now.weights[weight.uid] = sum
            let queue = queue()
            now.names[name] = queue
            return .success(queue)
        }
        return try made.get()
    }

    func remove(_ queue: PosixQueue) {
        state.withLock { if $0.names[queue.name] === queue { $0.names[queue.name] = nil } }
    }

    /// Neither a name nor a descriptor leads to the queue any more.
    func release(_ weight: PosixQueue.Weight) {
        state.withLock { now in
            let left = (now.weights[weight.uid] ?? 0) &- weight.bytes
            now.weights[weight.uid] = left == 0 ? nil : left
        }
    }
}
