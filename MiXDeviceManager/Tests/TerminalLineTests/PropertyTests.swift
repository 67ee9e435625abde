import TerminalLine
import Testing

@Suite struct PropertyTests {
    /// How input is cut into pieces changes neither what can be read nor the signals; nothing read was never typed.
    @Test func piecesDoNotMatter() {
        var draw = SystemRandomNumberGenerator()
        let base = draw.next() >> 16
        print("property test: seed \(base)")
        for seed in base..<(base + 300) {
            var random = SeededGenerator(seed: seed)
            var settings = Termios.standard
            settings.iflag ^= UInt32.random(in: 0..<0o100000, using: &random) & ~Termios.parmrk
            settings.lflag ^= 1 << UInt32.random(in: 0..<16, using: &random)
            let bytes = (0..<Int.random(in: 0..<3000, using: &random)).map { _ -> UInt8 in
                Int.random(in: 0..<4, using: &random) == 0
                    ? UInt8.random(in: 0...255, using: &random) : UInt8.random(in: 0x20...0x7f, using: &random)
            }
            var whole = LineDiscipline()
            var pieces = LineDiscipline()
            whole.setTermios(settings)
            pieces.setTermios(settings)
            let taken = whole.type(bytes)
            var at = 0
            while at < bytes.count {
                let end = min(bytes.count, at + Int.random(in: 1..<50, using: &random))
                let now = pieces.type(Array(bytes[at..<end]))
                _ = pieces.shown()
                if now == 0 { break }
                at += now
            }
            #expect(at == taken, "seed \(seed)")
            #expect(whole.signals == pieces.signals, "seed \(seed)")
            var total = 0
            while true {
                let size = [1, 5, 80, 4096].randomElement(using: &random) ?? 1
                let a = whole.got(size)
                guard a == pieces.got(size) else {
                    Issue.record("reads differ, seed \(seed)")
                    return
                }
                guard let a else { break }
                total += a.count
            }
            #expect(total <= bytes.count, "seed \(seed)")
        }
    }
}
