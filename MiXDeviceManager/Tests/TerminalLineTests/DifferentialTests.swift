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
        case flush
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

    private static func steps(_ seed: UInt64) -> [Step] {
        var random = SeededGenerator(seed: seed)
        var steps = [Step.settings(settings(&random))]
        for _ in 0..<Int.random(in: 3..<14, using: &random) {
            switch Int.random(in: 0..<12, using: &random) {
            case 0: steps.append(.settings(settings(&random)))
            case 1...5: steps.append(.type(keys(&random)))
            case 6, 7: steps.append(.print(keys(&random)))
            case 8: steps.append(.flush)
            default: steps.append(.read([1, 2, 3, 7, 64, 100, 4096].randomElement(using: &random) ?? 1))
            }
        }
        return steps
    }

    /// nil where both agree, else what differed.
    private static func compare(_ seed: UInt64, quiet: Int32) -> String? {
        guard let host = HostPty() else { return "no pseudo-terminal" }
        var line = LineDiscipline()
        for (index, step) in steps(seed).enumerated() {
            let at = "step \(index) \(step)"
            switch step {
            case .settings(let t):
                host.set(t)
                line.setTermios(t)
            case .type(let bytes):
                guard host.type(bytes) == line.type(bytes) else { return "\(at): bytes taken differ" }
            case .print(let bytes):
                // Stopped: the host says EAGAIN, the discipline takes nothing.
                let mine = line.print(bytes)
                let theirs = max(0, host.print(bytes))
                guard mine == theirs else { return "\(at): wrote \(mine), host \(theirs)" }
            case .read(let size):
                let mine = line.got(size)
                let theirs = host.read(size)
                guard mine == theirs else { return "\(at): read \(mine as Any), host \(theirs as Any)" }
            case .flush:
                line.flushInput()
                tcflush(host.slave, TCIFLUSH)
            }
            let mine = line.shown()
            let theirs = host.shown(quiet: quiet)
            guard mine == theirs else { return "\(at): shows \(mine), host \(theirs)" }
            guard line.readable == Int(host.readable) else {
                return "\(at): readable \(line.readable), host \(host.readable)"
            }
        }
        return nil
    }

    @Test func sameAsTheHost() {
        var draw = SystemRandomNumberGenerator()
        let given = getenv("CHORUS_SEED").flatMap { UInt64(String(cString: $0)) }
        let base = given ?? draw.next() >> 16
        let cases = getenv("CHORUS_CASES").flatMap { Int(String(cString: $0)) } ?? 300
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
}
