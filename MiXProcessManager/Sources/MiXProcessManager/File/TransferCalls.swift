import CMiXFile
import Glibc

/// Data from descriptor to descriptor without passing through the program: sendfile, splice, tee, copy_file_range.
enum TransferCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (
            40, "sendfile",
            { (call) throws(Errno) in
                let input = try call.readable(1)
                if call[2] != 0, input.isPollable, input.remote == nil { throw .ESPIPE }
                let output = try call.writable(0)
                // Only what can be positioned (sendfile(2)): of a terminal or a pipe it would take what it cannot give
                // back, an end of file among it.
                if input.isPollable {
                    guard input.remote != nil, (try? input.seek(0, SEEK_CUR)) != nil else { throw .EINVAL }
                }
                // A pipe is appended to in any case.
                if output.flags & FileFlags.append != 0, !(output is PipeEnd) { throw .EINVAL }
                var transfer = Transfer(call, input, output, count: call[3])
                try transfer.start(input: call[2], output: 0)
                return try transfer.run()
            }
        ),
        (
            275, "splice",
            { (call) throws(Errno) in
                let (input, output) = try (call.readable(0), call.writable(2))
                guard input is PipeEnd || output is PipeEnd else { throw .EINVAL }
                if input is PipeEnd && call[1] != 0 || output is PipeEnd && call[3] != 0 { throw .ESPIPE }
                if let from = input as? PipeEnd, let to = output as? PipeEnd, from.pipe === to.pipe { throw .EINVAL }
                if call.uint(5) & ~0xf != 0 { throw .EINVAL }
                var transfer = Transfer(call, input, output, count: call[4])
                transfer.mayWait = call.uint(5) & 2 == 0  // SPLICE_F_NONBLOCK
                transfer.stopsWhenEmpty = true
                try transfer.start(input: call[1], output: call[3])
                return try transfer.run()
            }
        ),
        (
            276, "tee",
            { (call) throws(Errno) in
                guard let input = try call.readable(0) as? PipeEnd, let output = try call.writable(1) as? PipeEnd,
                    input.pipe !== output.pipe
                else { throw .EINVAL }
                var transfer = Transfer(call, input, output, count: call[2])
                transfer.mayWait = call.uint(3) & 2 == 0
                transfer.stopsWhenEmpty = true
                transfer.keepsInput = true
                return try transfer.run()
            }
        ),
        (
            278, "vmsplice",
            { (call) throws(Errno) in
                let description = try call.openDescription(0)
                let ranges = try call.ranges(at: call[1], count: call[2])
                guard description is PipeEnd else { throw .EBADF }
                return description.isWritable
                    ? try description.write(call, ranges, at: nil) : try description.read(call, ranges, at: nil)
            }
        ),
        (
            326, "copy_file_range",
            { (call) throws(Errno) in
                let (input, output) = try (call.openDescription(0), call.openDescription(2))
                if call.uint(5) != 0 { throw .EINVAL }
                let types = [input.mode & FileMode.typeMask, output.mode & FileMode.typeMask]
                if types.contains(FileMode.directory) { throw .EISDIR }
                guard types.allSatisfy({ $0 == FileMode.regular }) else { throw .EINVAL }
                guard input.isReadable, output.isWritable, output.flags & FileFlags.append == 0 else { throw .EBADF }
                var transfer = Transfer(call, input, output, count: call[4])
                try transfer.start(input: call[1], output: call[3])
                try transfer.boundByInput()
                return try transfer.run()
            }
        ),
    ]
}

/// One such call: piece after piece, each first read without being taken, then written, then taken.
private struct Transfer {
    private let call: Call
    private let input: OpenDescription
    private let output: OpenDescription
    private var count: Int
    private let cred: MixCred
    /// Addresses of offsets that stand for the descriptions' own positions; 0: none given.
    private var places: (input: UInt64, output: UInt64) = (0, 0)
    private var inputAt: Int64?
    private var outputAt: Int64?
    var mayWait = true
    /// Pipes: what is there is enough.
    var stopsWhenEmpty = false
    var keepsInput = false

    init(_ call: Call, _ input: OpenDescription, _ output: OpenDescription, count: UInt64) {
        self.call = call
        self.input = input
        self.output = output
        self.count = Int(min(count, UInt64(UserRanges.limit)))
        cred = call.process.mixCred()
    }

    mutating func start(input: UInt64, output: UInt64) throws(Errno) {
        places = (input, output)
        if input != 0 { inputAt = try offset(input) }
        if output != 0 { outputAt = try offset(output) }
    }

    private func offset(_ address: UInt64) throws(Errno) -> Int64 {
        let value = try call.readStruct(Int64.self, at: address)
        guard value >= 0 else { throw .EINVAL }
        return value
    }

    /// copy_file_range(2): no more than the file holds now; EINVAL where both are one file and what moves meets itself.
    mutating func boundByInput() throws(Errno) {
        let (from, to) = try (input.stat(cred), output.stat(cred))
        let (start, target) = (inputAt ?? input.position, outputAt ?? output.position)
        count = min(count, Int(clamping: max(0, Int64(clamping: from.size) - start)))
        let size = Int64(count)
        if from.dev == to.dev, from.ino == to.ino, target < start + size, start < target + size { throw .EINVAL }
    }

    func run() throws(Errno) -> Outcome {
        // splice(2) and tee(2) of nothing ask nobody; sendfile(2) does.
        if count > 0 || !stopsWhenEmpty, let pipe = (output as? PipeEnd)?.pipe, pipe.ends.readers == 0 {
            call.raise(Signal.pipe)
            throw .EPIPE
        }
        let room = min(count, 65536)
        if room == 0 { return .zero }
        var moved = 0
        var armed = false
        while moved < count {
            do throws(Errno) {
                let piece = try step(min(room, count - moved), moved)
                if piece == 0 { break }
                moved += piece
                if stopsWhenEmpty { break }
            } catch {
                if moved > 0 { break }
                guard error == .EAGAIN, mayWait, let waitsOn = blocked(), !waitsOn.0.isNonBlocking else { throw error }
                if !armed {
                    waitsOn.0.forEachSource { call.enlist(on: $0.queue) }
                    armed = true
                    if waitsOn.0.poll(waitsOn.1, arm: true) != 0 { continue }
                }
                return .park(Wait(restart: .restart, for: "splice"))
            }
        }
        if places.input != 0 { try call.writeStruct((inputAt ?? 0) + Int64(moved), at: places.input) }
        if places.output != 0 { try call.writeStruct((outputAt ?? 0) + Int64(moved), at: places.output) }
        return .done(Int64(moved))
    }

    /// Which of the two is not ready; nil: neither has a state to wait for.
    private func blocked() -> (OpenDescription, UInt32)? {
        if input.isPollable && input.poll(PollBits.input, arm: false) == 0 { return (input, PollBits.input) }
        return output.isPollable ? (output, PollBits.output) : nil
    }

    private func step(_ size: Int, _ moved: Int) throws(Errno) -> Int {
        try withUnsafeTemporaryAllocation(byteCount: size, alignment: 16) { (buffer) throws(Errno) -> Int in
            let place = UnsafeMutableRawBufferPointer(rebasing: buffer[..<size])
            let from = inputAt.map { $0 + Int64(moved) }
            let got = try input.peek(place, at: from, cred)
            if got == 0 { return 0 }
            let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<got])
            let put = try output.push(bytes, at: outputAt.map { $0 + Int64(moved) }, call, cred)
            if from == nil && !keepsInput { try input.skip(put) }
            return put
        }
    }
}
