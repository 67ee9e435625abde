/// The line discipline of a terminal: bytes and settings in; output, echo, signals and readable lines out.
///
/// It knows no nucleus, no lock and no host. Behaviour follows n_tty(4) of Linux to the byte, including what happens
/// where POSIX leaves it open, because programs compare; the tests compare it with the host's own pseudo-terminal.
package struct LineDiscipline: ~Copyable {
    package static let size = 4096
    static let mask = size - 1

    package private(set) var termios = Termios.standard

    /// What goes to the far side. Its owner takes bytes out at its own pace.
    package var output: ByteRing
    /// Counts the times that output was thrown away: what its owner took in an earlier epoch is not wanted any more.
    package internal(set) var outputEpoch: UInt64 = 0
    /// Signals for the foreground group, in order, since the owner last emptied the list.
    package var signals: [Int32] = []

    // Input queue. Positions only grow; `& mask` gives the slot. lineEnds marks slots that end a line.
    let input = UnsafeMutablePointer<UInt8>.allocate(capacity: LineDiscipline.size)
    let lineEnds = UnsafeMutablePointer<Bool>.allocate(capacity: LineDiscipline.size)
    var head = 0  // next byte goes here
    var lineHead = 0  // behind the last complete line
    var tail = 0  // next byte to read

    // Echo queue: echo waits here while output is stopped or full. `echoMark`: what may be shown by now.
    let echoBytes = UnsafeMutablePointer<UInt8>.allocate(capacity: LineDiscipline.size)
    var echoHead = 0
    var echoCommit = 0
    var echoMark = 0
    var echoTail = 0

    var column = 0
    var lineColumn = 0  // column where the line being typed began
    var literalNext = false
    var erasing = false  // inside the \.../ of ECHOPRT

    package internal(set) var stopped = false
    var stoppedByCall = false  // by tcflow: XON does not start it

    // Characters that need more than being queued, from the settings.
    let special = UnsafeMutablePointer<Bool>.allocate(capacity: 256)
    private var raw = false

    package init(outputCapacity: Int = 16384) {
        output = ByteRing(capacity: outputCapacity)
        input.initialize(repeating: 0, count: Self.size)
        lineEnds.initialize(repeating: false, count: Self.size)
        echoBytes.initialize(repeating: 0, count: Self.size)
        special.initialize(repeating: false, count: 256)
        findSpecials()
    }

    deinit {
        input.deallocate()
        lineEnds.deallocate()
        echoBytes.deallocate()
        special.deallocate()
    }

    package var canonical: Bool { termios.local(Termios.icanon) }

    /// Room for output now; nothing moves while stopped.
    var outputRoom: Int { stopped ? 0 : output.room }

    // MARK: settings

    package mutating func setTermios(_ new: Termios) {
        let old = termios
        termios = new
        if (old.lflag ^ new.lflag) & Termios.icanon != 0 {
            lineEnds.update(repeating: false, count: Self.size)
            if !canonical || head == tail {
                lineHead = tail
            } else {
                // What was typed before the switch to canonical mode is readable as one line.
                lineEnds[(head &- 1) & Self.mask] = true
                lineHead = head
            }
            erasing = false
            literalNext = false
        }
        findSpecials()
        if old.input(Termios.ixon) && !new.input(Termios.ixon) && !stoppedByCall {
            start()
            processEchoes()
        }
    }

    private mutating func findSpecials() {
        let t = termios
        special.update(repeating: false, count: 256)
        let looks = Termios.istrip | Termios.iuclc | Termios.igncr | Termios.icrnl | Termios.inlcr | Termios.ixon
        raw =
            t.iflag & (looks | Termios.parmrk) == 0 && t.lflag & (Termios.icanon | Termios.isig | Termios.echo) == 0
        guard !raw else { return }
        func mark(_ indices: Int...) {
            for index in indices { special[Int(t.cc[index])] = true }
        }
        if t.iflag & (Termios.igncr | Termios.icrnl) != 0 { special[13] = true }
        if t.input(Termios.inlcr) { special[10] = true }
        if t.local(Termios.icanon) {
            special[10] = true
            mark(Termios.verase, Termios.vkill, Termios.veof, Termios.veol)
            if t.local(Termios.iexten) {
                mark(Termios.vwerase, Termios.vlnext, Termios.veol2)
                if t.local(Termios.echo) { mark(Termios.vreprint) }
            }
        }
        if t.input(Termios.ixon) { mark(Termios.vstart, Termios.vstop) }
        if t.local(Termios.isig) { mark(Termios.vintr, Termios.vquit, Termios.vsusp) }
        special[0] = false
    }

    // MARK: flow control and flushing

    mutating func start() {
        if !stoppedByCall { stopped = false }
    }

    mutating func stop() { stopped = true }

    /// tcflow(TCOOFF) and tcflow(TCOON).
    package mutating func flow(stop: Bool) {
        if stop {
            stoppedByCall = true
            stopped = true
        } else if stoppedByCall {
            stoppedByCall = false
            stopped = false
            processEchoes()
        }
    }

    package mutating func flushInput() {
        head = 0
        lineHead = 0
        tail = 0
        erasing = false
        lineEnds.update(repeating: false, count: Self.size)
    }

    package mutating func flushOutput() {
        output.removeAll()
        outputEpoch &+= 1
    }

    mutating func flushEcho() {
        echoHead = 0
        echoCommit = 0
        echoMark = 0
        echoTail = 0
    }

    // MARK: input

    /// Bytes from the far side. Returns how many were taken: less where the queue is full and cannot overflow.
    package mutating func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
        var taken = 0
        while taken < bytes.count {
            var room = Self.size &- (head &- tail)
            if termios.input(Termios.parmrk) { room = (room + 2) / 3 }
            room -= 1
            var overflow = false
            if room <= 0 {
                // A line that grows too long keeps 4095 bytes; what follows overwrites the last place, so that a
                // newline can still end it.
                overflow = canonical && lineHead == tail
                if overflow && room < 0 { head &-= 1 }
                room = overflow ? 1 : 0
            }
            let now = min(bytes.count &- taken, room)
            if now == 0 { break }
            if raw {
                for i in taken..<(taken &+ now) { queue(bytes[i]) }
            } else {
                for i in taken..<(taken &+ now) { receive(bytes[i]) }
                if termios.lflag & (Termios.echo | Termios.echonl) != 0 { flushEchoes() }
            }
            taken &+= now
        }
        return taken
    }

    private mutating func receive(_ byte: UInt8) {
        var c = byte
        if termios.input(Termios.istrip) { c &= 0x7f }
        if termios.input(Termios.iuclc) && termios.local(Termios.iexten) { c = c.lowered }
        if literalNext {
            literalNext = false
            receivePlain(c)
        } else if special[Int(c)] {
            receiveSpecial(c)
        } else {
            receivePlain(c)
        }
    }

    private mutating func receivePlain(_ c: UInt8) {
        restartOnAny()
        if termios.local(Termios.echo) {
            finishErasing()
            if lineHead == head { echoLineColumn() }
            echo(c)
            commitEchoes()
        }
        if c == 0xff && termios.input(Termios.parmrk) { queue(c) }
        queue(c)
    }

    private mutating func receiveSpecial(_ byte: UInt8) {
        var c = byte
        if termios.input(Termios.ixon) {
            if c == termios.cc[Termios.vstart] {
                start()
                processEchoes()
                return
            }
            if c == termios.cc[Termios.vstop] {
                stop()
                return
            }
        }
        if termios.local(Termios.isig), let signal = signal(of: c) {
            raise(signal, c)
            return
        }
        restartOnAny()
        if c == 13 {
            if termios.input(Termios.igncr) { return }
            if termios.input(Termios.icrnl) { c = 10 }
        } else if c == 10 && termios.input(Termios.inlcr) {
            c = 13
        }
        if canonical && edit(c) { return }
        if termios.local(Termios.echo) {
            finishErasing()
            if c == 10 {
                echoRaw(10)
            } else {
                if lineHead == head { echoLineColumn() }
                echo(c)
            }
            commitEchoes()
        }
        if c == 0xff && termios.input(Termios.parmrk) { queue(c) }
        queue(c)
    }

    private mutating func restartOnAny() {
        if stopped && !stoppedByCall && termios.input(Termios.ixon) && termios.input(Termios.ixany) {
            start()
            processEchoes()
        }
    }

    private func signal(of c: UInt8) -> Int32? {
        if c == termios.cc[Termios.vintr] { return 2 }  // SIGINT
        if c == termios.cc[Termios.vquit] { return 3 }  // SIGQUIT
        if c == termios.cc[Termios.vsusp] { return 20 }  // SIGTSTP
        return nil
    }

    private mutating func raise(_ signal: Int32, _ c: UInt8) {
        signals.append(signal)
        if !termios.local(Termios.noflsh) {
            flushEcho()
            flushOutput()
            flushInput()
        }
        if termios.input(Termios.ixon) { start() }
        if termios.local(Termios.echo) {
            echo(c)
            commitEchoes()
        } else {
            processEchoes()
        }
    }

    mutating func queue(_ c: UInt8) {
        input[head & Self.mask] = c
        head &+= 1
    }
}
