import CMiXFile
import Glibc
import TerminalLine

/// tcgetattr(3) and tcsetattr(3) in the forms they have had: struct termios, termios2 and termio.
extension Terminal {
    /// nil: not a command of these.
    func settingsIoctl(_ command: UInt32, _ exchange: inout Exchange) -> Int64? {
        if let (form, drains, flushes) = TtyCommand.settings(command) {
            guard let new = wanted(form, exchange) else { return failure(EFAULT) }
            // The line's speed changes under what is still being sent. Elsewhere output was processed when it was written.
            if drains, far.kind == .serial {
                let diag = drain(exchange.owner)
                if diag < 0 { return diag }
            }
            set(new, flush: flushes)
            return 0
        }
        switch command {
        case TtyCommand.tcgets: return exchange.put(TermiosImage(settings).short)
        case TtyCommand.tcgets2: return exchange.put(TermiosImage(settings))
        case TtyCommand.tcgeta: return exchange.put(TermioImage(settings))
        case TtyCommand.tiocgsoftcar: return exchange.put(Int32(settings.cflag & Termios.clocal == 0 ? 0 : 1))
        case TtyCommand.tiocssoftcar:
            guard let on = exchange.get(Int32.self) else { return failure(EFAULT) }
            var new = settings
            new.cflag = new.cflag & ~Termios.clocal | (on == 0 ? 0 : Termios.clocal)
            set(new, flush: false)
            return 0
        case TtyCommand.tiocglcktrmios:
            return exchange.put(state.withLock { $0.locked } ?? .nothing)
        case TtyCommand.tiocslcktrmios:
            guard exchange.request.pointee.cred.isRoot else { return failure(EPERM) }
            guard let lock = exchange.get(TermiosImage.Short.self) else { return failure(EFAULT) }
            state.withLock { $0.locked = lock }
            return 0
        default: return nil
        }
    }

    private var settings: Termios { state.withLock { $0.line.termios } }

    private func wanted(_ form: TtyCommand.Settings, _ exchange: Exchange) -> Termios? {
        switch form {
        case .termios: exchange.get(TermiosImage.Short.self)?.termios
        case .termios2: exchange.get(TermiosImage.self)?.termios
        case .termio: exchange.get(TermioImage.self).map { $0.changed(settings) }
        }
    }

    func set(_ wanted: Termios, flush: Bool) {
        let old = change { state, effects in
            let old = state.line.termios
            var new = wanted
            if let locked = state.locked { new = locked.keep(state.line.termios, new) }
            if far.kind != .serial {  // without a line there are eight bits and no parity, whatever is asked for
                new.cflag = new.cflag & ~(Termios.csize | Termios.parenb) | Termios.cs8 | Termios.cread
            }
            if flush { state.line.flushInput() }
            state.line.setTermios(new)
            state.readers.removeAll()
            state.settle(&effects, far)
            return old
        }
        far.settingsChanged(self, old)
    }
}

/// struct termio of System V: the lower halves of the flags, and eight characters.
struct TermioImage: BitwiseCopyable {
    var iflag: UInt16
    var oflag: UInt16
    var cflag: UInt16
    var lflag: UInt16
    var line: UInt8
    var cc: InlineArray<8, UInt8>
    private var end: UInt8 = 0

    init(_ t: Termios) {
        (iflag, oflag) = (UInt16(truncatingIfNeeded: t.iflag), UInt16(truncatingIfNeeded: t.oflag))
        (cflag, lflag) = (UInt16(truncatingIfNeeded: t.cflag), UInt16(truncatingIfNeeded: t.lflag))
        line = t.line
        cc = InlineArray { t.cc[$0] }
    }

    func changed(_ old: Termios) -> Termios {
        func lower(_ old: UInt32, _ new: UInt16) -> UInt32 { old & 0xffff_0000 | UInt32(new) }
        var image = TermiosImage(old)
        image.short.iflag = lower(old.iflag, iflag)
        image.short.oflag = lower(old.oflag, oflag)
        image.short.cflag = lower(old.cflag, cflag)
        image.short.lflag = lower(old.lflag, lflag)
        image.short.line = line
        for index in cc.indices { image.short.cc[index] = cc[index] }
        return image.termios
    }
}

extension TermiosImage.Short {
    static var nothing: Self { Self(iflag: 0, oflag: 0, cflag: 0, lflag: 0, line: 0, cc: InlineArray(repeating: 0)) }

    /// `new`, but `old` where a bit of this is set (TIOCSLCKTRMIOS).
    func keep(_ old: Termios, _ new: Termios) -> Termios {
        func kept(_ old: UInt32, _ new: UInt32, _ lock: UInt32) -> UInt32 { new & ~lock | old & lock }
        var result = new
        result.iflag = kept(old.iflag, new.iflag, iflag)
        result.oflag = kept(old.oflag, new.oflag, oflag)
        result.cflag = kept(old.cflag, new.cflag, cflag)
        result.lflag = kept(old.lflag, new.lflag, lflag)
        if line != 0 { result.line = old.line }
        for index in cc.indices where cc[index] != 0 { result.cc[index] = old.cc[index] }
        return result
    }
}
