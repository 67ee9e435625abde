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
            guard let node = table.node(class_, name) else { return nil }
            let device = AttachedDevice(handle: request.arg.0, class_: class_, name: name, node: node, secret: secret)
            table.add(device)
            return device
        }
        guard let made else { return failure(EEXIST) }
        prepare(made)
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
        terminal.state.withLock {
            ($0.mode, $0.gid) = (0o660, device.node.gid)
            $0.line.setTermios(.serial)
        }
        device.state.withLock { $0.terminal = terminal }
        terminals.withLock { $0.add(terminal) }
    }

    func detach(_ handle: UInt64) -> Int64 {
        guard let device = attached.withLock({ $0.device(handle) }) else { return failure(ENOENT) }
        attached.withLock { $0.remove(device) }
        var gathered = Effects()
        let terminal = device.state.withLock { state in
            state.isGone = true
            state.watches.fireAll(&gathered.posts)
            return state.terminal
        }
        effects.perform(gathered)
        if let terminal {
            hangUp(terminal, forGood: true)
            forget(terminal)
        }
        _ = call(FILE_DEV_UNREGISTER, device.node)
        return 0
    }

    func driverReady(_ handle: UInt64, _ what: UInt32) {
        guard let device = attached.withLock({ $0.device(handle) }) else { return }
        if let terminal = device.terminal {
            (terminal.far as? SerialLine)?.ready(terminal)
        } else {
            device.ready(what, effects)
        }
    }
}
