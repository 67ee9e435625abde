import CChorus
import CMiXFile
import Glibc

/// The master of a pseudo-terminal (pty(7)): the far side of a terminal that a program plays.
final class PtyMaster: FarSide {
    struct State {
        var locked = true  // until TIOCSPTLCK
        var opens = 1
        var slaveOpened = false  // has ever been
        var packet = false
        var watches = WatchList()
    }

    let secret: UInt64
    let state = Guarded(State())
    private let effects: EffectSink

    init(effects: EffectSink) {
        self.effects = effects
        var random = SystemRandomNumberGenerator()
        secret = random.next()
    }

    /// One of an earlier instance of the server.
    init(effects: EffectSink, secret: UInt64, _ saved: State) {
        self.effects = effects
        self.secret = secret
        state.withLock { $0 = saved }
    }

    var locked: Bool { state.withLock { $0.locked } }
    var outputPending: Bool { false }

    func outputReady(_ terminal: Terminal) { fire(terminal) }
    func inputRoom(_ terminal: Terminal) { fire(terminal) }
    func opened(_ terminal: Terminal) { state.withLock { $0.slaveOpened = true } }
    func closed(_ terminal: Terminal, last: Bool) { if last { fire(terminal) } }

    /// Lock order: master, then terminal.
    private func fire(_ terminal: Terminal) {
        var gathered = Effects()
        state.withLock { state in
            guard !state.watches.isEmpty else { return }
            let now = events(state, terminal)
            state.watches.fire(&gathered) { _ in now }
        }
        effects.perform(gathered)
    }

    private func events(_ state: State, _ terminal: Terminal) -> UInt32 {
        terminal.state.withLock { slave in
            let left = state.slaveOpened && slave.opens == 0
            return (slave.line.output.isEmpty ? 0 : Poll.input) | (slave.line.canReceive ? Poll.output : 0)
                | (left ? Poll.hangUp : 0)
        }
    }

    /// What the slave wrote and echoed. EIO where the slave is closed and all has been read.
    func read(_ terminal: Terminal, _ exchange: inout Exchange) -> Int64 {
        let (packet, opened) = state.withLock { ($0.packet, $0.slaveOpened) }
        var target = exchange.target
        guard target.count > 0 else { return 0 }
        if packet {
            // TIOCPKT_DATA; the control packets of flushes and flow changes are not made.
            target[0] = 0
            target = UnsafeMutableRawBufferPointer(rebasing: target[1...])
        }
        let (count, left) = terminal.state.withLock { ($0.line.output.take(into: target), $0.opens == 0) }
        if count == 0 { return opened && left ? failure(EIO) : failure(EAGAIN) }
        terminal.outputMoved()
        exchange.replied = count + (packet ? 1 : 0)
        return Int64(exchange.replied)
    }

    func write(_ terminal: Terminal, _ exchange: inout Exchange) -> Int64 {
        if exchange.body.count == 0 { return 0 }
        let taken = terminal.input(exchange.body)
        return taken == 0 ? failure(EAGAIN) : Int64(taken)
    }

    func watch(_ terminal: Terminal, _ exchange: inout Exchange) -> Int64 {
        let request = exchange.request
        let owner = exchange.owner
        let mask = UInt32(truncatingIfNeeded: request.pointee.arg.0)
        let event = KnUniqueId(
            uiHead: UInt32(truncatingIfNeeded: request.pointee.arg.2),
            uiTail: UInt32(truncatingIfNeeded: request.pointee.arg.3))
        var gathered = Effects()
        exchange.reply.pointee.events = state.withLock { state in
            let now = mask == 0 ? 0 : events(state, terminal) & (mask | Poll.always)
            if mask & ~now != 0 {
                state.watches.arm(owner: owner, event: event, mask: mask & ~now, &gathered)
            } else {
                state.watches.disarm(owner: owner, event: event)
            }
            return now
        }
        effects.perform(gathered)
        return 0
    }
}
