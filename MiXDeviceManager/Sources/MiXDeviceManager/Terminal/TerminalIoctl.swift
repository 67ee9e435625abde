import CMiXDevice
import CMiXFile
import Glibc
import TerminalLine

extension DeviceManager {
    func ioctl(_ terminal: Terminal, _ tag: UInt64, _ exchange: inout Exchange) -> Int64 {
        let command = UInt32(truncatingIfNeeded: exchange.request.pointee.arg.0)
        let argument = exchange.request.pointee.arg.1
        let cred = exchange.request.pointee.cred
        switch terminal.state.withLock({ $0.keyState(tag) }) {
        case .foreign: return failure(EBADF)
        case .hungUp: return command == TtyCommand.tiocspgrp ? failure(ENOTTY) : failure(EIO)
        case .live: break
        }
        if TtyCommand.changes(command), let refusal = terminal.refuseChange(command, cred) { return refusal }
        switch command {
        case TtyCommand.tiocsctty:
            return acquire(terminal, cred, leaderOnly: true, steal: argument == 1)
        case TtyCommand.tiocnotty:
            guard terminal.controls(cred) else { return failure(ENOTTY) }
            // Only a leader gives the session's terminal away; of a member the Process Manager remembers it.
            if cred.pid == cred.sid { release(cred.sid, isOver: false) }
            return 0
        case TtyCommand.tiocspgrp:
            guard let group = exchange.get(Int32.self) else { return failure(EFAULT) }
            return setForeground(terminal, group, cred)
        case TtyCommand.tiocgpgrp:
            guard terminal.controls(cred) else { return failure(ENOTTY) }
            return exchange.put(terminal.state.withLock { $0.foreground })
        case TtyCommand.tiocgsid:
            guard terminal.controls(cred) else { return failure(ENOTTY) }
            return exchange.put(terminal.state.withLock { $0.session })
        case TtyCommand.tiocvhangup:
            guard cred.isRoot else { return failure(EPERM) }
            hangUp(terminal, forGood: false)
            return 0
        case TtyCommand.tiocgptpeer:
            return terminal.far.kind == .pseudo ? failure(EIO) : failure(ENOTTY)
        default:
            return terminal.ioctl(command, argument, &exchange)
        }
    }

    /// tcsetpgrp(3).
    func setForeground(_ terminal: Terminal, _ group: Int32, _ cred: MixCred) -> Int64 {
        guard terminal.controls(cred) else { return failure(ENOTTY) }
        guard group >= 0 else { return failure(EINVAL) }
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

extension MixCred {
    var isRoot: Bool { capabilities & MIX_CAP_ROOT != 0 || uid == 0 }
}

extension Terminal {
    /// It is the controlling terminal of the caller's session.
    func controls(_ cred: MixCred) -> Bool { state.withLock { $0.session != 0 && $0.session == cred.sid } }

    /// What the background gets for a change; nil: go on.
    func refuseChange(_ command: UInt32, _ cred: MixCred) -> Int64? {
        guard state.withLock({ $0.inBackground(cred) }), let refusal = refuseBackground(SIGTTOU, cred) else {
            return nil
        }
        return command == TtyCommand.tiocspgrp && refusal == failure(EIO) ? failure(ENOTTY) : refusal
    }

    /// What needs no more than the terminal, asked by a descriptor of it or of its master.
    func ioctl(_ command: UInt32, _ argument: UInt64, _ exchange: inout Exchange) -> Int64 {
        if let diag = settingsIoctl(command, &exchange) ?? far.ioctl(command, argument, &exchange) { return diag }
        switch command {
        case TtyCommand.tiocgwinsz:
            return exchange.put(state.withLock { $0.window })
        case TtyCommand.tiocswinsz:
            guard let window = exchange.get(Window.self) else { return failure(EFAULT) }
            change { state, effects in state.resize(window, &effects) }
            return 0
        case TtyCommand.fionread:
            return exchange.put(Int32(state.withLock { $0.line.readable }))
        case TtyCommand.tiocoutq:
            // What a pseudo-terminal has put out is the master's.
            return exchange.put(far.kind == .pseudo ? 0 : Int32(state.withLock { $0.line.output.count }))
        case TtyCommand.tcflsh:
            return argument <= 2 ? flush(input: argument != 1, output: argument != 0) : failure(EINVAL)
        case TtyCommand.tcxonc:
            return flow(argument)
        case TtyCommand.tcsbrk where argument != 0:  // tcdrain(3)
            return drain(exchange.owner)
        case TtyCommand.tcsbrk, TtyCommand.tcsbrkp, TtyCommand.tiocsbrk, TtyCommand.tioccbrk:
            return 0  // a break means nothing here
        case TtyCommand.tiocexcl, TtyCommand.tiocnxcl:
            state.withLock { $0.exclusive = command == TtyCommand.tiocexcl }
            return 0
        case TtyCommand.tiocgexcl:
            return exchange.put(Int32(state.withLock { $0.exclusive } ? 1 : 0))
        case TtyCommand.tiocgetd:
            return exchange.put(Int32(0))  // N_TTY
        case TtyCommand.tiocsetd:
            guard let wanted = exchange.get(Int32.self) else { return failure(EFAULT) }
            return wanted == 0 ? 0 : failure(EINVAL)
        case TtyCommand.tiocgdev:
            return exchange.put((minor & 0xff) | major << 8 | (minor & ~0xff) << 12)
        case TtyCommand.tiocsti:
            return fakeInput(&exchange)
        default:
            return failure(ENOTTY)
        }
    }

    /// TIOCSTI, for root alone, as with dev.tty.legacy_tiocsti=0.
    private func fakeInput(_ exchange: inout Exchange) -> Int64 {
        guard exchange.request.pointee.cred.isRoot else { return failure(EIO) }
        guard exchange.body.count == 1 else { return failure(EFAULT) }
        _ = input(exchange.body)
        return 0
    }

    func flush(input: Bool, output: Bool) -> Int64 {
        change { state, effects in
            if input { state.line.flushAllInput() }
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
            default: state.line.sendFlow(stop: action == 2)
            }
            state.settle(&effects, far)
        }
        return 0
    }

    /// Waits until all output has arrived; a pseudo-terminal's always has.
    func drain(_ owner: UInt64) -> Int64 {
        if far.kind == .pseudo { return 0 }
        return state.withLock { state in
            if state.line.output.isEmpty && !far.outputPending {
                state.drainers.remove(owner)
                return 0
            }
            state.drainers.insert(owner)
            return failure(EAGAIN)
        }
    }
}
