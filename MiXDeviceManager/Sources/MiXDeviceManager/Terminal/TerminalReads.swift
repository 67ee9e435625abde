import CMiXFile
import Glibc
import TerminalLine

/// A read that found too little and asks again when its watch fires.
struct BlockedRead {
    var need: Int  // bytes that satisfy it
    var deadline: UInt64  // 0: none; monotonic ns
}

extension Terminal.State {
    private static let tenth: UInt64 = 100_000_000
    /// A retry later than this behind its deadline is a new read: the old one was interrupted.
    private static let stale: UInt64 = 1_000_000_000

    func hasInput(_ owner: UInt64) -> Bool {
        if line.canonical { return line.hasInput }
        if let blocked = readers[owner] {
            return line.rawCount >= blocked.need || (blocked.deadline != 0 && monotonicNow() >= blocked.deadline)
        }
        let minimum = Int(line.termios.cc[Termios.vmin])
        let timed = line.termios.cc[Termios.vtime] != 0
        return line.rawCount >= (timed ? 1 : max(1, minimum))
    }

    /// termios(3), "Canonical and noncanonical mode". -EAGAIN: nothing to return yet. `timer`: when to look again.
    mutating func read(
        into target: UnsafeMutableRawBufferPointer, owner: UInt64, nonblocking: Bool, timer: inout UInt64
    ) -> Int64 {
        if target.count == 0 { return 0 }
        if line.canonical {
            if line.hasInput { return deliver(target, owner) }
            if !nonblocking { readers[owner] = BlockedRead(need: 1, deadline: 0) }
            return failure(EAGAIN)
        }
        let count = line.rawCount
        let minimum = min(Int(line.termios.cc[Termios.vmin]), target.count)
        let time = UInt64(line.termios.cc[Termios.vtime]) * Self.tenth
        if count >= max(1, minimum) || (nonblocking && count > 0) { return deliver(target, owner) }
        if minimum == 0 && time == 0 { return 0 }
        if nonblocking { return failure(EAGAIN) }
        if time == 0 {
            readers[owner] = BlockedRead(need: minimum, deadline: 0)
            return failure(EAGAIN)
        }
        let now = monotonicNow()
        if let blocked = readers[owner], blocked.deadline != 0 {
            if now > blocked.deadline &+ Self.stale {
                readers[owner] = nil
            } else if minimum == 0 && now >= blocked.deadline {
                return deliver(target, owner)
            }
        }
        if minimum == 0 {
            // The timer runs from the read's first try.
            let deadline = readers[owner]?.deadline ?? 0
            let until = deadline != 0 ? deadline : now &+ time
            readers[owner] = BlockedRead(need: 1, deadline: until)
            timer = until
            return failure(EAGAIN)
        }
        if count == 0 {
            readers[owner] = BlockedRead(need: 1, deadline: 0)
            return failure(EAGAIN)
        }
        // The timer runs between bytes, from the first one this read has seen.
        let first = readers[owner] == nil ? now : lastInput
        if readers[owner] != nil && now >= first &+ time { return deliver(target, owner) }
        readers[owner] = BlockedRead(need: minimum, deadline: first &+ time)
        timer = first &+ time
        return failure(EAGAIN)
    }

    private mutating func deliver(_ target: UnsafeMutableRawBufferPointer, _ owner: UInt64) -> Int64 {
        if !readers.isEmpty { readers[owner] = nil }
        return Int64(line.read(into: target))
    }
}

extension Terminal {
    /// A timer of a blocked read is over.
    func timeOver() {
        change { state, effects in state.fire(&effects, far) }
    }
}
