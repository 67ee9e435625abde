import CMiXFile

/// One end of a pipe (or both: a FIFO opened for reading and writing).
final class PipeEnd: OpenDescription, @unchecked Sendable {
    // Sendable: constants only.
    let pipe: Pipe
    private let reading: Bool
    private let writing: Bool
    /// The FIFO's name at its server, for stat.
    private let node: MixObjReply?

    init(_ manager: ProcessManager, _ pipe: Pipe, flags: UInt32, node: MixObjReply? = nil) {
        self.pipe = pipe
        self.node = node
        reading = flags & 3 != FileFlags.writeOnly
        writing = flags & 3 != FileFlags.readOnly
        super.init(manager, flags: flags)
        pipe.attach(reading: reading, writing: writing)
    }

    override func closed() {
        pipe.detach(reading: reading, writing: writing)
        if let node { manager.files.fifos.release(node) }
    }

    override var mode: UInt32 { node?.mode ?? FileMode.fifo | pipe.attributes.permissions }
    override var ownAttributes: OwnAttributes? { node == nil ? pipe.attributes : nil }

    // MARK: Data

    override func read(_ call: Call, _ ranges: UserRanges, at offset: Int64?) throws(Errno) -> Outcome {
        if offset != nil { throw .ESPIPE }
        let wait = !isNonBlocking
        switch try pipe.read(call, ranges, enlist: { if wait { call.enlist(on: pipe.readable.queue) } }) {
        case .bytes(let count): return .done(Int64(count))
        case .ended: return .zero
        case .mustWait:
            if !wait { throw .EAGAIN }
            return .park(Wait(on: [pipe.readable.queue], for: "pipe_read"))
        }
    }

    override func write(_ call: Call, _ ranges: UserRanges, at offset: Int64?) throws(Errno) -> Outcome {
        if offset != nil { throw .ESPIPE }
        let wait = !isNonBlocking
        let progress = call.kept as? Progress
        var done = progress?.moved ?? 0
        let end = try pipe.write(
            call, ranges, from: &done, enlist: { if wait { call.enlist(on: pipe.writable.queue) } })
        switch end {
        case .bytes: return .done(Int64(done))
        case .ended:
            if done > 0 { return .done(Int64(done)) }
            call.raise(Signal.pipe)
            throw .EPIPE
        case .mustWait:
            if done > 0 && (!wait || call.interrupted) { return .done(Int64(done)) }
            if !wait { throw .EAGAIN }
            if done > 0 {
                let kept = progress ?? Progress()
                kept.moved = done
                call.kept = kept
            }
            return .park(Wait(on: [pipe.writable.queue], for: "pipe_write"))
        }
    }

    override func peek(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int64?, _ cred: MixCred) throws(Errno) -> Int
    {
        guard let base = buffer.baseAddress else { return 0 }
        switch pipe.peek(into: base, size: buffer.count) {
        case .bytes(let count): return count
        case .ended: return 0
        case .mustWait: throw .EAGAIN
        }
    }

    override func skip(_ count: Int) throws(Errno) { pipe.drop(count) }

    override func push(
        _ bytes: UnsafeRawBufferPointer, at offset: Int64?, _ call: Call, _ cred: MixCred
    ) throws(Errno) -> Int {
        guard let base = bytes.baseAddress else { return 0 }
        // Not atomic on purpose: a transfer may be short.
        switch pipe.put(base, size: bytes.count, whole: .max) {
        case .bytes(let count): return count
        case .mustWait: throw .EAGAIN
        case .ended:
            call.raise(Signal.pipe)
            throw .EPIPE
        }
    }

    // MARK: The rest

    override func stat(_ cred: MixCred) throws(Errno) -> MixStat {
        if let node {
            var request = MixObjRequest()
            request.op = OBJ_STAT
            request.key = node.key
            request.cred = cred
            if let stat = try? FifoTable.stat(manager, request) { return stat }
        }
        var stat = MixStat()
        stat.dev = 12
        stat.ino = pipe.inode
        stat.nlink = 1
        stat.mode = mode
        stat.blksize = 4096
        pipe.attributes.fill(&stat)
        return stat
    }

    override func ioctl(_ call: Call, _ command: UInt32, _ argument: UInt64) throws(Errno) -> Outcome {
        guard command == Ioctl.bytesReadable else { throw .ENOTTY }
        try call.writeStruct(Int32(clamping: pipe.count), at: argument)
        return .zero
    }

    override var isPollable: Bool { true }
    override func poll(_ mask: UInt32, arm: Bool) -> UInt32 {
        pipe.events(reading: reading, writing: writing) & (mask | PollBits.unasked)
    }
    override func forEachSource(_ body: (PollSource) -> Void) {
        if reading { body(pipe.readable) }
        if writing { body(pipe.writable) }
    }

    override func linkText(_ root: MixKey) -> [UInt8] { [UInt8]("pipe:[\(pipe.inode)]".utf8) }
}
