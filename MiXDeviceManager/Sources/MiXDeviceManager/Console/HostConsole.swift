import CChorus
import Glibc

/// The console terminal and its far side: the terminal `chorus run` was started on, or nothing.
///
/// The loader has put the host's terminal into raw mode; its settings are never touched here.
final class HostConsole: Sendable {
    let terminal: Terminal
    let far: HostFarSide
    private let terminals: [Bool]

    /// `descriptors`: standard input, output and error of the host process.
    init(descriptors: [Int32], effects: EffectSink, threads: ServerThreads, timer: ReadTimer) {
        let terminals = descriptors.map { isatty($0) == 1 }
        self.terminals = terminals
        func first(_ order: [Int], _ unwanted: Int32, terminal: Bool = true) -> Int32? {
            for index in order where index < descriptors.count && (terminals[index] || !terminal) {
                let flags = fcntl(descriptors[index], F_GETFL)
                if flags >= 0 && flags & O_ACCMODE != unwanted { return descriptors[index] }
            }
            return nil
        }
        let input = first([0, 1, 2], O_WRONLY)
        // Without a host terminal, what is written to the console is a message to the operator.
        let output = first([1, 2, 0], O_RDONLY) ?? first([2], O_RDONLY, terminal: false)
        let far = HostFarSide(
            reader: input.map { HostReader(descriptor: $0, threads: threads) },
            writer: output.map { HostWriter(descriptor: $0, threads: threads) })
        self.far = far
        var window = Terminal.Window()
        if let output { _ = ioctl(output, UInt(TtyCommand.tiocgwinsz), &window) }
        terminal = Terminal(
            number: 0, name: "console", major: 5, minor: 1, far: far, effects: effects, timer: timer, window: window)
    }

    func isTerminal(_ number: Int) -> Bool { number < terminals.count && terminals[number] }

    var drained: Bool { !far.outputPending && terminal.state.withLock { $0.line.output.isEmpty } }

    func shutdown() -> Bool { far.shutdown() }
}

/// The host's terminal as the far side of the console.
final class HostFarSide: FarSide {
    let reader: HostReader?
    let writer: HostWriter?

    init(reader: HostReader?, writer: HostWriter?) {
        self.reader = reader
        self.writer = writer
    }

    var kind: LineKind { .console }

    func outputReady(_ terminal: Terminal) {
        if let writer { return writer.kick(terminal) }
        // No host descriptor to write to: output goes nowhere, and nobody waits for it.
        terminal.state.withLock { $0.line.flushOutput() }
        terminal.outputMoved()
    }
    func inputRoom(_ terminal: Terminal) { reader?.kick() }
    var outputPending: Bool { writer?.pending ?? false }
    /// From the first open on the keyboard is read, so that ^C works whether or not anyone reads.
    func opened(_ terminal: Terminal, first: Bool) { reader?.start(terminal) }
    func closed(_ terminal: Terminal, last: Bool) {}

    func shutdown() -> Bool {
        let read = reader?.shutdown() ?? true
        let wrote = writer?.shutdown() ?? true
        return read && wrote
    }
}
