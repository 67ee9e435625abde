import ActorKit
import TerminalLine

/// A terminal, and the master of a pseudo-terminal, as a message of the state.
extension DeviceManager {
    func write(_ terminal: Terminal, _ out: inout StateWriter) {
        out.put(UInt32(terminal.number))
        terminal.state.withLock { $0.write(&out) }
        // A slave that is still open may have lost its master.
        let pty = terminal.far as? PtyMaster
        let isMastered = terminals.withLock { $0.masters[terminal.number] != nil }
        out.put(isMastered)
        guard let pty else { return }
        out.put(pty.secret)
        pty.state.withLock { state in
            out.put(state.locked)
            out.put(UInt32(truncatingIfNeeded: state.opens))
            out.put(state.slaveOpened)
            out.put(state.exclusive)
            out.put(state.isStopped)
        }
    }

    /// The console's, or a new pseudo-terminal; nil where the message makes no sense.
    func takeTerminal(_ input: inout StateReader) -> Terminal? {
        guard let number: UInt32 = input.get(), number <= SerialLine.firstNumber + 256,
            let saved = TerminalImage(&input),
            let isMastered = input.flag()
        else { return nil }
        let terminal: Terminal
        if number == 0 {
            terminal = console.terminal
        } else if number >= SerialLine.firstNumber {
            guard let known = terminals.withLock({ $0.terminal(Int(number)) }) else { return nil }
            terminal = known
        } else {
            guard let master = takeMaster(&input), terminals.withLock({ $0.terminal(Int(number)) }) == nil else {
                return nil
            }
            terminal = Terminal(
                number: Int(number), name: "pts/\(number - 1)", major: 136, minor: number - 1, far: master,
                effects: effects, timer: timer)
            terminals.withLock { table in
                table.add(terminal)
                if isMastered { table.masters[Int(number)] = master }
            }
        }
        guard terminal.state.withLock({ $0.restore(saved) }) else { return nil }
        if saved.session != 0 { terminals.withLock { $0.bind(saved.session, saved.foreground, terminal) } }
        return terminal
    }

    private func takeMaster(_ input: inout StateReader) -> PtyMaster? {
        guard let secret: UInt64 = input.get(), let locked = input.flag(), let opens: UInt32 = input.get(),
            let slaveOpened = input.flag(), let exclusive = input.flag(), let isStopped = input.flag()
        else { return nil }
        var state = PtyMaster.State()
        state.locked = locked
        state.opens = Int(Int32(bitPattern: opens))
        state.slaveOpened = slaveOpened
        state.exclusive = exclusive
        state.isStopped = isStopped
        return PtyMaster(effects: effects, secret: secret, state)
    }
}

/// What is carried of a terminal. Signals are under way in no instance that rests.
private struct TerminalImage {
    var line: LineImage
    var window: Terminal.Window
    var session: Int32
    var foreground: Int32
    var exclusive: Bool
    var secret: UInt64
    var generation: UInt64
    var gone: Bool
    var opens: Int
    var deadOpens: Int
    var mode: UInt32
    var uid: UInt32
    var gid: UInt32
    var locked: TermiosImage.Short?
    var readers: [UInt64: BlockedRead]
    var cutOff: Set<UInt64>
    var drainers: Set<UInt64>
    var lastInput: UInt64
    var flushesSeen: UInt64
}

extension Terminal.State {
    fileprivate func write(_ out: inout StateWriter) {
        line.image.write(&out)
        for value in [window.rows, window.columns, window.xPixels, window.yPixels] { out.put(value) }
        out.put(session)
        out.put(foreground)
        out.put(exclusive)
        out.put(secret)
        out.put(generation)
        out.put(gone)
        out.put(Int32(clamping: opens))
        out.put(Int32(clamping: deadOpens))
        for value in [mode, uid, gid] { out.put(value) }
        out.put(UInt32(readers.count))
        for (owner, read) in readers.sorted(by: { $0.key < $1.key }) {
            out.put(owner)
            out.put(UInt32(clamping: read.need))
            out.put(read.deadline)
        }
        for owners in [drainers, cutOff] {
            out.put(UInt32(owners.count))
            for owner in owners.sorted() { out.put(owner) }
        }
        out.put(locked.map { withUnsafeBytes(of: $0) { Array($0) } } ?? [])
        out.put(lastInput)
        out.put(flushesSeen)
    }

    fileprivate mutating func restore(_ saved: TerminalImage) -> Bool {
        guard line.restore(saved.line) else { return false }
        window = saved.window
        session = saved.session
        foreground = saved.foreground
        exclusive = saved.exclusive
        secret = saved.secret
        generation = saved.generation
        gone = saved.gone
        opens = saved.opens
        deadOpens = saved.deadOpens
        (mode, uid, gid) = (saved.mode, saved.uid, saved.gid)
        readers = saved.readers
        drainers = saved.drainers
        cutOff = saved.cutOff
        locked = saved.locked
        lastInput = saved.lastInput
        flushesSeen = saved.flushesSeen
        return true
    }
}

extension TerminalImage {
    init?(_ input: inout StateReader) {
        guard let line = LineImage(&input), let rows: UInt16 = input.get(), let columns: UInt16 = input.get(),
            let xPixels: UInt16 = input.get(), let yPixels: UInt16 = input.get(), let session: Int32 = input.get(),
            let foreground: Int32 = input.get(), let exclusive = input.flag(), let secret: UInt64 = input.get(),
            secret >> 63 == 0, let generation: UInt64 = input.get(), let gone = input.flag(),
            let opens: Int32 = input.get(), opens >= 0, let deadOpens: Int32 = input.get(),
            let mode: UInt32 = input.get(),
            let uid: UInt32 = input.get(), let gid: UInt32 = input.get(), let readerCount: UInt32 = input.get()
        else { return nil }
        var readers: [UInt64: BlockedRead] = [:]
        for _ in 0..<readerCount {
            guard let owner: UInt64 = input.get(), let need: UInt32 = input.get(), let deadline: UInt64 = input.get()
            else { return nil }
            readers[owner] = BlockedRead(need: Int(need), deadline: deadline)
        }
        guard let drainers = Self.owners(&input), let cutOff = Self.owners(&input), let lock = input.bytes(),
            lock.isEmpty || lock.count == MemoryLayout<TermiosImage.Short>.size
        else { return nil }
        let locked = lock.isEmpty ? nil : lock.withUnsafeBytes { $0.loadUnaligned(as: TermiosImage.Short.self) }
        guard let lastInput: UInt64 = input.get(), let flushesSeen: UInt64 = input.get() else { return nil }
        self.init(
            line: line, window: Terminal.Window(rows: rows, columns: columns, xPixels: xPixels, yPixels: yPixels),
            session: session, foreground: foreground, exclusive: exclusive, secret: secret, generation: generation,
            gone: gone, opens: Int(opens), deadOpens: Int(deadOpens), mode: mode, uid: uid, gid: gid,
            locked: locked, readers: readers, cutOff: cutOff, drainers: drainers, lastInput: lastInput,
            flushesSeen: flushesSeen)
    }

    private static func owners(_ input: inout StateReader) -> Set<UInt64>? {
        guard let count: UInt32 = input.get() else { return nil }
        var owners: Set<UInt64> = []
        for _ in 0..<count {
            guard let owner: UInt64 = input.get() else { return nil }
            owners.insert(owner)
        }
        return owners
    }
}
