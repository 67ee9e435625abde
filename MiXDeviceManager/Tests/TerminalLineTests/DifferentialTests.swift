import Glibc
import TerminalLine
import Testing

/// The same random settings, keys, writes and reads go to the discipline and to the host's pseudo-terminal.
@Suite struct DifferentialTests {
    private enum Step {
        case settings(Termios)
        case type([UInt8])
        case print([UInt8])
        case read(Int)
        case flush(Int32)
        case flow(Int32)
        case packets(Bool)
    }

    private static let iflags = [
        Termios.istrip, Termios.inlcr, Termios.igncr, Termios.icrnl, Termios.iuclc, Termios.ixon, Termios.ixany,
        Termios.iutf8, Termios.parmrk,
    ]
    private static let oflags = [
        Termios.opost, Termios.opost, Termios.onlcr, Termios.ocrnl, Termios.onocr, Termios.onlret, Termios.xtabs,
        Termios.olcuc,
    ]
    private static let lflags = [
        Termios.isig, Termios.icanon, Termios.icanon, Termios.echo, Termios.echo, Termios.echoe, Termios.echok,
        Termios.echonl, Termios.noflsh, Termios.echoctl, Termios.echoprt, Termios.echoke, Termios.iexten,
        Termios.extproc,
    ]

    private static func settings(_ random: inout SeededGenerator) -> Termios {
        var t = Termios.standard
        if Int.random(in: 0..<3, using: &random) > 0 {
            // Mostly the usual settings with a few flags turned over.
            for _ in 0..<Int.random(in: 0..<4, using: &random) {
                t.iflag ^= iflags.randomElement(using: &random) ?? 0
                t.oflag ^= oflags.randomElement(using: &random) ?? 0
                t.lflag ^= lflags.randomElement(using: &random) ?? 0
            }
        } else {
            t.iflag = iflags.reduce(0) { Bool.random(using: &random) ? $0 | $1 : $0 }
            t.oflag = oflags.reduce(0) { Bool.random(using: &random) ? $0 | $1 : $0 }
            t.lflag = lflags.reduce(0) { Bool.random(using: &random) ? $0 | $1 : $0 }
        }
        if Int.random(in: 0..<4, using: &random) == 0 { t.cc[Termios.veol] = 0x3b }
        if Int.random(in: 0..<4, using: &random) == 0 { t.cc[Termios.veol2] = 0x7c }
        if Int.random(in: 0..<6, using: &random) == 0 { t.cc[Termios.verase] = 0x23 }
        if Int.random(in: 0..<6, using: &random) == 0 { t.cc[Termios.veof] = 0 }
        if Int.random(in: 0..<6, using: &random) == 0 { t.cc[Termios.vstop] = 0x53 }
        t.cc[Termios.vmin] = 1
        return t
    }

    private static func keys(_ random: inout SeededGenerator) -> [UInt8] {
        let editing: [UInt8] = [127, 127, 23, 21, 18, 22, 4, 3, 28, 26, 17, 19, 10, 13, 9, 8, 0x23, 0x3b, 0x7c, 0, 255]
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 1..<24, using: &random) {
            switch Int.random(in: 0..<8, using: &random) {
            case 0, 1: bytes.append(editing.randomElement(using: &random) ?? 10)
            case 2: bytes += Array(["\u{e9}", "\u{20ac}", "\u{1f600}"].randomElement(using: &random)!.utf8)
            case 3: bytes.append(UInt8.random(in: 0...255, using: &random))
            case 4: bytes.append(contentsOf: [0x20, 0x61, 9])
            default: bytes.append(UInt8.random(in: 0x20...0x7e, using: &random))
            }
        }
        return bytes
    }

    /// More than the input queue takes, with a few keys among it. None that flushes, stops, or shows or erases all of it: how
    /// much echo the host holds, and has passed on by then, is its own affair.
    private static func manyKeys(_ random: inout SeededGenerator) -> [UInt8] {
        var bytes = [UInt8](repeating: 0x6d, count: Int.random(in: 2000...5000, using: &random))
        for _ in 0..<Int.random(in: 0..<9, using: &random) {
            bytes[Int.random(in: 0..<bytes.count, using: &random)] =
                [127, 22, 4, 10, 13, 9, 8, 0x3b, 0x7c, 0, 255, 0xe9, 0x80, 0x41].randomElement(using: &random) ?? 10
        }
        return bytes
    }

    private static func steps(_ seed: UInt64) -> [Step] {
        var random = SeededGenerator(seed: seed)
        var steps = [Step.settings(settings(&random))]
        for _ in 0..<Int.random(in: 3..<14, using: &random) {
            switch Int.random(in: 0..<20, using: &random) {
            case 0, 1: steps.append(.settings(settings(&random)))
            case 2...7: steps.append(.type(keys(&random)))
            case 8: steps.append(.type(manyKeys(&random)))
            case 9...11: steps.append(.print(keys(&random)))
            case 12: steps.append(.flush(Int32.random(in: 0...2, using: &random)))
            case 13: steps.append(.flow(Int32.random(in: 0...3, using: &random)))
            case 14: steps.append(.packets(Bool.random(using: &random)))
            default: steps.append(.read([1, 2, 3, 7, 64, 100, 4096].randomElement(using: &random) ?? 1))
            }
        }
        return steps
    }

    /// For a person: long runs of one byte are counted.
    private static func text(_ bytes: [UInt8]) -> String {
        var words: [String] = []
        var at = 0
        while at < bytes.count {
            let run = bytes[at...].prefix { $0 == bytes[at] }.count
            words.append(
                run > 4 ? "\(bytes[at])x\(run)" : Array(repeating: "\(bytes[at])", count: run).joined(separator: " "))
            at += run
        }
        return words.count > 200 ? "…" : words.joined(separator: " ")
    }

    private static func text(_ step: Step) -> String {
        switch step {
        case .settings(let t):
            let flags = [t.iflag, t.oflag, t.lflag].map { String($0, radix: 8) }
            return "settings \(flags.joined(separator: " ")) stop \(t.cc[9])"
        case .type(let bytes): return "type \(text(bytes))"
        case .print(let bytes): return "print \(text(bytes))"
        default: return "\(step)"
        }
    }

    /// nil where both agree, else what differed.
    private static func compare(_ seed: UInt64, quiet: Int32) -> String? {
        guard let host = HostPty() else { return "no pseudo-terminal" }
        var line = LineDiscipline(waitingCapacity: 8192)
        for (index, step) in steps(seed).enumerated() {
            var at: String { steps(seed)[...index].map(text).joined(separator: "; ") }
            switch step {
            case .settings(let t):
                host.set(t)
                line.setTermios(t)
            case .type(let bytes) where bytes.count > 1000 && line.termios.local(Termios.extproc):
                continue  // Linux loses count of an overflow with EXTPROC
            case .type(let bytes):
                let mine = line.type(bytes)
                let theirs = max(0, host.type(bytes))
                if mine != theirs {
                    // How much may wait beyond the queue is the host's own affair.
                    return line.rawCount > 4000 ? nil : "\(at): took \(mine), host \(theirs)"
                }
            case .print(let bytes):
                // Stopped: the host says EAGAIN, the discipline takes nothing.
                let mine = line.print(bytes)
                let theirs = max(0, host.print(bytes))
                guard mine == theirs else { return "\(at): wrote \(mine), host \(theirs)" }
            case .read(let size):
                let mine = line.got(size)
                let theirs = host.read(size)
                guard mine == theirs else { return "\(at): read \(mine as Any), host \(theirs as Any)" }
            case .flush(let queue):
                if queue != TCOFLUSH { line.flushAllInput() }
                if queue != TCIFLUSH { line.flushOutput() }
                tcflush(host.slave, queue)
            case .flow(let action):
                if action < 2 { line.flow(stop: action == 0) } else { line.sendFlow(stop: action == 2) }
                tcflow(host.slave, action)
            case .packets(let on):
                line.setPackets(on)
                host.packets(on)
            }
            let mine = line.whatIsShown()
            let theirs = host.shown(quiet: quiet, packets: line.packets)
            guard mine == theirs else {
                return "\(at): shows \(mine.status) \(text(mine.output)), host \(theirs.status) \(text(theirs.output))"
            }
            guard line.readable == Int(host.readable) else {
                return "\(at): readable \(line.readable), host \(host.readable)"
            }
        }
        return nil
    }

    @Test func sameAsTheHost() {
        let base = getenv("CHORUS_SEED").flatMap { UInt64(String(cString: $0)) } ?? 1991
        let cases = getenv("CHORUS_CASES").flatMap { Int(String(cString: $0)) } ?? 500
        Swift.print("differential test: CHORUS_SEED=\(base)")
        guard HostPty() != nil else {
            Swift.print("this host gives no pseudo-terminal: nothing to compare with")
            return
        }
        for seed in base..<(base + UInt64(cases)) {
            // The host moves bytes in the background: a difference counts when it stays with ever longer waits.
            guard [0, 10, 100].allSatisfy({ Self.compare(seed, quiet: $0) != nil }) else { continue }
            let difference = Self.compare(seed, quiet: 1000)
            #expect(difference == nil, "seed \(seed)")
            if difference != nil { return }
        }
    }

    /// Much echo that the host has not put out yet, and a line that is full: the host is one character further or not as far.
    @Test(arguments: [22_748_801_373_561, 17_967_189_473_332] as [UInt64])
    func differsStill(_ seed: UInt64) {
        guard HostPty() != nil else { return }
        withKnownIssue(isIntermittent: true) { #expect(Self.compare(seed, quiet: 100) == nil) }
    }
}
