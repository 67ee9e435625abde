import TerminalLine
import Testing

/// What is typed, what is shown for it, and what can be read: one row a rule.
@Suite struct TableTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let rule: String
        let typed: String
        let shown: String
        let lines: [String]
        var signals: [Int32] = []
        var settings: @Sendable (inout Termios) -> Void = { _ in }
        var testDescription: String { rule }
    }

    static let rows: [Row] = [
        Row(rule: "a line", typed: "ab\r", shown: "ab\r\n", lines: ["ab\n"]),
        Row(rule: "no line yet", typed: "ab", shown: "ab", lines: []),
        Row(rule: "erase", typed: "ab\u{7f}c\n", shown: "ab\u{8} \u{8}c\r\n", lines: ["ac\n"]),
        Row(rule: "erase at the start", typed: "\u{7f}c\n", shown: "c\r\n", lines: ["c\n"]),
        Row(
            rule: "erase of a UTF-8 character", typed: "a\u{20ac}\u{7f}\n", shown: "a\u{20ac}\u{8} \u{8}\r\n",
            lines: ["a\n"], settings: { $0.iflag |= Termios.iutf8 }),
        Row(
            rule: "erase of a control character", typed: "\u{1}\u{7f}\n",
            shown: "^A\u{8} \u{8}\u{8} \u{8}\r\n", lines: ["\n"]),
        Row(
            rule: "erase of a tab", typed: "ab\t\u{7f}\n", shown: "ab\t\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}\r\n",
            lines: ["ab\n"]),
        Row(
            rule: "word erase", typed: "one two \u{17}\n",
            shown: "one two " + String(repeating: "\u{8} \u{8}", count: 4) + "\r\n", lines: ["one \n"]),
        Row(
            rule: "kill", typed: "abc\u{15}x\n", shown: "abc" + String(repeating: "\u{8} \u{8}", count: 3) + "x\r\n",
            lines: ["x\n"]),
        Row(
            rule: "kill without ECHOKE", typed: "abc\u{15}x\n", shown: "abc^U\r\nx\r\n", lines: ["x\n"],
            settings: { $0.lflag &= ~Termios.echoke }),
        Row(rule: "reprint", typed: "ab\u{12}c\n", shown: "ab^R\r\nabc\r\n", lines: ["abc\n"]),
        Row(rule: "literal next", typed: "\u{16}\u{3}\n", shown: "^\u{8}^C\r\n", lines: ["\u{3}\n"]),
        Row(rule: "end of file", typed: "\u{4}", shown: "", lines: [""]),
        Row(rule: "end of file behind text", typed: "ab\u{4}", shown: "ab", lines: ["ab"]),
        Row(
            rule: "second line end", typed: "ab;c\n", shown: "ab;c\r\n", lines: ["ab;", "c\n"],
            settings: { $0.cc[Termios.veol] = 0x3b }),
        Row(rule: "interrupt flushes", typed: "ab\u{3}c\n", shown: "^Cc\r\n", lines: ["c\n"], signals: [2]),
        Row(
            rule: "interrupt with NOFLSH", typed: "ab\u{3}c\n", shown: "ab^Cc\r\n", lines: ["abc\n"], signals: [2],
            settings: { $0.lflag |= Termios.noflsh }),
        Row(rule: "quit and suspend", typed: "\u{1c}\u{1a}", shown: "^Z", lines: [], signals: [3, 20]),
        Row(
            rule: "no ISIG", typed: "\u{3}\n", shown: "^C\r\n", lines: ["\u{3}\n"],
            settings: { $0.lflag &= ~Termios.isig }),
        Row(rule: "no echo", typed: "ab\n", shown: "", lines: ["ab\n"], settings: { $0.lflag &= ~Termios.echo }),
        Row(
            rule: "ECHONL alone", typed: "ab\n", shown: "\r\n", lines: ["ab\n"],
            settings: { $0.lflag = $0.lflag & ~Termios.echo | Termios.echonl }),
        Row(
            rule: "no ECHOCTL", typed: "\u{1}\n", shown: "\u{1}\r\n", lines: ["\u{1}\n"],
            settings: { $0.lflag &= ~Termios.echoctl }),
        Row(
            rule: "ECHOPRT", typed: "ab\u{7f}\u{7f}c\n", shown: "ab\\ba/c\r\n", lines: ["c\n"],
            settings: { $0.lflag |= Termios.echoprt }),
        Row(rule: "IGNCR", typed: "a\rb\n", shown: "ab\r\n", lines: ["ab\n"], settings: { $0.iflag |= Termios.igncr }),
        Row(
            rule: "INLCR", typed: "a\n", shown: "a^M", lines: [],
            settings: { $0.iflag = Termios.inlcr }),
        Row(
            rule: "ISTRIP", typed: "\u{e9}\n", shown: "C)\r\n", lines: ["C)\n"],
            settings: { $0.iflag |= Termios.istrip }),
        Row(rule: "stop and start", typed: "a\u{13}b\u{11}c", shown: "abc", lines: []),
        Row(rule: "stopped", typed: "a\n\u{13}b", shown: "", lines: ["a\n"]),
        Row(rule: "IXANY", typed: "a\u{13}b", shown: "ab", lines: [], settings: { $0.iflag |= Termios.ixany }),
        Row(
            rule: "raw", typed: "a\r\u{3}\u{7f}", shown: "", lines: ["a\r\u{3}\u{7f}"],
            settings: {
                $0.iflag = 0
                $0.lflag = 0
            }),
        Row(rule: "no OPOST", typed: "a\n", shown: "a\n", lines: ["a\n"], settings: { $0.oflag = 0 }),
    ]

    @Test(arguments: rows) func rule(_ row: Row) {
        var line = LineDiscipline()
        line.change(row.settings)
        line.type(row.typed)
        #expect(String(decoding: line.shown(), as: UTF8.self) == row.shown)
        var lines: [String] = []
        while let got = line.got() {
            lines.append(String(decoding: got, as: UTF8.self))
            if got.isEmpty && lines.count > 10 { break }
        }
        #expect(lines == row.lines)
        #expect(line.signals == row.signals)
    }

    @Test func outputProcessing() {
        let table: [(UInt32, String, String)] = [
            (Termios.onlcr, "a\nb", "a\r\nb"), (Termios.ocrnl, "a\rb", "a\nb"), (Termios.onocr, "\ra\r\r", "a\r"),
            (Termios.onlret | Termios.onocr, "a\n\rb", "a\nb"), (Termios.xtabs, "a\tb\t", "a       b       "),
            (Termios.olcuc, "a\u{7a}", "AZ"), (0, "a\r\n\t", "a\r\n\t"),
        ]
        for (flags, written, shown) in table {
            var line = LineDiscipline()
            line.change { $0.oflag = Termios.opost | flags }
            #expect(line.print(Array(written.utf8)) == written.utf8.count)
            #expect(String(decoding: line.shown(), as: UTF8.self) == shown)
        }
    }

    @Test func aLineHasALimit() {
        var line = LineDiscipline()
        line.change { $0.lflag &= ~Termios.echo }
        for _ in 0..<5 { _ = line.type([UInt8](repeating: 0x61, count: 1000)) }
        line.type("b\n")
        let got = line.got(8192)
        #expect(got?.count == 4096)
        #expect(got?.last == 10)
    }

    @Test func fullWithoutALineRefusesInRawMode() {
        var line = LineDiscipline()
        line.change { ($0.iflag, $0.lflag) = (0, 0) }
        #expect(line.type([UInt8](repeating: 1, count: 5000)) == 4095)
        let canReceive = line.canReceive
        #expect(!canReceive)
        #expect(line.got(100)?.count == 100)
        #expect(line.type([1]) == 1)
    }

    @Test func switchingModesKeepsWhatIsQueued() {
        var line = LineDiscipline()
        line.type("abc")
        line.change { $0.lflag &= ~Termios.icanon }
        #expect(line.got(2) == Array("ab".utf8))
        line.change { $0.lflag |= Termios.icanon }
        #expect(line.got() == Array("c".utf8))
        #expect(line.got() == nil)
    }

    @Test func outputNeverPassesItsRoom() {
        var line = LineDiscipline(outputCapacity: 16)
        #expect(line.print(Array("0123456789abcdef\n".utf8)) == 16)
        #expect(line.print([10]) == 0)
        #expect(line.shown().count == 16)
        line.type("x")
        #expect(line.print([10]) == 1)
        #expect(line.shown() == [0x78, 13, 10])
    }

    /// Breaks and bytes that arrived wrong (termios(3)).
    @Test func marks() {
        let table: [(UInt32, LineDiscipline.Mark, [UInt8]?)] = [
            (0, .broken, [0]), (Termios.ignbrk, .broken, nil), (Termios.parmrk, .broken, [0xff, 0, 0]),
            (Termios.ignbrk | Termios.parmrk | Termios.brkint, .broken, nil), (0, .wrong, [0x78]),
            (Termios.ignpar, .wrong, [0x78]), (Termios.inpck, .wrong, [0]),
            (Termios.inpck | Termios.ignpar, .wrong, nil),
            (Termios.inpck | Termios.parmrk, .wrong, [0xff, 0, 0x78]),
        ]
        for (flags, mark, read) in table {
            var line = LineDiscipline()
            line.change { ($0.iflag, $0.lflag) = (flags, 0) }
            let isTaken = line.receive(0x78, mark)
            #expect(isTaken && line.got() == read, "\(flags) \(mark)")
        }
        var line = LineDiscipline()
        line.change { $0.iflag = Termios.brkint }
        line.type("lost")
        _ = line.receive(0, .broken)
        #expect(line.signals == [2] && line.rawCount == 0)
    }

    @Test func whatWaitsFollows() {
        var line = LineDiscipline(waitingCapacity: 8192)
        line.change { ($0.iflag, $0.lflag) = (Termios.ixon, 0) }
        #expect(line.type([UInt8](repeating: 1, count: 5000) + [0o23]) == 5001)
        #expect(line.print([2]) == 0, "STOP acts at once")
        var total = 0
        while let got = line.got(1000) { total += got.count }
        #expect(total == 5000)
        line.type("\u{11}")
        #expect(line.print([2]) == 1)
    }
}
