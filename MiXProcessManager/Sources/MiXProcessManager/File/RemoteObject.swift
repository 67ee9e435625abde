import CChorus
import CMiXFile
import Glibc
import Synchronization

/// An object of another server that is open here: a device, a file without a segment (procfs), an O_PATH name; directories
/// and regular files are subclasses.
class RemoteObject: OpenDescription, @unchecked Sendable {
    // Sendable: see OpenDescription; `offset` and `watch` have locks.
    let server: KnUniqueId
    let key: MixKey
    private let kind: UInt32
    let inode: UInt64
    /// By its number: /dev/console, /dev/tty, a serial line, a console, or a pseudo-terminal's slave.
    private let isTerminal: Bool
    let offset = Mutex<Int64>(0)
    let source = PollSource()
    private let watch = Mutex<WatchEvent?>(nil)
    private let identity = Mutex<Identity?>(nil)
    let place = Mutex<InotifyPlace?>(nil)

    private struct NodeIdentity {
        let dev, ino: UInt64
    }
    /// What was found out about it.
    private struct Identity {
        let node: NodeIdentity?
    }

    init(_ manager: ProcessManager, server: KnUniqueId, reply: MixObjReply, flags: UInt32) {
        self.server = server
        key = reply.key
        kind = reply.mode
        inode = reply.ino
        isTerminal = reply.mode & FileMode.typeMask == FileMode.character && [4, 5, 136, 229].contains(reply.devMajor)
        super.init(manager, flags: flags)
    }

    override var mode: UInt32 { kind }
    override var remote: RemoteObject? { self }
    override var isPollable: Bool {
        let type = kind & FileMode.typeMask
        return type != FileMode.regular && type != FileMode.directory && type != FileMode.block
    }
    private var isCharacter: Bool { kind & FileMode.typeMask == FileMode.character }
    override var position: Int64 { offset.withLock { $0 } }

    final func request(_ op: UInt32, _ cred: MixCred) -> MixObjRequest {
        var request = MixObjRequest()
        request.op = op
        request.key = key
        request.owner = number
        request.cred = cred
        return request
    }

    override func closed() {
        tell(isWritable ? InotifyBits.closeWrite : InotifyBits.closeNoWrite)
        _ = try? manager.objectCall(server, request(OBJ_CLOSE, MixCred()))
        let event = watch.withLock { watch in
            defer { watch = nil }
            return watch
        }
        if let event { manager.files.giveBack(event) }
    }

    override func releaseLocks(of cred: MixCred) {
        guard kind & FileMode.typeMask == FileMode.regular, !isPathOnly else { return }
        var request = request(OBJ_LOCK, cred)
        request.owner = FileLock.owner(ofProcess: cred.pid)
        request.flags = MIX_LOCK_UNLOCK
        _ = try? manager.objectCall(server, request)
    }

    // MARK: Data by messages

    /// Longest body of one message that is used for data.
    private static let chunk = Int(K_CMSGSIZEMAX)

    /// Whether positions mean something here.
    private var isSeekable: Bool {
        let type = kind & FileMode.typeMask
        return type == FileMode.regular || type == FileMode.block
    }

    /// pread(2) and pwrite(2) are for it; other character devices than terminals take them and ignore where.
    private var isPositioned: Bool { isSeekable || isCharacter && !isTerminal }

    override func read(_ call: Call, _ ranges: UserRanges, at place: Int64?) throws(Errno) -> Outcome {
        if kind & FileMode.typeMask == FileMode.directory { throw .EISDIR }
        if place != nil && !isPositioned { throw .ESPIPE }
        let cred = call.process.mixCred()
        var request = request(OBJ_READ, cred)
        request.flags = flags & FileFlags.nonBlocking
        request.offset = UInt64(bitPattern: place ?? position)
        request.size = UInt64(min(ranges.total, Self.chunk))
        let room = Int(request.size)
        var armed = false
        while true {
            let attempt = Result { () throws(Errno) -> Int in
                try withUnsafeTemporaryAllocation(byteCount: max(room, 1), alignment: 16) {
                    (buffer) throws(Errno) -> Int in
                    let (_, size) = try manager.objectCall(
                        server, request, reply: UnsafeMutableRawBufferPointer(rebasing: buffer[..<room]))
                    try call.scatter(UnsafeRawBufferPointer(rebasing: buffer[..<size]), to: ranges)
                    return size
                }
            }
            switch attempt {
            case .success(let size):
                (call.kept as? BlockedRead)?.isOver = true
                if place == nil { offset.withLock { $0 = Int64(bitPattern: request.offset) + Int64(size) } }
                return .done(Int64(size))
            case .failure(let error):
                if error == .EAGAIN && !isNonBlocking && isCharacter && !(call.kept is BlockedRead) {
                    call.kept = BlockedRead(self)
                }
                if let outcome = try waitOrFail(call, error, PollBits.input, "read", &armed) { return outcome }
            }
        }
    }

    override func write(_ call: Call, _ ranges: UserRanges, at place: Int64?) throws(Errno) -> Outcome {
        if place != nil && !isPositioned { throw .ESPIPE }
        let progress = call.kept as? Progress ?? Progress()
        let cred = call.process.mixCred()
        var request = request(OBJ_WRITE, cred)
        request.flags = flags & (FileFlags.nonBlocking | FileFlags.append)
        var armed = false
        repeat {
            // As n_tty(4): who is interrupted writes nothing more, so that ^C silences a flood.
            if isTerminal && call.task.attention.load(ordering: .sequentiallyConsistent) {
                if progress.moved > 0 { return .done(Int64(progress.moved)) }
                // Where another thread takes the signal this wait is over at once.
                call.enlist(on: source.queue)
                source.notify()
                return parked("write")
            }
            request.offset = UInt64(bitPattern: place.map { $0 + Int64(progress.moved) } ?? position)
            let size = min(ranges.total - progress.moved, Self.chunk)
            let attempt = Result { () throws(Errno) -> MixObjReply in
                try withUnsafeTemporaryAllocation(byteCount: max(size, 1), alignment: 16) {
                    (buffer) throws(Errno) -> MixObjReply in
                    let body = UnsafeMutableRawBufferPointer(rebasing: buffer[..<size])
                    try call.gather(ranges, from: progress.moved, into: body)
                    return try manager.objectCall(server, request, body: UnsafeRawBufferPointer(body)).0
                }
            }
            switch attempt {
            case .success(let reply):
                let taken = max(0, min(Int(reply.diag), size))
                progress.moved += taken
                if place == nil {
                    let behind =
                        isSeekable ? Int64(bitPattern: reply.value.0) : Int64(bitPattern: request.offset) + Int64(taken)
                    offset.withLock { $0 = behind }
                }
                // Less than all without an error: a device that takes no more now says so when asked again.
                if taken == 0 || isSeekable && taken < size { return .done(Int64(progress.moved)) }
            case .failure(let error):
                if progress.moved > 0 && (error != .EAGAIN || isNonBlocking || call.interrupted) {
                    return .done(Int64(progress.moved))
                }
                if error == .EPIPE { call.raise(Signal.pipe) }
                call.kept = progress
                if let outcome = try waitOrFail(call, error, PollBits.output, "write", &armed) { return outcome }
            }
        } while progress.moved < ranges.total
        return .done(Int64(progress.moved))
    }

    override func peek(_ buffer: UnsafeMutableRawBufferPointer, at place: Int64?, _ cred: MixCred) throws(Errno) -> Int
    {
        guard isSeekable || kind & FileMode.typeMask == FileMode.character else { throw .EINVAL }
        var request = request(OBJ_READ, cred)
        request.flags = flags & FileFlags.nonBlocking
        request.offset = UInt64(bitPattern: place ?? position)
        request.size = UInt64(buffer.count)
        return try manager.objectCall(server, request, reply: buffer).1
    }

    /// Devices have taken their data when it was read.
    override func skip(_ count: Int) throws(Errno) { offset.withLock { $0 += Int64(count) } }

    override func push(
        _ bytes: UnsafeRawBufferPointer, at place: Int64?, _ call: Call, _ cred: MixCred
    ) throws(Errno) -> Int {
        var request = request(OBJ_WRITE, cred)
        request.flags = flags & (FileFlags.nonBlocking | FileFlags.append)
        request.offset = UInt64(bitPattern: place ?? position)
        do {
            let size = Int(try manager.objectCall(server, request, body: bytes).0.diag)
            if place == nil { try skip(size) }
            return size
        } catch {
            if error == .EPIPE { call.raise(Signal.pipe) }
            throw error
        }
    }

    /// After an error of the server: nil to ask again at once, the parking outcome, or the error itself.
    final func waitOrFail(
        _ call: Call, _ error: Errno, _ mask: UInt32, _ reason: StaticString, _ armed: inout Bool
    ) throws(Errno) -> Outcome? {
        switch error {
        case .EINTR, .restart:
            // The terminal has sent a job-control signal, which ends the wait.
            call.enlist(on: source.queue)
            return .park(Wait(on: [source.queue], for: reason))
        case .EAGAIN where !isNonBlocking:
            // A signal ends the wait now: a watch would be for nobody.
            if call.interrupted { return .park(Wait(on: [source.queue], for: reason)) }
            if !armed { call.enlist(on: source.queue) }
            let now = try arm(mask)
            // What is true already is not watched for: asked again as often as it says so, unless a signal has come.
            // An error or a hang-up alone may be of the other direction, and is no reason to ask twice.
            let isWorthIt = now & mask != 0 || now & PollBits.unasked != 0 && !armed
            armed = true
            if isWorthIt && !call.task.attention.load(ordering: .sequentiallyConsistent) { return nil }
            return .park(Wait(on: [source.queue], for: reason))
        default: throw error
        }
    }

    // MARK: Watching

    /// Has the server post our event when one of `mask` becomes true; returns what is true now.
    final func arm(_ mask: UInt32) throws(Errno) -> UInt32 {
        var event = watch.withLock { $0 }
        if event == nil {
            let fresh = try manager.files.watchEvent(manager, for: source)
            let kept = watch.withLock { watch in
                if watch == nil { watch = fresh }
                return watch
            }
            if kept !== fresh { manager.files.giveBack(fresh) }
            event = kept
        }
        guard let event else { throw .ENOMEM }
        var request = request(OBJ_WATCH, MixCred())
        request.arg.0 = UInt64(event.want(mask))
        request.arg.2 = UInt64(event.capability.ui.uiHead)
        request.arg.3 = UInt64(event.capability.ui.uiTail)
        return try manager.objectCall(server, request).0.events
    }

    /// Enlists the caller and arms a watch, for a wait that is about to be confirmed.
    final func prepareWait(_ call: Call, _ mask: UInt32) throws(Errno) {
        call.enlist(on: source.queue)
        _ = try arm(mask)
    }

    /// A read was given up: the server forgets it (mix/mixDevice.h). The watch was everybody's, so who still waits asks again.
    fileprivate final func forgetRead() {
        guard let event = watch.withLock({ $0 }) else { return }
        var request = request(OBJ_WATCH, MixCred())
        request.arg.2 = UInt64(event.capability.ui.uiHead)
        request.arg.3 = UInt64(event.capability.ui.uiTail)
        _ = try? manager.objectCall(server, request)
        source.notify()
    }

    final func parked(_ reason: StaticString) -> Outcome { .park(Wait(on: [source.queue], for: reason)) }

    override func poll(_ mask: UInt32, arm: Bool) -> UInt32 {
        guard isPollable, !isPathOnly else { return PollBits.always & mask }
        do {
            return try self.arm(mask | PollBits.unasked) & (mask | PollBits.unasked)
        } catch {
            return error == .EPERM || error == .EINVAL || error == .ENOSYS ? PollBits.always & mask : PollBits.error
        }
    }

    override func forEachSource(_ body: (PollSource) -> Void) { if isPollable { body(source) } }

    // MARK: The rest

    override func seek(_ to: Int64, _ whence: Int32) throws(Errno) -> Int64 {
        switch kind & FileMode.typeMask {
        case FileMode.character:
            // Terminals cannot; memory devices ignore it (null_lseek).
            if try stat(MixCred()).isTerminal { throw .ESPIPE }
            return 0
        case FileMode.fifo, FileMode.socket: throw .ESPIPE
        default: break
        }
        let size = whence == SEEK_END ? Int64(clamping: try end()) : 0
        return try offset.withLock { (now) throws(Errno) -> Int64 in
            now = try Self.moved(now, to, whence, size)
            return now
        }
    }

    /// Where it ends. A block device's status has no size (stat(2)): it is asked by BLKGETSIZE64.
    private func end() throws(Errno) -> UInt64 {
        guard kind & FileMode.typeMask == FileMode.block else { return try stat(MixCred()).size }
        var request = request(OBJ_IOCTL, MixCred())
        request.arg.0 = 0x8008_1272
        request.size = 8
        let (_, size) = try manager.objectCall(server, request, body: [], room: 8)
        guard size.count == 8 else { throw .EIO }
        return size.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
    }

    static func moved(_ now: Int64, _ to: Int64, _ whence: Int32, _ size: Int64) throws(Errno) -> Int64 {
        let base: Int64
        switch whence {
        case SEEK_SET: base = 0
        case SEEK_CUR: base = now
        case SEEK_END: base = size
        default: throw .EINVAL
        }
        let (sum, overflow) = base.addingReportingOverflow(to)
        if overflow { throw .EOVERFLOW }
        if sum < 0 { throw .EINVAL }
        return sum
    }

    override func stat(_ cred: MixCred) throws(Errno) -> MixStat {
        try withUnsafeTemporaryAllocation(of: MixStat.self, capacity: 1) { (buffer) throws(Errno) -> MixStat in
            buffer.initialize(repeating: MixStat())
            _ = try manager.objectCall(server, request(OBJ_STAT, cred), reply: UnsafeMutableRawBufferPointer(buffer))
            if isCharacter, let node = nodeIdentity(cred, buffer[0].rdev) {
                (buffer[0].dev, buffer[0].ino) = (node.dev, node.ino)
            }
            return buffer[0]
        }
    }

    /// Where the name that a device goes by has a node: ttyname(3) looks for one with the descriptor's identity.
    private func nodeIdentity(_ cred: MixCred, _ device: UInt64) -> NodeIdentity? {
        if let known = identity.withLock({ $0 }) { return known.node }
        let name = linkText(MixKey())
        var node: NodeIdentity?
        if name.first == 0x2f {
            var request = MixObjRequest()
            request.op = FILE_STAT
            request.cred = cred
            let answer = try? manager.objectCall(
                manager.fileServer, request, body: name + [0], room: MemoryLayout<MixStat>.size)
            if let bytes = answer?.1, bytes.count >= MemoryLayout<MixStat>.size {
                let stat = bytes.withUnsafeBytes { $0.loadUnaligned(as: MixStat.self) }
                if stat.mode & FileMode.typeMask == FileMode.character && stat.rdev == device {
                    node = NodeIdentity(dev: stat.dev, ino: stat.ino)
                }
            }
        }
        identity.withLock { $0 = Identity(node: node) }
        return node
    }

    override func truncate(_ size: UInt64, _ cred: MixCred) throws(Errno) {
        if kind & FileMode.typeMask != FileMode.regular { throw .EINVAL }
        var request = request(OBJ_TRUNC, cred)
        request.size = size
        _ = try manager.objectCall(server, request)
        tell(InotifyBits.modify)
    }

    override func segment(protection: UInt32, _ cred: MixCred) throws(Errno) -> KnCap {
        var request = request(OBJ_SEGMENT, cred)
        request.flags = protection
        return KnCap(try manager.objectCall(server, request).0)
    }

    override func ioctl(_ call: Call, _ command: UInt32, _ argument: UInt64) throws(Errno) -> Outcome {
        try RemoteIoctl.run(self, call, command, argument)
    }

    override func linkText(_ root: MixKey) -> [UInt8] {
        var request = request(OBJ_PATH, MixCred())
        request.arg.0 = root.object
        request.arg.1 = root.tag
        return (try? manager.objectCall(server, request, body: [], room: 4096).1) ?? [UInt8]("/".utf8)
    }
}

extension Errno {
    /// ERESTARTSYS, which the Device Manager answers after a job-control signal to the caller.
    static let restart = Errno(512)
}

/// A read that waits for a terminal, which counts its time (VTIME).
final class BlockedRead: GivesUp {
    private let object: RemoteObject
    var isOver = false
    init(_ object: RemoteObject) { self.object = object }
    func callEnded() { if !isOver { object.forgetRead() } }
}

/// How far a transfer has come that had to wait in between.
final class Progress {
    var moved = 0
}

extension KnCap {
    /// The segment that a reply names.
    init(_ reply: MixObjReply) {
        self.init(
            ui: KnUniqueId(uiHead: reply.segUiHead, uiTail: reply.segUiTail),
            key: KnKey(keyHead: reply.segKeyHead, keyTail: reply.segKeyTail))
    }
    var isNull: Bool { ui.uiHead == 0 && ui.uiTail == 0 }
}

extension MixStat {
    /// Character devices of the terminal majors: consoles, serial lines, pseudo-terminals.
    var isTerminal: Bool {
        guard mode & FileMode.typeMask == FileMode.character else { return false }
        let major = DeviceNumber.major(rdev)
        return major == 4 || major == 5 || (128...143).contains(major)
    }
}
