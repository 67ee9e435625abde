import CMiXFile
import Glibc

/// ioctl of a master. Settings, window, session and foreground group are the slave's.
extension DeviceManager {
    func ioctl(_ master: PtyMaster, _ slave: Terminal, _ exchange: inout Exchange) -> Int64 {
        let command = UInt32(truncatingIfNeeded: exchange.request.pointee.arg.0)
        let argument = exchange.request.pointee.arg.1
        let cred = exchange.request.pointee.cred
        switch command {
        case TtyCommand.tiocgptn:
            return exchange.put(slave.minor)
        case TtyCommand.tiocsptlck:
            guard let lock = exchange.get(Int32.self) else { return failure(EFAULT) }
            master.state.withLock { $0.locked = lock != 0 }
            return 0
        case TtyCommand.tiocgptlck:
            return exchange.put(Int32(master.locked ? 1 : 0))
        case TtyCommand.tiocpkt:
            guard let on = exchange.get(Int32.self) else { return failure(EFAULT) }
            slave.state.withLock { $0.line.setPackets(on != 0) }
            return 0
        case TtyCommand.tiocgpkt:
            return exchange.put(Int32(slave.state.withLock { $0.line.packets } ? 1 : 0))
        case TtyCommand.tiocgptpeer:
            // diag 0 and the slave's key: the client makes a descriptor of it. The argument is the O_* flags.
            if master.locked { return failure(EIO) }
            return open(slave, controlling: argument & UInt64(O_NOCTTY) == 0, &exchange)
        case TtyCommand.tiocsig:
            guard [UInt64(SIGINT), UInt64(SIGQUIT), UInt64(SIGTSTP)].contains(argument) else { return failure(EINVAL) }
            slave.change { state, effects in effects.signals.append((Int32(argument), state.foreground)) }
            return 0
        case TtyCommand.tiocsctty:
            return acquire(slave, cred, leaderOnly: true, steal: argument == 1)
        case TtyCommand.tiocspgrp:
            if let refusal = slave.refuseChange(command, cred) { return refusal }
            guard let group = exchange.get(Int32.self) else { return failure(EFAULT) }
            return setForeground(slave, group, cred)
        case TtyCommand.tiocgpgrp:
            return exchange.put(slave.state.withLock { $0.foreground })
        case TtyCommand.tiocgsid:
            let session = slave.state.withLock { $0.session }
            return session == 0 ? failure(ENOTTY) : exchange.put(session)
        case TtyCommand.tiocnotty, TtyCommand.tiocvhangup:
            return failure(ENOTTY)
        case TtyCommand.fionread:
            return exchange.put(Int32(slave.state.withLock { $0.line.output.count }))
        case TtyCommand.tcflsh:
            return flush(slave, argument)
        case TtyCommand.tcxonc:
            return flow(master, slave, argument)
        case TtyCommand.tiocexcl, TtyCommand.tiocnxcl:
            master.state.withLock { $0.exclusive = command == TtyCommand.tiocexcl }
            return 0
        case TtyCommand.tiocgexcl:
            return exchange.put(Int32(master.state.withLock { $0.exclusive } ? 1 : 0))
        default:
            if TtyCommand.settings(command) != nil, let refusal = slave.refuseChange(command, cred) { return refusal }
            return slave.ioctl(command, argument, &exchange)
        }
    }

    /// A master's input is the slave's output; its output is what waits for the slave's line.
    private func flush(_ slave: Terminal, _ queue: UInt64) -> Int64 {
        guard queue <= 2 else { return failure(EINVAL) }
        slave.change { state, effects in
            if queue != 1 { state.line.output.removeAll() }
            if queue != 0 { state.line.flushWaiting() }
            state.settle(&effects, slave.far)
        }
        slave.outputMoved()
        return 0
    }

    /// tcflow(3): TCOOFF and TCOON hold what is typed, TCIOFF and TCION type STOP and START.
    private func flow(_ master: PtyMaster, _ slave: Terminal, _ action: UInt64) -> Int64 {
        switch action {
        case 0: master.state.withLock { $0.isStopped = true }
        case 1:
            master.state.withLock { $0.isStopped = false }
            master.fire(slave)
        case 2: withUnsafeBytes(of: UInt8(0o23)) { _ = slave.input($0) }
        case 3: withUnsafeBytes(of: UInt8(0o21)) { _ = slave.input($0) }
        default: return failure(EINVAL)
        }
        return 0
    }
}
