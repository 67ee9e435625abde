import CMiXFile
import Glibc
import TerminalLine

/// What moves bytes: reads and writes of programs on one side, the far side on the other.
extension Terminal {
    func read(_ tag: UInt64, _ exchange: inout Exchange) -> Int64 {
        let target = exchange.target
        let cred = exchange.request.pointee.cred
        let owner = exchange.owner
        let nonblocking = exchange.nonblocking
        var checked = false
        while true {
            var timer: UInt64 = 0
            let result: Int64? = change { state, effects in
                switch state.keyState(tag) {
                case .foreign: return failure(EBADF)
                case .hungUp: return state.cutOff.remove(owner) == nil ? 0 : failure(EIO)
                case .live: break
                }
                if !checked && state.inBackground(cred) { return nil }
                let count = state.read(into: target, owner: owner, nonblocking: nonblocking, timer: &timer)
                if count >= 0 { state.settle(&effects, far) }
                return count
            }
            if timer != 0 { self.timer.schedule(self, at: timer) }
            if let result {
                exchange.replied = Int(max(0, result))
                return result
            }
            if let refusal = refuseBackground(SIGTTIN, cred) { return refusal }
            checked = true
        }
    }

    func write(_ tag: UInt64, _ exchange: inout Exchange) -> Int64 {
        let body = exchange.body
        let owner = exchange.owner
        let cred = exchange.request.pointee.cred
        var checked = false
        while true {
            let result: Int64? = change { state, effects in
                switch state.keyState(tag) {
                case .foreign: return failure(EBADF)
                case .hungUp: return failure(EIO)
                case .live: break
                }
                if !checked && state.line.termios.local(Termios.tostop) && state.inBackground(cred) { return nil }
                if body.count == 0 { return 0 }
                if state.interrupting > 0 { return failure(EAGAIN) }
                if !state.drainers.isEmpty { state.drainers.remove(owner) }  // its drain was given up
                let taken = state.line.write(body)
                if !state.line.output.isEmpty { effects.output = true }
                return taken == 0 ? failure(EAGAIN) : Int64(taken)
            }
            if let result { return result }
            if let refusal = refuseBackground(SIGTTOU, cred) { return refusal }
            checked = true
        }
    }
}

extension Terminal: InputSink, OutputSource {
    /// Bytes typed at the far side; returns how many were taken.
    func input(_ bytes: UnsafeRawBufferPointer) -> Int {
        change { state, effects in
            if state.gone { return bytes.count }
            let taken = state.line.receive(bytes)
            if taken < bytes.count { state.inputRefused = true }
            if !state.readers.isEmpty { state.lastInput = monotonicNow() }
            state.settle(&effects, far)
            armTimers(&state)
            return taken
        }
    }

    /// A byte that is none or has something wrong. False: there is no room.
    func input(_ byte: UInt8, _ mark: LineDiscipline.Mark) -> Bool {
        change { state, effects in
            if state.gone { return true }
            let isTaken = state.line.receive(byte, mark)
            if !isTaken { state.inputRefused = true }
            state.settle(&effects, far)
            return isTaken
        }
    }

    /// A read with MIN and TIME that has its first bytes is due when no more come.
    private func armTimers(_ state: inout State) {
        guard !state.readers.isEmpty, !state.line.canonical, state.line.termios.cc[Termios.vtime] != 0 else { return }
        let until = state.lastInput &+ UInt64(state.line.termios.cc[Termios.vtime]) * 100_000_000
        guard state.line.termios.cc[Termios.vmin] > 0, state.line.rawCount > 0 else { return }
        for owner in state.readers.keys where state.readers[owner]?.deadline != 0 {
            state.readers[owner]?.deadline = until
            timer.schedule(self, at: until)
        }
    }

    /// Room for input, so that the far side need not read ahead.
    var inputSpace: Int { 4096 }

    func inputEnded(_ code: Int32) { lineLost() }

    func takeOutput(into buffer: UnsafeMutableRawBufferPointer) -> (count: Int, epoch: UInt64) {
        state.withLock { ($0.line.output.take(into: buffer), $0.line.outputEpoch) }
    }

    var outputEpoch: UInt64 { state.withLock { $0.line.outputEpoch } }

    /// Output went on its way or arrived: echo that waited may follow, and writers may go on.
    func outputMoved() {
        change { state, effects in
            state.line.processEchoes()
            state.fire(&effects, far)
        }
    }

    func outputFailed(_ code: Int32) { lineLost() }

    /// The site's terminal is gone, for everybody: all in the foreground and the leader's group are told at once.
    private func lineLost() {
        let lost = state.withLock { Set([$0.session, $0.foreground]) }
        hangUp(forGood: true, telling: lost.filter { $0 > 0 })
    }

    /// The far side hung up: SIGHUP and SIGCONT for the session's leader, then end of file and EIO for whoever had it open
    /// (ioctl_tty(2), TIOCVHANGUP), or for `groups`. Whose terminal it was.
    @discardableResult
    func hangUp(forGood: Bool, telling groups: Set<Int32>? = nil) -> (session: Int32, foreground: Int32)? {
        change { state, effects in
            guard !state.gone else { return nil }
            let lost = state.session == 0 ? nil : (session: state.session, foreground: state.foreground)
            for group in groups ?? lost.map({ [-$0.session] }) ?? [] {
                effects.signals.append((SIGHUP, group))
                effects.signals.append((SIGCONT, group))
            }
            state.session = 0
            state.foreground = 0
            state.generation += 1
            state.deadOpens += state.opens
            state.opens = 0
            if forGood, far.kind == .pseudo { state.cutOff.formUnion(state.readers.keys) }
            state.readers.removeAll()
            state.drainers.removeAll()
            state.line.flushAllInput()
            // A pseudo-terminal begins anew (tty_ldisc_hangup of Linux).
            if far.kind == .pseudo { state.line.setTermios(.standard) }
            let gone = state.gone
            state.gone = true  // what every watch sees now
            state.fire(&effects, far)
            state.gone = forGood || gone
            return lost
        }
    }

    func hostResized(rows: UInt16, columns: UInt16) {
        change { state, effects in
            var window = state.window
            window.rows = rows
            window.columns = columns
            state.resize(window, &effects)
        }
    }
}

extension Terminal.State {
    mutating func resize(_ new: Terminal.Window, _ effects: inout Effects) {
        guard new != window else { return }
        window = new
        effects.signals.append((SIGWINCH, foreground))
    }
}
