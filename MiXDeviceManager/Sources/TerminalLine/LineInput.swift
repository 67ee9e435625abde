/// The far side: what arrives is queued, edited, echoed, or acts.
extension LineDiscipline {
    /// What was wrong with a byte that a serial line received.
    package enum Mark: Sendable {
        case broken  // the line was in a break
        case wrong  // parity or framing
    }

    /// Bytes from the far side. Returns how many were taken: less where the queue is full and cannot overflow.
    package mutating func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
        admit()
        var taken = waiting.isEmpty ? process(bytes) : 0
        if holdsInput, taken < bytes.count {
            taken &+= waiting.append(UnsafeRawBufferPointer(rebasing: bytes[taken...]))
            lookAhead()
        }
        return taken
    }

    /// Room in the input queue. A line that grows too long keeps 4095 bytes; what follows overwrites the last place, so
    /// that a newline can still end it. The place is free again when all of a piece has been taken.
    var queueRoom: (count: Int, overflows: Bool, overwrites: Bool) {
        var room = Self.size &- (head &- tail)
        if termios.input(Termios.parmrk) { room = (room + 2) / 3 }
        room -= 1
        if room > 0 { return (room, false, false) }
        let overflows = canonical && lineHead == tail
        return (overflows ? 1 : 0, overflows, overflows && room < 0)
    }

    private mutating func process(_ bytes: UnsafeRawBufferPointer) -> Int {
        var taken = 0
        while true {
            let room = queueRoom
            if room.overwrites { head &-= 1 }
            let now = min(bytes.count &- taken, room.count)
            if now == 0 { break }
            if raw {
                for i in taken..<(taken &+ now) { queue(bytes[i]) }
            } else {
                for i in taken..<(taken &+ now) { receive(bytes[i]) }
                showEcho()
            }
            taken &+= now
        }
        return taken
    }

    private mutating func showEcho() {
        if termios.lflag & (Termios.echo | Termios.echonl) != 0 { flushEchoes() }
    }

    /// What waited follows where there is room.
    mutating func admit() {
        guard !waiting.isEmpty else { return }
        while true {
            let room = queueRoom
            if room.overwrites { head &-= 1 }
            guard room.count > 0, !waiting.isEmpty else { break }
            let hasActed = lookedAhead > 0
            if hasActed { lookedAhead &-= 1 }
            let byte = waiting.removeFirst()
            if hasActed, !raw, flowControls(byte) { continue }
            if raw { queue(byte) } else { receive(byte) }
        }
        if !raw { showEcho() }
    }

    private func flowControls(_ c: UInt8) -> Bool {
        termios.input(Termios.ixon) && !termios.local(Termios.extproc) && !literalNext
            && (c == termios.cc[Termios.vstart] || c == termios.cc[Termios.vstop])
    }

    /// STOP and START act although they cannot be taken yet.
    private mutating func lookAhead() {
        let from = lookedAhead
        lookedAhead = waiting.count
        guard termios.input(Termios.ixon) else { return }
        for at in from..<waiting.count { _ = controlFlow(waiting[at]) }
    }

    private mutating func controlFlow(_ c: UInt8) -> Bool {
        if c == 0 { return false }  // a disabled character
        if c == termios.cc[Termios.vstart] {
            start()
            processEchoes()
            return true
        }
        if c == termios.cc[Termios.vstop] {
            stop()
            return true
        }
        return false
    }

    /// A byte that arrived with something wrong (termios(3): IGNBRK, BRKINT, INPCK, IGNPAR, PARMRK). False where there is
    /// no room.
    package mutating func receive(_ c: UInt8, _ mark: Mark) -> Bool {
        let room = queueRoom
        guard room.count > 0 else { return false }
        if room.overflows, mark == .wrong { return true }
        if room.overwrites { head &-= 1 }
        literalNext = false
        switch mark {
        case .broken:
            if termios.input(Termios.ignbrk) { return true }
            if termios.input(Termios.brkint) {
                interrupt()
            } else {
                if termios.input(Termios.parmrk) {
                    queue(0xff)
                    queue(0)
                }
                queue(0)
            }
        case .wrong:
            if !termios.input(Termios.inpck) {
                queue(c)
            } else if !termios.input(Termios.ignpar) {
                if termios.input(Termios.parmrk) {
                    queue(0xff)
                    queue(0)
                    queue(c)
                } else {
                    queue(0)
                }
            }
        }
        return true
    }

    private mutating func receive(_ byte: UInt8) {
        var c = byte
        if termios.input(Termios.istrip) { c &= 0x7f }
        if termios.input(Termios.iuclc) && termios.local(Termios.iexten) { c = c.lowered }
        if literalNext {
            literalNext = false
            receivePlain(c)
        } else if termios.local(Termios.extproc) {
            queue(c)
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
        if termios.input(Termios.ixon), controlFlow(c) { return }
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
        interrupt(signal)
        if termios.input(Termios.ixon) { start() }
        if termios.local(Termios.echo) {
            echo(c)
            commitEchoes()
        } else {
            processEchoes()
        }
    }

    /// isig: the foreground group is interrupted, by default of SIGINT.
    private mutating func interrupt(_ signal: Int32 = 2) {
        signals.append(signal)
        guard !termios.local(Termios.noflsh) else { return }
        flushEcho()
        flushOutput()
        resetInput()
        note(Packet.flushRead)
    }

    mutating func queue(_ c: UInt8) {
        input[head & Self.mask] = c
        head &+= 1
    }
}
