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

    /// What came while the input queue was full, where the far side is a program: it is not to wait for a reader.
    var waiting: ByteRing
    let holdsInput: Bool
    var lookedAhead = 0  // bytes of `waiting` whose STOP and START have acted already

    /// Packet mode of the far side (TIOCPKT): what it has to be told, TIOCPKT_*.
    package internal(set) var packets = false
    package internal(set) var packetStatus: UInt8 = 0

    var column = 0
    var lineColumn = 0  // column where the line being typed began
    var literalNext = false
    var erasing = false  // inside the \.../ of ECHOPRT

    package internal(set) var stopped = false
    var stoppedByCall = false  // by tcflow: XON does not start it

    // Characters that need more than being queued, from the settings.
    let special = UnsafeMutablePointer<Bool>.allocate(capacity: 256)
    var raw = false

    /// `waitingCapacity`: input taken beyond the 4096 bytes of the queue.
    package init(outputCapacity: Int = 16384, waitingCapacity: Int = 0) {
        output = ByteRing(capacity: outputCapacity)
        waiting = ByteRing(capacity: waitingCapacity)
        holdsInput = waitingCapacity > 0
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

    /// Reads take lines. With EXTPROC the far side has edited them already, and reads take what there is.
    var byLines: Bool { termios.lflag & (Termios.icanon | Termios.extproc) == Termios.icanon }

    /// Room for output now; nothing moves while stopped.
    var outputRoom: Int { stopped ? 0 : output.room }

    // MARK: settings

    package mutating func setTermios(_ new: Termios) {
        let old = termios
        termios = new
        notePackets(from: old)
        if (old.lflag ^ new.lflag) & (Termios.icanon | Termios.extproc) != 0 {
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
        guard stopped, !stoppedByCall else { return }
        stopped = false
        note(Packet.start, insteadOf: Packet.stop)
    }

    mutating func stop() {
        guard !stopped else { return }
        stopped = true
        note(Packet.stop, insteadOf: Packet.start)
    }

    /// tcflow(TCOOFF) and tcflow(TCOON). Echo that waited follows with the next output or input.
    package mutating func flow(stop: Bool) {
        if stop {
            self.stop()
            stoppedByCall = true
        } else if stoppedByCall {
            stoppedByCall = false
            start()
        }
    }

    /// tcflow(TCIOFF) and tcflow(TCION): STOP or START for the far side, past what ^S has stopped.
    package mutating func sendFlow(stop: Bool) {
        guard let character = termios.control(stop ? Termios.vstop : Termios.vstart) else { return }
        let wasStopped = stopped
        start()
        if !stopped { output.append(character) }
        if wasStopped { self.stop() }
    }

    /// tcflush(TCIFLUSH): what waits goes too.
    package mutating func flushAllInput() {
        flushWaiting()
        flushInput()
    }

    package mutating func flushWaiting() {
        waiting.removeAll()
        lookedAhead = 0
    }

    package mutating func flushInput() {
        resetInput()
        note(Packet.flushRead)
        admit()
    }

    mutating func resetInput() {
        head = 0
        lineHead = 0
        tail = 0
        erasing = false
        lineEnds.update(repeating: false, count: Self.size)
    }

    package mutating func flushOutput() {
        output.removeAll()
        outputEpoch &+= 1
        note(Packet.flushWrite)
    }

    mutating func flushEcho() {
        echoHead = 0
        echoCommit = 0
        echoMark = 0
        echoTail = 0
    }
}
