import CMiXDevice
import CMiXFile
import Glibc
import Synchronization

/// All terminals and which session each one controls.
struct TerminalTable {
    private var slots: [Int: Terminal] = [:]
    private var sessions: [Int32: Int] = [:]
    var masters: [Int: PtyMaster] = [:]  // by the terminal's number
    /// Sessions whose terminal hung up, and the group that was in the foreground: it hears of it when the leader ends.
    var lost: [Int32: Int32] = [:]

    mutating func add(_ terminal: Terminal) { slots[terminal.number] = terminal }
    mutating func remove(_ number: Int) { slots[number] = nil }
    func terminal(_ number: Int) -> Terminal? { slots[number] }
    static let most = 4096
    var all: [Terminal] { slots.values.sorted { $0.number < $1.number } }
    func firstFree() -> Int? { (1...Self.most).first { slots[$0] == nil } }

    /// The session's terminal, where it still is its terminal (a hang-up takes it away behind this table).
    func controlling(_ sid: Int32) -> Terminal? {
        guard sid != 0, let number = sessions[sid], let terminal = slots[number] else { return nil }
        return terminal.state.withLock { $0.session == sid } ? terminal : nil
    }

    mutating func bind(_ sid: Int32, _ group: Int32, _ terminal: Terminal) {
        sessions[sid] = terminal.number
        terminal.state.withLock {
            $0.session = sid
            $0.foreground = group
        }
    }

    mutating func unbind(_ sid: Int32) { sessions[sid] = nil }
}

extension Terminal {
    /// tty_check_change: nil where the caller may go on although its group is in the background.
    func refuseBackground(_ signal: Int32, _ cred: MixCred) -> Int64? {
        switch effects.groupState(cred.pgrp, signal: signal, cred) {
        case .unknown, .refused:
            return nil
        case .state(let group):
            if group.ignores { return signal == SIGTTIN ? failure(EIO) : nil }
            if group.orphaned { return failure(EIO) }
            var gathered = Effects()
            gathered.signals.append((signal, cred.pgrp))
            effects.perform(gathered)
            return restartAfterSignal
        }
    }
}

extension DeviceManager {
    func open(_ terminal: Terminal, controlling: Bool, _ exchange: inout Exchange) -> Int64 {
        let request = exchange.request
        let cred = request.pointee.cred
        let flags = Int32(bitPattern: request.pointee.flags)
        let root = cred.isRoot
        let opened: (tag: UInt64, first: Bool)? = terminal.state.withLock { state in
            if state.gone || (state.exclusive && !root) { return nil }
            state.opens += 1
            return (state.secret &+ state.generation, state.opens == 1)
        }
        guard let opened else { return terminal.state.withLock { $0.gone } ? failure(EIO) : failure(EBUSY) }
        // By open a session leader without a terminal gets one (credentials(7)), but not by one for writing alone.
        let readable = flags & O_ACCMODE != O_WRONLY
        if controlling && flags & O_NOCTTY == 0 && cred.pid == cred.sid && cred.sid > 0 && readable {
            terminals.withLock { table in
                guard table.controlling(cred.sid) == nil, terminal.state.withLock({ $0.session == 0 }) else { return }
                table.bind(cred.sid, cred.pgrp, terminal)
            }
        }
        let reply = exchange.reply
        reply.pointee.key = MixKey(object: DeviceKey.terminalBase | UInt64(terminal.number), tag: opened.tag)
        reply.pointee.mode = S_IFCHR | terminal.state.withLock { $0.mode }
        reply.pointee.devMajor = terminal.major
        reply.pointee.devMinor = terminal.minor
        reply.pointee.ino = deviceKey(terminal.major, terminal.minor)
        terminal.far.opened(terminal, first: opened.first)
        return 0
    }

    /// TIOCSCTTY and TTY_SET_CONTROLLING. `steal`: TIOCSCTTY(1) by a privileged caller.
    func acquire(_ terminal: Terminal, _ cred: MixCred, leaderOnly: Bool, steal: Bool) -> Int64 {
        let root = cred.isRoot
        return terminals.withLock { table in
            let current = terminal.state.withLock { $0.session }
            let leader = cred.pid == cred.sid
            if current == cred.sid && current != 0 && (leader || !leaderOnly) {
                if !leaderOnly { table.bind(cred.sid, cred.pgrp, terminal) }
                return 0
            }
            if leaderOnly && (!leader || table.controlling(cred.sid) != nil) { return failure(EPERM) }
            if current != 0 {
                guard steal && root || !leaderOnly else { return failure(EPERM) }
                table.unbind(current)
            }
            table.bind(cred.sid, cred.pgrp, terminal)
            return 0
        }
    }

    /// TIOCNOTTY of a leader, or its end: the foreground group is told and the terminal is free again. A serial line hangs
    /// up when its session ends.
    func release(_ sid: Int32, isOver: Bool) {
        let (terminal, lost) = terminals.withLock { table in
            let terminal = table.controlling(sid)
            table.unbind(sid)
            return (terminal, isOver ? table.lost.removeValue(forKey: sid) : nil)
        }
        if let lost {
            var gathered = Effects()
            gathered.signals = [(SIGHUP, lost), (SIGCONT, lost)]
            effects.perform(gathered)
        }
        terminal?.change { state, effects in
            guard state.session == sid else { return }
            effects.signals.append((SIGHUP, state.foreground))
            if !isOver { effects.signals.append((SIGCONT, state.foreground)) }
            state.session = 0
            state.foreground = 0
        }
        if isOver, let terminal, terminal.far.kind == .serial { terminal.hangUp(forGood: false) }
    }

    func hangUp(_ terminal: Terminal, forGood: Bool) {
        guard let lost = terminal.hangUp(forGood: forGood) else { return }
        terminals.withLock { $0.lost[lost.session] = lost.foreground }
    }

    func serveSession(_ exchange: inout Exchange) -> Int64 {
        let cred = exchange.request.pointee.cred
        switch exchange.op {
        case TTY_SESSION_END:
            release(cred.sid, isOver: true)
            return 0
        case TTY_CONTROLLING:
            guard let terminal = terminals.withLock({ $0.controlling(cred.sid) }) else { return failure(ENXIO) }
            exchange.reply.pointee.value.0 = DeviceKey.terminalBase | UInt64(terminal.number)
            exchange.reply.pointee.value.1 = terminal.state.withLock { $0.secret &+ $0.generation }
            exchange.reply.pointee.devMajor = terminal.major
            exchange.reply.pointee.devMinor = terminal.minor
            return 0
        default:
            guard let terminal = terminal(named: exchange.request.pointee.key) else { return failure(ENOTTY) }
            return acquire(terminal, cred, leaderOnly: false, steal: true)
        }
    }

    /// By an opened key or by a node's name.
    private func terminal(named key: MixKey) -> Terminal? {
        switch DeviceKey(key) {
        case .terminal(let number, _): return terminals.withLock { $0.terminal(number) }
        case .slaveNode(let number): return terminals.withLock { $0.terminal(number + 1) }
        case .consoleNode: return console.terminal
        case .stdio(let number): return streams[number] == nil ? console.terminal : nil
        default: return nil
        }
    }
}
