/// select(2), pselect6(2).
enum SelectCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (
            23, "select",
            { (call) throws(Errno) in
                guard call[4] != 0 else { return try select(call, nil, polls: false) }
                if let kept = call.task.deadline { return try select(call, kept, polls: false) }
                let time = try call.readStruct(PollCalls.Timespec.self, at: call[4])  // a timeval has the same shape
                guard time.seconds >= 0, time.nanoseconds >= 0 else { throw .EINVAL }
                let (more, micro) = time.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000)
                let (seconds, overflow) = time.seconds.addingReportingOverflow(more)
                let (deadline, polls) = PollCalls.deadline(call, overflow ? .max : seconds, micro * 1000)
                return try select(call, deadline, polls: polls)
            }
        ),
        (
            270, "pselect6",
            { (call) throws(Errno) in
                let (deadline, polls) = try PollCalls.timeout(call, at: call[4])
                if call[5] != 0 {
                    // The sixth argument points to the mask's address and its size.
                    let pair = try call.readStruct(MaskArgument.self, at: call[5])
                    try PollCalls.temporaryMask(call, at: pair.address, size: pair.size)
                }
                return try select(call, deadline, polls: polls)
            }
        ),
    ]

    private struct MaskArgument: BitwiseCopyable {
        var address: UInt64
        var size: UInt64
    }

    private static func select(_ call: Call, _ deadline: UInt64?, polls: Bool) throws(Errno) -> Outcome {
        guard call.int(0) >= 0 else { throw .EINVAL }
        let count = min(Int(call.int(0)), tableSize(call.process.files.slotCount))
        let bytes = (count + 63) / 64 * 8
        var asked: [DescriptorSet] = []
        for index in 1...3 {
            asked.append(DescriptorSet(bytes: call[index] == 0 ? [] : try call.copyIn(call[index], count: bytes)))
        }
        var (ready, answer) = try look(call, count, asked, arm: false)
        if ready == 0 && !polls && !call.timedOut {
            for fd in 0..<count where asked.contains(where: { $0[fd] }) {
                call.process.files.lookup(fd)?.forEachSource { call.enlist(on: $0.queue) }
            }
            (ready, answer) = try look(call, count, asked, arm: true)
            if ready == 0 { return .park(Wait(until: deadline, restart: .interrupt, for: "do_select")) }
        }
        for index in 1...3 where call[index] != 0 { try call.copyOut(answer[index - 1].bytes, to: call[index]) }
        try writeRemaining(call, deadline)
        return .done(Int64(ready))
    }

    /// Numbers beyond the table are ignored, and Linux' table has 64 places or a power of two from 256 on (fs/file.c).
    private static func tableSize(_ used: Int) -> Int {
        var size = 64
        while size < used { size = max(256, size * 2) }
        return size
    }

    private static func look(
        _ call: Call, _ count: Int, _ asked: [DescriptorSet], arm: Bool
    ) throws(Errno) -> (Int, [DescriptorSet]) {
        let masks = [PollBits.selectRead, PollBits.selectWrite, PollBits.selectExcept]
        let wants = [PollBits.readable, PollBits.writable, PollBits.priority]
        var answer = asked.map { DescriptorSet(bytes: Array(repeating: 0, count: $0.bytes.count)) }
        var ready = 0
        for fd in 0..<count {
            var mask: UInt32 = 0
            for index in 0..<3 where asked[index][fd] { mask |= wants[index] }
            if mask == 0 { continue }
            guard let found = call.process.files.lookup(fd) else { throw .EBADF }
            // Those of O_PATH are there, but cannot be asked: ready for everything, as poll(2)'s POLLNVAL.
            let now = found.isPathOnly ? PollBits.invalid : found.poll(mask, arm: arm && ready == 0)
            for index in 0..<3 where asked[index][fd] && now & masks[index] != 0 {
                answer[index][fd] = true
                ready += 1
            }
        }
        return (ready, answer)
    }

    /// Linux tells the time that was left; glibc hides it for pselect by giving a copy.
    private static func writeRemaining(_ call: Call, _ deadline: UInt64?) throws(Errno) {
        guard let deadline, call[4] != 0, call.process.personality & Personality.stickyTimeouts == 0 else { return }
        let now = call.manager.clock.monotonic()
        let left = deadline > now ? deadline - now : 0
        let unit: UInt64 = call.number == 23 ? 1000 : 1
        let value = PollCalls.Timespec(
            seconds: Int64(left / 1_000_000_000), nanoseconds: Int64(left % 1_000_000_000 / unit))
        try call.writeStruct(value, at: call[4])
    }
}

/// An `fd_set` cut to what is used of it.
struct DescriptorSet {
    var bytes: [UInt8]

    subscript(fd: Int) -> Bool {
        get { fd >> 3 < bytes.count && bytes[fd >> 3] & 1 << UInt8(fd & 7) != 0 }
        set {
            guard fd >> 3 < bytes.count else { return }
            if newValue { bytes[fd >> 3] |= 1 << UInt8(fd & 7) } else { bytes[fd >> 3] &= ~(1 << UInt8(fd & 7)) }
        }
    }
}
