import ActorKit
import CChorus
import CMiXDevice
import CMiXFile
import Glibc
import Synchronization
import TerminalLine

/// A host descriptor that is no terminal, as a byte stream: pipe, socket, regular file or device.
final class HostStream: Sendable {
    let descriptor: Int32
    let type: UInt32  // S_IFMT bits
    let start: Atomic<Int64>  // where a regular file stood at the site's start
    let effects: EffectSink
    let reader: HostReader?
    let writer: HostWriter?
    let state = Guarded(State())

    struct State: ~Copyable {
        var input = ByteRing(capacity: 65536)
        var output = ByteRing(capacity: 65536)
        var ended = false
        var inputError: Int32 = 0
        var outputError: Int32 = 0
        var full = false  // the reader waits for a kick
        var watches = WatchList()
    }

    private init(descriptor: Int32, status: stat, effects: EffectSink, threads: ServerThreads) {
        self.descriptor = descriptor
        self.effects = effects
        type = status.st_mode & S_IFMT
        start = Atomic(type == S_IFREG ? Int64(lseek(descriptor, 0, SEEK_CUR)) : 0)
        let access = fcntl(descriptor, F_GETFL) & O_ACCMODE
        reader = access == O_WRONLY || type == S_IFREG ? nil : HostReader(descriptor: descriptor, threads: threads)
        writer = access == O_RDONLY || type == S_IFREG ? nil : HostWriter(descriptor: descriptor, threads: threads)
    }

    /// One object for descriptors that are the same open file, so that their output keeps its order.
    static func make(descriptors: [Int32], effects: EffectSink, threads: ServerThreads) -> [HostStream?] {
        var made: [(stream: HostStream, status: stat, access: Int32)] = []
        return descriptors.map { descriptor in
            var status = stat()
            let flags = fcntl(descriptor, F_GETFL)
            guard flags >= 0, fstat(descriptor, &status) == 0, isatty(descriptor) == 0 else { return nil }
            let access = flags & O_ACCMODE
            let same = made.first {
                $0.status.st_dev == status.st_dev && $0.status.st_ino == status.st_ino && $0.access == access
            }
            if let same { return same.stream }
            let stream = HostStream(descriptor: descriptor, status: status, effects: effects, threads: threads)
            made.append((stream, status, access))
            return stream
        }
    }

    var base: Int64 { start.load(ordering: .relaxed) }
    var drained: Bool { !(writer?.pending ?? false) && state.withLock { $0.output.isEmpty } }

    func shutdown() -> Bool {
        let read = reader?.shutdown() ?? true
        let wrote = writer?.shutdown() ?? true
        return read && wrote
    }

    func read(_ exchange: inout Exchange) -> Int64 {
        let target = exchange.target
        if type == S_IFREG { return readFile(target, exchange.request.pointee.offset, &exchange.replied) }
        guard let reader else { return failure(EBADF) }
        if target.count == 0 { return 0 }
        let (result, kick): (Int64, Bool) = state.withLock { state in
            let count = state.input.take(into: target)
            if count > 0 {
                let kick = state.full && state.input.room >= 16384
                if kick { state.full = false }
                return (Int64(count), kick)
            }
            if state.inputError != 0 { return (failure(state.inputError), false) }
            return (state.ended ? 0 : failure(EAGAIN), false)
        }
        if kick { reader.kick() }
        if result == failure(EAGAIN) { reader.start(self) }
        exchange.replied = Int(max(0, result))
        return result
    }

    /// The host's own offset follows, for whoever shares the file outside.
    private func readFile(_ target: UnsafeMutableRawBufferPointer, _ offset: UInt64, _ replied: inout Int) -> Int64 {
        guard let at = Int64(exactly: offset) else { return failure(EINVAL) }
        let count = pread(descriptor, target.baseAddress, target.count, off_t(base + at))
        guard count >= 0 else { return failure(errno) }
        _ = lseek(descriptor, off_t(base + at) + off_t(count), SEEK_SET)
        replied = count
        return Int64(count)
    }

    func write(_ exchange: inout Exchange) -> Int64 {
        let body = exchange.body
        if type == S_IFREG {
            // Standard output and error may be one open file: the host's offset is the one that counts.
            let count = withoutPipeSignal { Glibc.write(descriptor, body.baseAddress, body.count) }
            guard count >= 0 else { return failure(errno) }
            exchange.reply.pointee.value.0 = UInt64(max(0, Int64(lseek(descriptor, 0, SEEK_CUR)) - base))
            return Int64(count)
        }
        guard let writer else { return failure(EBADF) }
        if body.count == 0 { return 0 }
        var done = 0
        while done < body.count {
            let rest = UnsafeRawBufferPointer(rebasing: body[done...])
            let count: Int64 = state.withLock { state in
                if state.outputError != 0 { return failure(state.outputError) }
                return Int64(state.output.append(rest))
            }
            if count < 0 { return done > 0 ? Int64(done) : count }
            if count == 0 { break }
            done += Int(count)
            writer.kick(self)
        }
        // What the host refused at once is reported at once.
        let error = state.withLock { $0.outputError }
        if error != 0 { return failure(error) }
        return done == 0 ? failure(EAGAIN) : Int64(done)
    }

    func events(_ state: borrowing State) -> UInt32 {
        if type == S_IFREG { return Poll.input | Poll.output }
        var bits: UInt32 = 0
        if type == S_IFCHR {  // what it was not opened for is refused at once; a pipe's other direction is never ready
            if reader == nil { bits |= Poll.input }
            if writer == nil { bits |= Poll.output }
        }
        if reader != nil {
            if !state.input.isEmpty || state.inputError != 0 { bits |= Poll.input }
            if state.ended { bits |= Poll.input | (type == S_IFCHR ? 0 : Poll.hangUp) }
        }
        if writer != nil {
            if state.outputError != 0 {
                bits |= Poll.output | Poll.error
            } else if state.output.room >= 4096 {
                bits |= Poll.output
            }
        }
        return bits
    }

    fileprivate func change(_ body: (inout State) -> Void) {
        var gathered = Effects()
        state.withLock { state in
            body(&state)
            let now = events(state)
            state.watches.fire(&gathered.posts) { _ in now }
        }
        effects.perform(gathered)
    }

    func watch(_ exchange: inout Exchange) -> Int64 {
        let request = exchange.request
        let mask = UInt32(truncatingIfNeeded: request.pointee.arg.0)
        let event = KnUniqueId(
            uiHead: UInt32(truncatingIfNeeded: request.pointee.arg.2),
            uiTail: UInt32(truncatingIfNeeded: request.pointee.arg.3))
        let owner = exchange.owner
        var gathered = Effects()
        let now: UInt32 = state.withLock { state in
            if mask == 0 {
                state.watches.disarm(owner: owner, event: event)
                return 0
            }
            let now = events(state) & (mask | Poll.always)
            if mask & ~now != 0 {
                state.watches.arm(owner: owner, event: event, mask: mask & ~now, &gathered.posts)
            } else {
                state.watches.disarm(owner: owner, event: event)
            }
            return now
        }
        effects.perform(gathered)
        // Only the host knows whether there is input: from now on it is read.
        if mask & Poll.input != 0 && now & Poll.input == 0 { reader?.start(self) }
        exchange.reply.pointee.events = now
        return 0
    }
}

extension HostStream: InputSink, OutputSource {
    var inputSpace: Int {
        state.withLock { state in
            if state.input.room == 0 { state.full = true }
            return state.input.room
        }
    }

    func input(_ bytes: UnsafeRawBufferPointer) -> Int {
        var taken = 0
        change { state in
            taken = state.input.append(bytes)
            if taken < bytes.count { state.full = true }
        }
        return taken
    }

    func inputEnded(_ code: Int32) {
        change { state in
            state.ended = code == 0
            state.inputError = code
        }
    }

    func takeOutput(into buffer: UnsafeMutableRawBufferPointer) -> (count: Int, epoch: UInt64) {
        (state.withLock { $0.output.take(into: buffer) }, 0)
    }

    var outputEpoch: UInt64 { 0 }

    func outputMoved() { change { _ in } }

    func outputFailed(_ code: Int32) {
        change { state in
            state.outputError = code
            state.output.removeAll()
        }
    }
}
