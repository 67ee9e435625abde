import CMiXDriver
import CMiXFile
import Glibc
import Synchronization

/// Devices come and go with their drivers, and their nodes with them (devfs).
extension DeviceManager {
    func attach(_ exchange: inout Exchange) -> Int64 {
        let request = exchange.request.pointee
        guard let class_ = AttachedDevice.Class(rawValue: UInt32(truncatingIfNeeded: request.arg.1)),
            let end = exchange.body.firstIndex(of: 0), end > 0, end <= 31
        else { return failure(EINVAL) }
        let name = String(decoding: exchange.body[..<end], as: UTF8.self)
        var random = SystemRandomNumberGenerator()
        let secret = random.next() >> 1
        let made = attached.withLock { table -> AttachedDevice? in
            guard table.device(request.arg.0) == nil else { return nil }
            let node = table.node(class_, name)
            // A network link has no node.
            guard let node = node ?? (class_ == .net ? DeviceNode(name: "", mode: 0, major: 0, minor: 0) : nil) else {
                return nil
            }
            let device = AttachedDevice(handle: request.arg.0, class_: class_, name: name, node: node, secret: secret)
            table.add(device)
            return device
        }
        guard let made else { return failure(EEXIST) }
        prepare(made)
        guard class_ != .net else { return 0 }
        let result = call(FILE_DEV_REGISTER, made.node) ?? 0
        if result < 0 {
            attached.withLock { $0.remove(made) }
            return result
        }
        return 0
    }

    /// A serial line becomes a terminal.
    func prepare(_ device: AttachedDevice) {
        guard device.class_ == .tty else { return }
        let line = SerialLine(self, device)
        let terminal = Terminal(
            number: SerialLine.firstNumber + Int(device.node.minor), name: device.name, major: device.node.major,
            minor: device.node.minor,
            far: line, effects: effects, timer: timer)
        terminal.state.withLock { ($0.mode, $0.gid) = (0o660, device.node.gid) }
        device.state.withLock { $0.terminal = terminal }
        terminals.withLock { $0.add(terminal) }
    }

    func detach(_ handle: UInt64) -> Int64 {
        guard let device = attached.withLock({ $0.device(handle) }) else { return failure(ENOENT) }
        attached.withLock { $0.remove(device) }
        var gathered = Effects()
        let terminal = device.state.withLock { state in
            state.isGone = true
            state.watches.fireAll(&gathered)
            return state.terminal
        }
        effects.perform(gathered)
        if let terminal {
            hangUp(terminal, forGood: true)
            forget(terminal)
        }
        if device.class_ != .net { _ = call(FILE_DEV_UNREGISTER, device.node) }
        return 0
    }

    func driverReady(_ handle: UInt64) {
        guard let device = attached.withLock({ $0.device(handle) }) else { return }
        if let terminal = device.terminal {
            (terminal.far as? SerialLine)?.ready(terminal)
        } else {
            device.ready(effects)
        }
    }
}

/// A driver's serial line as the far side of a terminal.
final class SerialLine: FarSide {
    static let firstNumber = 8192
    private unowned let manager: DeviceManager
    private let device: AttachedDevice
    private let state = Mutex(State())

    private struct State {
        var held: [UInt8] = []  // read from the line, and not taken by the terminal
        var writing = false
        var again = false
        var unsent: [UInt8] = []
        var stuck = false  // the line is full: it says when there is room
    }

    init(_ manager: DeviceManager, _ device: AttachedDevice) {
        self.manager = manager
        self.device = device
    }

    var kind: LineKind { .serial }
    var outputPending: Bool { state.withLock { $0.writing || !$0.unsent.isEmpty } }
    func settingsChanged(_ terminal: Terminal) {
        let (baud, cflag) = terminal.state.withLock { ($0.line.termios.ospeed, $0.line.termios.cflag) }
    func settingsChanged(_ terminal: Terminal) { tell(terminal) }

    /// The driver hears of the settings, and says the window where it knows one.
    private func tell(_ terminal: Terminal) {
        let (baud, cflag) = terminal.state.withLock { ($0.line.termios.ospeed, $0.line.termios.cflag) }
        let answer = manager.driverCall(DRV_TTY_SETTINGS, device, arg: (UInt64(baud), UInt64(cflag)))
        // The window of a console, until somebody knows it better.
        let window = Terminal.Window(
            rows: UInt16(clamping: answer.reply.value.0), columns: UInt16(clamping: answer.reply.value.1))
        if answer.diag >= 0 { terminal.state.withLock { if $0.window == Terminal.Window() { $0.window = window } } }
    }

    func opened(_ terminal: Terminal) {
        tell(terminal)
        ready(terminal)
    }
    func closed(_ terminal: Terminal, last: Bool) {}
    func inputRoom(_ terminal: Terminal) { pull(terminal) }

    /// There is input, or room for output.
    func ready(_ terminal: Terminal) {
        state.withLock { $0.stuck = false }
        outputReady(terminal)
        pull(terminal)
    }

    private func pull(_ terminal: Terminal) {
        while true {
            var bytes = state.withLock { state in
                defer { state.held = [] }
                return state.held
            }
            if bytes.isEmpty {
                guard terminal.state.withLock({ $0.line.canReceive }) else { return }
                var buffer = [UInt8](repeating: 0, count: 4096)
                let answer = buffer.withUnsafeMutableBytes {
                    manager.driverCall(DRV_READ, device, size: 4096, room: $0)
                }
                guard answer.diag > 0 else { return }
                bytes = Array(buffer[..<answer.size])
            }
            let taken = bytes.withUnsafeBytes { terminal.input($0) }
            if taken < bytes.count {
                state.withLock { $0.held = Array(bytes[taken...]) + $0.held }
                return
            }
        }
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
            let taken =
                bytes.isEmpty
                ? 0 : Int(max(0, bytes.withUnsafeBytes { manager.driverCall(DRV_WRITE, device, body: $0) }.diag))
            let isOver = state.withLock { state -> Bool in
                state.unsent = Array(bytes[min(taken, bytes.count)...])
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
