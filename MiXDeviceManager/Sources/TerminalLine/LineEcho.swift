/// Echo. It passes through a queue of bytes and operations, because where a tab ends is known only when the bytes
/// before it have been put out, and because echo has to wait while output is stopped.
extension LineDiscipline {
    private static let escape: UInt8 = 0xff  // introduces an operation; a literal 0xff is doubled
    private static let moveBack: UInt8 = 0x80
    private static let setLineColumn: UInt8 = 0x81
    private static let eraseTab: UInt8 = 0x82
    private static let batch = 256
    private static let tooMuch = size - (batch + 32)

    private mutating func add(_ c: UInt8) {
        echoBytes[echoHead & Self.mask] = c
        echoHead &+= 1
    }

    mutating func echoRaw(_ c: UInt8) {
        if c == Self.escape { add(Self.escape) }
        add(c)
    }

    /// Control characters are shown as ^X with ECHOCTL; a tab stays a tab.
    mutating func echo(_ c: UInt8) {
        if c == Self.escape || (termios.local(Termios.echoctl) && c.isControl && c != 9) { add(Self.escape) }
        add(c)
    }

    mutating func echoLineColumn() {
        add(Self.escape)
        add(Self.setLineColumn)
    }

    mutating func echoBack() {
        add(Self.escape)
        add(Self.moveBack)
    }

    mutating func echoEraseTab(_ used: Int, afterTab: Bool) {
        add(Self.escape)
        add(Self.eraseTab)
        add(UInt8(used & 7) | (afterTab ? 0x80 : 0))
    }

    /// What has been queued may be shown; it is shown at the end of the input, or when much has gathered.
    mutating func commitEchoes() {
        echoMark = echoHead
        let before = echoCommit &- echoTail
        let waiting = echoHead &- echoTail
        if waiting < Self.batch || waiting % Self.batch > before % Self.batch { return }
        echoCommit = echoHead
        moveEchoes()
    }

    package mutating func processEchoes() {
        guard echoMark != echoTail else { return }
        echoCommit = echoMark
        moveEchoes()
    }

    mutating func flushEchoes() {
        guard echoCommit != echoHead else { return }
        echoCommit = echoHead
        moveEchoes()
    }

    private func echoed(_ at: Int) -> UInt8 { echoBytes[at & Self.mask] }

    private mutating func moveEchoes() {
        var at = echoTail
        // Compared as places in the ring: an echo longer than that has overwritten its own beginning.
        func isEnd(_ at: Int) -> Bool { (at ^ echoCommit) & Self.mask == 0 }
        moving: while !isEnd(at) {
            let c = echoed(at)
            if c != Self.escape {
                if termios.output(Termios.opost) {
                    guard putProcessed(c) else { break moving }
                } else {
                    guard outputRoom > 0 else { break moving }
                    output.append(c)
                }
                at &+= 1
                continue
            }
            guard !isEnd(at &+ 1) else { break moving }
            let operation = echoed(at &+ 1)
            switch operation {
            case Self.eraseTab:
                guard !isEnd(at &+ 2) else { break moving }
                var used = Int(echoed(at &+ 2))
                if used & 0x80 == 0 { used += lineColumn }
                let back = 8 - (used & 7)
                guard outputRoom >= back else { break moving }
                for _ in 0..<back { output.append(8) }
                column = max(0, column - back)
                at &+= 3
                continue
            case Self.setLineColumn:
                lineColumn = column
            case Self.moveBack:
                if column > 0 { column -= 1 }
            case Self.escape:
                guard outputRoom > 0 else { break moving }
                output.append(Self.escape)
                column += 1
            default:
                guard outputRoom >= 2 else { break moving }
                output.append(0x5e)
                output.append(operation ^ 0x40)
                column += 2
            }
            at &+= 2
        }
        // Stopped for long: the oldest echo is given up before the queue overruns.
        while echoCommit > at && echoCommit &- at >= Self.tooMuch {
            if echoed(at) == Self.escape {
                at &+= echoed(at &+ 1) == Self.eraseTab ? 3 : 2
            } else {
                at &+= 1
            }
        }
        echoTail = at
    }
}
