/// poll(2), ppoll(2).
enum PollCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (
            7, "poll",
            { (call) throws(Errno) in
                let milliseconds = call.int(2)
                let deadline = milliseconds < 0 ? nil : call.deadline(after: UInt64(milliseconds) * 1_000_000)
                return try poll(call, deadline, polls: milliseconds == 0)
            }
        ),
        (
            271, "ppoll",
            { (call) throws(Errno) in
                let (deadline, polls) = try timeout(call, at: call[2])
                try temporaryMask(call, at: call[3], size: call[4])
                return try poll(call, deadline, polls: polls)
            }
        ),
    ]

    private struct Entry: BitwiseCopyable {
        var fd: Int32
        var events: UInt16
        var revents: UInt16
    }

    private static func poll(_ call: Call, _ deadline: UInt64?, polls: Bool) throws(Errno) -> Outcome {
        let count = Int(call.uint(1))
        guard UInt64(count) <= min(call.descriptorLimit, UInt64(DescriptorTable.ceiling)) else { throw .EINVAL }
        return try withUnsafeTemporaryAllocation(of: Entry.self, capacity: max(count, 1)) {
            (room) throws(Errno) -> Outcome in
            let entries = UnsafeMutableBufferPointer(rebasing: room[..<count])
            try call.copyIn(call[0], UnsafeMutableRawBufferPointer(entries))
            var ready = look(call, entries, arm: false)
            if ready == 0 && !polls && !call.timedOut {
                for entry in entries {
                    call.process.files.lookup(Int(entry.fd))?.forEachSource { call.enlist(on: $0.queue) }
                }
                ready = look(call, entries, arm: true)
                if ready == 0 { return .park(Wait(until: deadline, restart: .interrupt, for: "poll_schedule_timeout")) }
            }
            // Only revents is the kernel's to write: another thread may be changing the rest.
            for (index, entry) in entries.enumerated() {
                try call.writeStruct(entry.revents, at: call[0] &+ UInt64(index * 8 + 6))
            }
            return .done(Int64(ready))
        }
    }

    private static func look(_ call: Call, _ entries: UnsafeMutableBufferPointer<Entry>, arm: Bool) -> Int {
        var ready = 0
        for index in entries.indices {
            entries[index].revents = 0
            if entries[index].fd < 0 { continue }
            let mask = UInt32(entries[index].events)
            let now: UInt32
            if let found = call.process.files.lookup(Int(entries[index].fd)), !found.isPathOnly {
                now = found.poll(mask, arm: arm && ready == 0)
            } else {
                now = PollBits.invalid
            }
            entries[index].revents = UInt16(truncatingIfNeeded: now)
            if now != 0 { ready += 1 }
        }
        return ready
    }

    // MARK: Shared with select and epoll

    /// A relative timespec: no deadline for NULL; `polls` when it is zero.
    static func timeout(_ call: Call, at address: UInt64) throws(Errno) -> (deadline: UInt64?, polls: Bool) {
        if address == 0 { return (nil, false) }
        if let kept = call.task.deadline { return (kept, false) }
        let time = try call.readStruct(Timespec.self, at: address)
        guard time.seconds >= 0, 0..<1_000_000_000 ~= time.nanoseconds else { throw .EINVAL }
        return deadline(call, time.seconds, time.nanoseconds)
    }

    static func deadline(_ call: Call, _ seconds: Int64, _ nanoseconds: Int64) -> (deadline: UInt64?, polls: Bool) {
        let (whole, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, carried) = whole.addingReportingOverflow(UInt64(nanoseconds))
        if overflow || carried { return (nil, false) }
        return (call.deadline(after: sum), sum == 0)
    }

    struct Timespec: BitwiseCopyable {
        var seconds: Int64
        var nanoseconds: Int64
    }

    /// The signal mask argument of ppoll and epoll_pwait: NULL leaves the mask alone.
    static func temporaryMask(_ call: Call, at address: UInt64, size: UInt64) throws(Errno) {
        if address == 0 { return }
        guard size == 8 else { throw .EINVAL }
        call.useTemporaryMask(SignalSet(bits: try call.readStruct(UInt64.self, at: address)))
    }
}
