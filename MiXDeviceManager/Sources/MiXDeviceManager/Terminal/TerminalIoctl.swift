import CMiXDevice
import CMiXFile
import Glibc
import TerminalLine

/// Numbers of tty_ioctl(2) on x86-64, spelled here so that they do not depend on the host's headers.
enum TtyCommand {
    static let tcgets: UInt32 = 0x5401, tcsets: UInt32 = 0x5402, tcsetsw: UInt32 = 0x5403, tcsetsf: UInt32 = 0x5404
    static let tcsbrk: UInt32 = 0x5409, tcxonc: UInt32 = 0x540a, tcflsh: UInt32 = 0x540b
    static let tiocexcl: UInt32 = 0x540c, tiocnxcl: UInt32 = 0x540d, tiocsctty: UInt32 = 0x540e
    static let tiocgpgrp: UInt32 = 0x540f, tiocspgrp: UInt32 = 0x5410, tiocoutq: UInt32 = 0x5411
    static let tiocsti: UInt32 = 0x5412, tiocgwinsz: UInt32 = 0x5413, tiocswinsz: UInt32 = 0x5414
    static let fionread: UInt32 = 0x541b, tiocpkt: UInt32 = 0x5420, tiocnotty: UInt32 = 0x5422
    static let tiocsetd: UInt32 = 0x5423, tiocgetd: UInt32 = 0x5424, tcsbrkp: UInt32 = 0x5425
    static let tiocgsid: UInt32 = 0x5429, tcgets2: UInt32 = 0x802c_542a, tcsets2: UInt32 = 0x402c_542b
    static let tcsetsw2: UInt32 = 0x402c_542c, tcsetsf2: UInt32 = 0x402c_542d
    static let tiocgptn: UInt32 = 0x8004_5430, tiocsptlck: UInt32 = 0x4004_5431, tiocgdev: UInt32 = 0x8004_5432
    static let tiocvhangup: UInt32 = 0x5437, tiocgptlck: UInt32 = 0x8004_5439, tiocgexcl: UInt32 = 0x8004_5440
    static let tiocgptpeer: UInt32 = 0x5441, tiocsig: UInt32 = 0x4004_5436

    /// Refused from the background with SIGTTOU.
    static func changes(_ command: UInt32) -> Bool {
        switch command {
        case tcsets, tcsetsw, tcsetsf, tcsets2, tcsetsw2, tcsetsf2, tcsbrk, tcsbrkp, tcxonc, tcflsh, tiocspgrp,
            tiocsetd:
            true
        default: false
        }
    }
}

extension DeviceManager {
    func ioctl(_ terminal: Terminal, _ tag: UInt64, _ exchange: inout Exchange) -> Int64 {
        let command = UInt32(truncatingIfNeeded: exchange.request.pointee.arg.0)
        let argument = exchange.request.pointee.arg.1
        let cred = exchange.request.pointee.cred
        let (key, background) = terminal.state.withLock { ($0.keyState(tag), $0.inBackground(cred)) }
        switch key {
        case .foreign: return failure(EBADF)
        case .hungUp: return command == TtyCommand.tiocspgrp ? failure(ENOTTY) : failure(EIO)
        case .live: break
        }
        if background && TtyCommand.changes(command), let refusal = terminal.refuseBackground(SIGTTOU, cred) {
            return command == TtyCommand.tiocspgrp && refusal == failure(EIO) ? failure(ENOTTY) : refusal
        }
        switch command {
        case TtyCommand.tiocsctty:
            return acquire(terminal, cred, leaderOnly: true, steal: argument == 1)
        case TtyCommand.tiocnotty:
            guard terminal.controls(cred) else { return failure(ENOTTY) }
            // Only a leader gives the session's terminal away.
            if cred.pid == cred.sid { release(cred.sid) }
            return 0
        case TtyCommand.tiocspgrp:
            guard let group = exchange.get(Int32.self) else { return failure(EFAULT) }
            return setForeground(terminal, group, cred)
        case TtyCommand.tiocvhangup:
            guard cred.capabilities & MIX_CAP_ROOT != 0 || cred.uid == 0 else { return failure(EPERM) }
            terminal.hangUp(forGood: false)
            return 0
        default:
            return terminal.ioctl(command, argument, &exchange)
        }
    }

    /// tcsetpgrp(3).
    private func setForeground(_ terminal: Terminal, _ group: Int32, _ cred: MixCred) -> Int64 {
        guard group > 0 else { return failure(EINVAL) }
        guard terminal.controls(cred) else { return failure(ENOTTY) }
        if group != cred.pgrp {
            switch effects.groupState(group, signal: 0, cred) {
            case .refused(let diag) where diag == failure(ESRCH): return diag
            case .state(let state) where state.session != 0 && state.session != cred.sid: return failure(EPERM)
            default: break
            }
        }
        terminal.state.withLock { $0.foreground = group }
        return 0
    }
}

extension Terminal {
    /// It is the controlling terminal of the caller's session.
    func controls(_ cred: MixCred) -> Bool { state.withLock { $0.session != 0 && $0.session == cred.sid } }

    func ioctl(_ command: UInt32, _ argument: UInt64, _ exchange: inout Exchange) -> Int64 {
        let cred = exchange.request.pointee.cred
        switch command {
        case TtyCommand.tcgets:
            return exchange.put(TermiosImage(state.withLock { $0.line.termios }).short)
        case TtyCommand.tcgets2:
            return exchange.put(TermiosImage(state.withLock { $0.line.termios }))
        case TtyCommand.tcsets, TtyCommand.tcsetsw, TtyCommand.tcsetsf:
            guard let short = exchange.get(TermiosImage.Short.self) else { return failure(EFAULT) }
            set(short.termios, flush: command == TtyCommand.tcsetsf)
            return 0
        case TtyCommand.tcsets2, TtyCommand.tcsetsw2, TtyCommand.tcsetsf2:
            guard let image = exchange.get(TermiosImage.self) else { return failure(EFAULT) }
            set(image.termios, flush: command == TtyCommand.tcsetsf2)
            return 0
        case TtyCommand.tiocgwinsz:
            return exchange.put(state.withLock { $0.window })
        case TtyCommand.tiocswinsz:
            guard let window = exchange.get(Window.self) else { return failure(EFAULT) }
            change { state, effects in state.resize(window, &effects) }
            return 0
        case TtyCommand.tiocgpgrp:
            guard controls(cred) else { return failure(ENOTTY) }
            return exchange.put(state.withLock { $0.foreground })
        case TtyCommand.tiocgsid:
            guard controls(cred) else { return failure(ENOTTY) }
            return exchange.put(state.withLock { $0.session })
        case TtyCommand.fionread:
            return exchange.put(Int32(state.withLock { $0.line.readable }))
        case TtyCommand.tiocoutq:
            return exchange.put(Int32(state.withLock { $0.line.output.count }))
        case TtyCommand.tcflsh:
            return flush(argument)
        case TtyCommand.tcxonc:
            return flow(argument)
        case TtyCommand.tcsbrk, TtyCommand.tcsbrkp:
            // A break means nothing here; with an argument TCSBRK is tcdrain(3).
            return command == TtyCommand.tcsbrk && argument != 0 ? drain(exchange.owner) : 0
        case TtyCommand.tiocexcl, TtyCommand.tiocnxcl:
            state.withLock { $0.exclusive = command == TtyCommand.tiocexcl }
            return 0
        case TtyCommand.tiocgexcl:
            return exchange.put(Int32(state.withLock { $0.exclusive } ? 1 : 0))
        case TtyCommand.tiocgetd:
            return exchange.put(Int32(0))  // N_TTY
        case TtyCommand.tiocsetd:
            return exchange.get(Int32.self) == 0 ? 0 : failure(EINVAL)
        case TtyCommand.tiocgdev:
            return exchange.put((minor & 0xff) | major << 8 | (minor & ~0xff) << 12)
        case TtyCommand.tiocsti:
            return failure(EIO)  // faking input is off, as with dev.tty.legacy_tiocsti=0
        default:
            return failure(ENOTTY)
        }
    }

    /// Output was processed when it was written, so a change need not wait for it to drain (TCSETSW).
    func set(_ termios: Termios, flush: Bool) {
        change { state, effects in
            if flush { state.line.flushInput() }
            state.line.setTermios(termios)
            state.readers.removeAll()
            if state.inputRefused && state.line.canReceive {
                state.inputRefused = false
                effects.inputRoom = true
            }
            state.settle(&effects, far)
        }
    }

    private func flush(_ queue: UInt64) -> Int64 {
        queue <= 2 ? flush(input: queue != 1, output: queue != 0) : failure(EINVAL)
    }

    func flush(input: Bool, output: Bool) -> Int64 {
        change { state, effects in
            if input { state.line.flushInput() }
            if output { state.line.flushOutput() }
            state.settle(&effects, far)
        }
        return 0
    }

    /// tcflow(3). TCIOFF and TCION send the characters to the far side.
    private func flow(_ action: UInt64) -> Int64 {
        guard action <= 3 else { return failure(EINVAL) }
        change { state, effects in
            switch action {
            case 0: state.line.flow(stop: true)
            case 1: state.line.flow(stop: false)
            default:
                let index = action == 2 ? Termios.vstop : Termios.vstart
                if let character = state.line.termios.control(index) { state.line.output.append(character) }
            }
            state.settle(&effects, far)
        }
        return 0
    }

    private func drain(_ owner: UInt64) -> Int64 {
        state.withLock { state in
            if state.line.output.isEmpty && !far.outputPending {
                state.drainers.remove(owner)
                return 0
            }
            state.drainers.insert(owner)
            return failure(EAGAIN)
        }
    }
}
