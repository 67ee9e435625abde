import ActorKit
import CChorus
import CMiXDevice
import CMiXFile
import Glibc
import TerminalLine

/// The other end of a terminal: the host's terminal, or the master of a pseudo-terminal. The terminal does not know
/// which. Called without the terminal's lock.
protocol FarSide: AnyObject, Sendable {
    var kind: LineKind { get }
    /// Output waits in the terminal.
    func outputReady(_ terminal: Terminal)
    /// The terminal can take input again after it refused some.
    func inputRoom(_ terminal: Terminal)
    /// Bytes taken from the terminal that have not arrived.
    var outputPending: Bool { get }
    func settingsChanged(_ terminal: Terminal, _ old: Termios)
    func ioctl(_ command: UInt32, _ argument: UInt64, _ exchange: inout Exchange) -> Int64?
    func opened(_ terminal: Terminal, first: Bool)
    func closed(_ terminal: Terminal, last: Bool)
}

extension FarSide {
    func settingsChanged(_ terminal: Terminal, _ old: Termios) {}
    func ioctl(_ command: UInt32, _ argument: UInt64, _ exchange: inout Exchange) -> Int64? { nil }
}

/// What a terminal's settings mean, and what the end of its session does to it, depends on what is at its other end.
enum LineKind { case console, pseudo, serial }

/// A terminal: line discipline, window, session, and who waits for it.
final class Terminal: Sendable {
    let number: Int  // 0: the console; else the pseudo-terminal number + 1
    let name: String  // of its node, under /dev
    let major: UInt32
    let minor: UInt32
    let far: any FarSide
    let effects: EffectSink
    let timer: ReadTimer
    let state: Guarded<State>

    struct Window: Equatable {
        var rows: UInt16 = 0
        var columns: UInt16 = 0
        var xPixels: UInt16 = 0
        var yPixels: UInt16 = 0
    }

    struct State: ~Copyable {
        var line: LineDiscipline
        var locked: TermiosImage.Short?  // TIOCSLCKTRMIOS: bits set here are not to be changed
        var window = Window()
        var session: Int32 = 0
        var foreground: Int32 = 0
        var exclusive = false
        var secret: UInt64 = 0
        var generation: UInt64 = 0  // hang-ups: keys opened before the last one are dead
        var gone = false  // the far side is gone for good
        var opens = 0
        var deadOpens = 0  // opened before a hang-up and not closed yet
        var mode: UInt32 = 0o620
        var uid: UInt32 = 0
        var gid: UInt32 = 0
        var watches = WatchList()
        var readers: [UInt64: BlockedRead] = [:]  // by owner
        var cutOff: Set<UInt64> = []  // owners who were reading when the master went
        var drainers: Set<UInt64> = []  // owners whose tcdrain waits
        var lastInput: UInt64 = 0
        var inputRefused = false
        var interrupting = 0  // signals under way that come with a flush: until then their group writes nothing more
        var flushesSeen: UInt64 = 0  // epochs of output that the far side was told of

        init(_ kind: LineKind) {
            // As much as the host's pseudo-terminals hold, so that who types ahead does not wait for the reader.
            line = LineDiscipline(waitingCapacity: kind == .pseudo ? 8192 : 0)
        }
    }

    init(
        number: Int, name: String, major: UInt32, minor: UInt32, far: any FarSide, effects: EffectSink,
        timer: ReadTimer,
        window: Window = Window()
    ) {
        self.number = number
        self.name = name
        self.major = major
        self.minor = minor
        self.far = far
        self.effects = effects
        self.timer = timer
        var random = SystemRandomNumberGenerator()
        let secret = random.next()
        state = Guarded(State(far.kind))
        state.withLock {
            $0.secret = secret &>> 1
            $0.window = window
            if major == 5 { $0.mode = 0o600 }
        }
    }

    func perform(_ gathered: Effects) {
        effects.perform(gathered)
        if gathered.flushed {
            change { state, effects in
                state.interrupting -= 1
                state.fire(&effects, far)
            }
        }
        if gathered.output { far.outputReady(self) }
        if gathered.inputRoom { far.inputRoom(self) }
    }

    /// Changes the state under the lock and does afterwards what follows from it.
    func change<R>(_ body: (inout State, inout Effects) -> R) -> R {
        var gathered = Effects()
        let result = state.withLock { body(&$0, &gathered) }
        perform(gathered)
        return result
    }
}

extension Terminal.State {
    /// Live, hung up since it was opened, or not a key of this terminal.
    enum KeyState: Sendable { case live, hungUp, foreign }

    func keyState(_ tag: UInt64) -> KeyState {
        let age = secret &+ generation &- tag
        return age == 0 ? (gone ? .hungUp : .live) : age <= generation ? .hungUp : .foreign
    }

    func inBackground(_ cred: MixCred) -> Bool {
        session != 0 && cred.sid == session && foreground != 0 && cred.pgrp != foreground
    }

    /// Collects what the discipline produced and fires the watches that became true.
    mutating func settle(_ effects: inout Effects, _ far: any FarSide) {
        if !line.signals.isEmpty {
            for signal in line.signals { effects.signals.append((signal, foreground)) }
            line.signals.removeAll()
            if line.outputEpoch != flushesSeen, !effects.flushed {
                effects.flushed = true
                interrupting += 1
            }
        }
        if !line.output.isEmpty || line.outputEpoch != flushesSeen || line.hasPacketStatus { effects.output = true }
        flushesSeen = line.outputEpoch
        if inputRefused && line.canReceive {
            inputRefused = false
            effects.inputRoom = true
        }
        fire(&effects, far)
    }

    mutating func fire(_ effects: inout Effects, _ far: any FarSide) {
        guard !watches.isEmpty else { return }
        var list = watches
        watches = WatchList()
        list.fire(&effects.posts) { events($0, far) }
        watches = list
    }

    /// Poll bits true now, as this owner's watch sees them.
    func events(_ owner: UInt64, _ far: any FarSide) -> UInt32 {
        if gone { return Poll.input | Poll.output | Poll.error | Poll.hangUp }
        var bits: UInt32 = 0
        if hasInput(owner) { bits |= Poll.input }
        if drainers.contains(owner) {
            if line.output.isEmpty && !far.outputPending { bits |= Poll.output }
        } else if interrupting == 0 && !line.stopped && line.output.room >= line.output.capacity / 4 {
            bits |= Poll.output
        }
        return bits
    }
}
