/// The program's side: writes with output processing, reads, and what there is to read.
extension LineDiscipline {
    /// Puts out one byte with OPOST. False, with nothing done, where there is no room.
    mutating func putProcessed(_ byte: UInt8) -> Bool {
        var c = byte
        let room = outputRoom
        guard room > 0 else { return false }
        switch c {
        case 10:
            if termios.output(Termios.onlret) { column = 0 }
            if termios.output(Termios.onlcr) {
                guard room >= 2 else { return false }
                column = 0
                lineColumn = 0
                output.append(13)
                output.append(10)
                return true
            }
            lineColumn = column
        case 13:
            if termios.output(Termios.onocr) && column == 0 { return true }
            if termios.output(Termios.ocrnl) {
                c = 10
                if termios.output(Termios.onlret) {
                    column = 0
                    lineColumn = 0
                }
            } else {
                column = 0
                lineColumn = 0
            }
        case 9:
            let spaces = 8 - (column & 7)
            if termios.oflag & Termios.tabdly == Termios.xtabs {
                guard room >= spaces else { return false }
                column += spaces
                for _ in 0..<spaces { output.append(0x20) }
                return true
            }
            column += spaces
        case 8:
            if column > 0 { column -= 1 }
        default:
            if !c.isControl {
                if termios.output(Termios.olcuc) { c = c.raised }
                if !isContinuation(c) { column += 1 }
            }
        }
        output.append(c)
        return true
    }

    /// Bytes from a program. Returns how many were taken: 0 while stopped or full.
    package mutating func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        processEchoes()
        guard termios.output(Termios.opost) else {
            let room = outputRoom
            guard room > 0 else { return 0 }
            return output.append(UnsafeRawBufferPointer(rebasing: bytes[0..<min(room, bytes.count)]))
        }
        var taken = 0
        while taken < bytes.count && putProcessed(bytes[taken]) { taken &+= 1 }
        return taken
    }

    /// Something can be read: in canonical mode a line, else a byte.
    package var hasInput: Bool { byLines ? lineHead != tail : head != tail }

    /// Bytes that could be read without canonical processing.
    package var rawCount: Int { head &- tail }

    /// FIONREAD: end-of-file marks do not count, but in a queue that is full to the last place (inq_canon of Linux).
    package var readable: Int {
        guard byLines else { return head &- tail }
        var count = lineHead &- tail
        if count == Self.size { return count }
        for at in tail..<max(tail, lineHead) where isEndOfFile(at) { count -= 1 }
        return count
    }

    /// The far side can deliver at least one byte.
    package var canReceive: Bool { holdsInput ? waiting.room > 0 : queueRoom.count > 0 }

    private func isEndOfFile(_ at: Int) -> Bool { lineEnds[at & Self.mask] && input[at & Self.mask] == 0 }

    /// Reads at most one line, or in non-canonical mode what is there. 0: end of file (or nothing; see `hasInput`).
    package mutating func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        guard buffer.count > 0 else { return 0 }
        let count = take(into: buffer)
        admit()
        return count
    }

    private mutating func take(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let lines = byLines
        let end = lines ? lineHead : head
        var count = 0
        while tail != end && count < buffer.count {
            let slot = tail & Self.mask
            let ends = lines && lineEnds[slot]
            if ends {
                lineEnds[slot] = false
                tail &+= 1
                if input[slot] != 0 {
                    buffer[count] = input[slot]
                    count &+= 1
                }
                return count
            }
            buffer[count] = input[slot]
            count &+= 1
            tail &+= 1
        }
        // With EXTPROC the end-of-file character, alone, is the end of file.
        if canonical && !lines && count == 1 && tail == head && buffer[0] == termios.cc[Termios.veof] { return 0 }
        // A read that stopped just before an end-of-file mark has seen it: the next read must not return 0.
        if lines && count == buffer.count && tail != lineHead && isEndOfFile(tail) {
            lineEnds[tail & Self.mask] = false
            tail &+= 1
        }
        return count
    }
}
