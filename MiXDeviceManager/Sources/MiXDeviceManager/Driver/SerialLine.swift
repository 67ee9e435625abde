import CMiXDriver
import CMiXFile
import Glibc
import Synchronization
import TerminalLine

/// A driver's serial line as the far side of a terminal.
final class SerialLine: FarSide {
    static let firstNumber = 8192
    private unowned let manager: DeviceManager
    private let device: AttachedDevice
    private let state = Mutex(State())

    private struct State {
        /// Read from the line, as the driver gives it (DRV_READ), and not taken by the terminal.
        var held: [UInt8] = []
        var pulling = false
        var pullAgain = false
        var writing = false
        var again = false
        var unsent: [UInt8] = []
        var stuck = false  // the line is full: it says when there is room
        var onTheWay = 0  // taken by the driver and not on the line yet
        var hasCarrier = true
    }

    init(_ manager: DeviceManager, _ device: AttachedDevice) {
        self.manager = manager
        self.device = device
    }

    var kind: LineKind { .serial }
    var outputPending: Bool { state.withLock { $0.writing || !$0.unsent.isEmpty || $0.onTheWay > 0 } }

    // MARK: the line

    func opened(_ terminal: Terminal, first: Bool) {
        if first { modem(set: ModemLine.ready) }
        tell(terminal)
        ready(terminal)
    }

    /// HUPCL: the modem hangs up.
    func closed(_ terminal: Terminal, last: Bool) {
        if last, terminal.state.withLock({ $0.line.termios.cflag & Termios.hupcl != 0 }) {
            modem(clear: ModemLine.ready)
        }
    }

    /// Speed 0 hangs up (termios(3), B0).
    func settingsChanged(_ terminal: Terminal, _ old: Termios) {
        let new = terminal.state.withLock { $0.line.termios }
        tell(terminal)
        if new.ospeed == 0, old.ospeed != 0 { modem(clear: ModemLine.ready) }
        if new.ospeed != 0, old.ospeed == 0 { modem(set: ModemLine.ready) }
    }

    /// The driver hears of the settings, and says the window where it knows one.
    private func tell(_ terminal: Terminal) {
        let (baud, cflag) = terminal.state.withLock { ($0.line.termios.ospeed, $0.line.termios.cflag) }
        let answer = manager.driverCall(DRV_TTY_SETTINGS, device, arg: (UInt64(baud), UInt64(cflag)))
        // The window of a console, until somebody knows it better.
        let window = Terminal.Window(
            rows: UInt16(clamping: answer.reply.value.0), columns: UInt16(clamping: answer.reply.value.1))
        if answer.diag >= 0 { terminal.state.withLock { if $0.window == Terminal.Window() { $0.window = window } } }
    }

    /// The lines of the modem; nil where there are none.
    @discardableResult
    private func modem(set: UInt32 = 0, clear: UInt32 = 0) -> UInt32? {
        let answer = manager.driverCall(DRV_MODEM, device, arg: (UInt64(set), UInt64(clear)))
        return answer.diag >= 0 ? UInt32(truncatingIfNeeded: answer.reply.value.0) : nil
    }

    /// What of ioctl_tty(2) is about the line; nil: another command.
    func ioctl(_ command: UInt32, _ argument: UInt64, _ exchange: inout Exchange) -> Int64? {
        switch command {
        case TtyCommand.tiocmget:
            return modem().map { exchange.put(Int32(bitPattern: $0)) } ?? failure(ENOTTY)
        case TtyCommand.tiocmset, TtyCommand.tiocmbis, TtyCommand.tiocmbic:
            guard let bits = exchange.get(UInt32.self) else { return failure(EFAULT) }
            let set = command == TtyCommand.tiocmbic ? 0 : bits & ModemLine.outputs
            let clear =
                command == TtyCommand.tiocmbis ? 0 : (command == TtyCommand.tiocmset ? ~bits : bits) & ModemLine.outputs
            return modem(set: set, clear: clear) == nil ? failure(ENOTTY) : 0
        case TtyCommand.tcsbrk where argument == 0, TtyCommand.tcsbrkp:
            // This line takes no time: a break is one as soon as it has begun.
            _ = manager.driverCall(DRV_BREAK, device, arg: (1, 0))
            _ = manager.driverCall(DRV_BREAK, device, arg: (0, 0))
            return 0
        case TtyCommand.tiocsbrk, TtyCommand.tioccbrk:
            _ = manager.driverCall(DRV_BREAK, device, arg: (command == TtyCommand.tiocsbrk ? 1 : 0, 0))
            return 0
        default: return nil
        }
    }

    /// Without CLOCAL the loss of the carrier hangs the terminal up (termios(3)).
    private func carrier(_ isThere: Bool, _ terminal: Terminal) {
        let lost = state.withLock { state in
            defer { state.hasCarrier = isThere }
            return state.hasCarrier && !isThere
        }
        if lost, terminal.state.withLock({ $0.line.termios.cflag & Termios.clocal == 0 }) {
            manager.hangUp(terminal, forGood: false)
        }
    }

    /// There is input, or room for output.
    func ready(_ terminal: Terminal) {
        let mayBeThrough = state.withLock { state in
            state.stuck = false
            return state.onTheWay > 0
        }
        if mayBeThrough { _ = write(UnsafeRawBufferPointer(start: nil, count: 0)) }
        outputReady(terminal)
        pull(terminal)
    }

    // MARK: input

    func inputRoom(_ terminal: Terminal) { pull(terminal) }

    /// One reads for all who know of input.
    private func pull(_ terminal: Terminal) {
        let mine = state.withLock { state -> Bool in
            if state.pulling { state.pullAgain = true }
            defer { state.pulling = true }
            return !state.pulling
        }
        guard mine else { return }
        while true {
            pullAll(terminal)
            let isOver = state.withLock { state -> Bool in
                defer { state.pullAgain = false }
                if !state.pullAgain { state.pulling = false }
                return !state.pullAgain
            }
            if isOver { return }
        }
    }

    private func pullAll(_ terminal: Terminal) {
        var bytes = state.withLock { state in
            defer { state.held = [] }
            return state.held
        }
        while true {
            let taken = bytes.withUnsafeBytes { give($0, terminal) }
            bytes.removeFirst(taken)
            // What is left is refused, or a mark of which the end is still to come.
            guard LineMark.isIncomplete(bytes), terminal.state.withLock({ $0.line.canReceive }) else { break }
            var buffer = [UInt8](repeating: 0, count: 4096)
            let answer = buffer.withUnsafeMutableBytes { manager.driverCall(DRV_READ, device, size: 4096, room: $0) }
            guard answer.diag > 0 else { break }
            bytes += buffer[..<answer.size]
        }
        state.withLock { $0.held = bytes }
    }

    /// How many of the bytes are done with.
    private func give(_ bytes: UnsafeRawBufferPointer, _ terminal: Terminal) -> Int {
        var at = 0
        while at < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[at...])
            if rest[0] != UInt8(DRV_MARK) {
                let run = rest.firstIndex(of: UInt8(DRV_MARK)) ?? rest.count
                let taken = terminal.input(UnsafeRawBufferPointer(rebasing: rest[..<run]))
                at += taken
                if taken < run { return at }
                continue
            }
            guard let (mark, size) = LineMark.first(rest) else { return at }
            switch mark {
            case .byte: if terminal.input(UnsafeRawBufferPointer(rebasing: rest[..<1])) == 0 { return at }
            case .wrong(let byte, let what): if !terminal.input(byte, what) { return at }
            case .modem(let hasCarrier): carrier(hasCarrier, terminal)
            }
            at += size
        }
        return at
    }

    // MARK: output

    private func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        let answer = manager.driverCall(DRV_WRITE, device, body: bytes)
        state.withLock { $0.onTheWay = answer.diag >= 0 ? Int(clamping: answer.reply.value.0) : 0 }
        return min(bytes.count, Int(max(0, answer.diag)))
    }

    /// One writes for all who have output.
    func outputReady(_ terminal: Terminal) {
        let mine = state.withLock { state -> Bool in
            if state.writing {
                state.again = true
                return false
            }
            if state.stuck { return false }
            state.writing = true
            return true
        }
        guard mine else { return }
        while true {
            var bytes = state.withLock { $0.unsent }
            if bytes.isEmpty {
                var buffer = [UInt8](repeating: 0, count: 1024)
                let count = buffer.withUnsafeMutableBytes { terminal.takeOutput(into: $0).count }
                bytes = Array(buffer[..<count])
            }
            let taken = bytes.isEmpty ? 0 : bytes.withUnsafeBytes { write($0) }
            let isOver = state.withLock { state -> Bool in
                state.unsent = Array(bytes[taken...])
                if !bytes.isEmpty, taken < bytes.count {
                    state.stuck = true
                } else if !bytes.isEmpty || state.again {
                    state.again = false
                    return false
                }
                state.writing = false
                return true
            }
            if isOver { break }
        }
        terminal.outputMoved()
    }
}
