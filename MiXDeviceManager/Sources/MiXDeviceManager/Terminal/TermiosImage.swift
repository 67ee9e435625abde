import TerminalLine

/// struct termios2 of the kernel, 44 bytes; its first 36 are struct termios (asm-generic/termbits.h).
struct TermiosImage: BitwiseCopyable {
    struct Short: BitwiseCopyable {
        var iflag: UInt32
        var oflag: UInt32
        var cflag: UInt32
        var lflag: UInt32
        var line: UInt8
        var cc: InlineArray<19, UInt8>

        /// The speeds follow from the flags.
        var termios: Termios {
            let out = TermiosImage.speed(cflag, 38400)
            return TermiosImage(short: self, ispeed: TermiosImage.inputSpeed(cflag, out, 38400), ospeed: out).settings
        }
    }

    var short: Short
    var ispeed: UInt32
    var ospeed: UInt32
}

extension TermiosImage {
    init(_ t: Termios) {
        short = Short(iflag: t.iflag, oflag: t.oflag, cflag: t.cflag, lflag: t.lflag, line: t.line, cc: t.cc)
        ispeed = t.ispeed
        ospeed = t.ospeed
    }

    var termios: Termios {
        let out = Self.speed(short.cflag, ospeed)
        return TermiosImage(short: short, ispeed: Self.inputSpeed(short.cflag, out, ispeed), ospeed: out).settings
    }

    fileprivate var settings: Termios {
        Termios(
            iflag: short.iflag, oflag: short.oflag, cflag: short.cflag, lflag: short.lflag, line: short.line,
            cc: short.cc,
            ispeed: ispeed, ospeed: ospeed)
    }

    private static let slow: [UInt32] = [
        0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400,
    ]
    private static let fast: [UInt32] = [
        57600, 115200, 230400, 460800, 500000, 576000, 921600, 1_000_000, 1_152_000, 1_500_000, 2_000_000, 2_500_000,
        3_000_000, 3_500_000, 4_000_000,
    ]

    fileprivate static func speed(_ cflag: UInt32, _ other: UInt32) -> UInt32 {
        let code = cflag & Termios.cbaud
        if code == Termios.bother { return other }
        return code < 16 ? slow[Int(code)] : fast[Int(code & 15) - 1]
    }

    fileprivate static func inputSpeed(_ cflag: UInt32, _ out: UInt32, _ other: UInt32) -> UInt32 {
        let code = cflag >> 16 & Termios.cbaud
        return code == 0 ? out : speed(code, other)
    }
}

extension Terminal.Window: BitwiseCopyable {}
