import ActorKit
import CChorus
import CMiXFile
import Glibc

/// The master of a pseudo-terminal (pty(7)): the far side of a terminal that a program plays.
final class PtyMaster: FarSide {
    struct State {
        var locked = true  // until TIOCSPTLCK
        var opens = 1
        var slaveOpened = false  // has ever been
        var exclusive = false
        var isStopped = false  // by tcflow at the master: nothing can be typed
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
    var kind: LineKind { .pseudo }
    var outputPending: Bool { false }

    func outputReady(_ terminal: Terminal) { fire(terminal) }
    func inputRoom(_ terminal: Terminal) { fire(terminal) }
    func opened(_ terminal: Terminal, first: Bool) { state.withLock { $0.slaveOpened = true } }
    func closed(_ terminal: Terminal, last: Bool) { if last { fire(terminal) } }

    /// Lock order: master, then terminal.
    func fire(_ terminal: Terminal) {
        var gathered = Effects()
        state.withLock { state in
            guard !state.watches.isEmpty else { return }
            let now = events(state, terminal)
            state.watches.fire(&gathered.posts) { _ in now }
        }
        effects.perform(gathered)
    }

    private func events(_ state: State, _ terminal: Terminal) -> UInt32 {
        terminal.state.withLock { slave in
            let left = state.slaveOpened && slave.opens == 0
            return (slave.line.output.isEmpty ? 0 : Poll.input) | (left ? Poll.hangUp : 0)
                | (slave.line.canReceive && !state.isStopped ? Poll.output : 0)
                | (slave.line.hasPacketStatus ? Poll.input | Poll.priority : 0)
        }
    }

    /// What the slave wrote and echoed. EIO where the slave is closed and all has been read.
    func read(_ terminal: Terminal, _ exchange: inout Exchange) -> Int64 {
        let opened = state.withLock { $0.slaveOpened }
        let target = exchange.target
        guard target.count > 0 else { return 0 }
        let (count, left) = terminal.state.withLock { ($0.take(into: target), $0.opens == 0) }
        if count == 0 { return opened && left ? failure(EIO) : failure(EAGAIN) }
        terminal.outputMoved()
        exchange.replied = count
        return Int64(count)
    }

    func write(_ terminal: Terminal, _ exchange: inout Exchange) -> Int64 {
        if exchange.body.count == 0 { return 0 }
        if state.withLock({ $0.isStopped }) { return failure(EAGAIN) }
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
                state.watches.arm(owner: owner, event: event, mask: mask & ~now, &gathered.posts)
            } else {
                state.watches.disarm(owner: owner, event: event)
            }
            return now
        }
        effects.perform(gathered)
        return 0
    }
}

extension Terminal.State {
    /// Output for the master. In packet mode it comes behind a byte 0 (TIOCPKT_DATA), and what happened comes before it.
    fileprivate mutating func take(into target: UnsafeMutableRawBufferPointer) -> Int {
        guard line.packets else { return line.output.take(into: target) }
        if line.hasPacketStatus {
            target[0] = line.takePacketStatus()
            return 1
        }
        if line.output.isEmpty { return 0 }
        target[0] = 0
        return 1 + line.output.take(into: UnsafeMutableRawBufferPointer(rebasing: target[1...]))
    }
}
