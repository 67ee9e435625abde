/// Terminal settings, in the numbers of Linux x86-64 (termios(3), asm-generic/termbits.h).
///
/// The names are spelled here and not imported so that the discipline is a pure value on any host.
package struct Termios: Sendable {
    package var iflag: UInt32
    package var oflag: UInt32
    package var cflag: UInt32
    package var lflag: UInt32
    package var line: UInt8 = 0
    package var cc: InlineArray<19, UInt8>
    package var ispeed: UInt32 = 38400
    package var ospeed: UInt32 = 38400

    package init(
        iflag: UInt32, oflag: UInt32, cflag: UInt32, lflag: UInt32, line: UInt8 = 0, cc: InlineArray<19, UInt8>,
        ispeed: UInt32 = 38400, ospeed: UInt32 = 38400
    ) {
        self.iflag = iflag
        self.oflag = oflag
        self.cflag = cflag
        self.lflag = lflag
        self.line = line
        self.cc = cc
        self.ispeed = ispeed
        self.ospeed = ospeed
    }

    /// What Linux gives a fresh terminal (tty_std_termios).
    package static var standard: Termios {
        var cc = InlineArray<19, UInt8>(repeating: 0)
        cc[Termios.vintr] = 3
        cc[Termios.vquit] = 28
        cc[Termios.verase] = 127
        cc[Termios.vkill] = 21
        cc[Termios.veof] = 4
        cc[Termios.vmin] = 1
        cc[Termios.vstart] = 17
        cc[Termios.vstop] = 19
        cc[Termios.vsusp] = 26
        cc[Termios.vreprint] = 18
        cc[Termios.vdiscard] = 15
        cc[Termios.vwerase] = 23
        cc[Termios.vlnext] = 22
        return Termios(
            iflag: icrnl | ixon, oflag: opost | onlcr, cflag: b38400 | cs8 | cread,
            lflag: isig | icanon | echo | echoe | echok | echoctl | echoke | iexten, cc: cc)
    }

    /// What Linux gives a serial line (uart_register_driver): it needs no carrier, and hangs up at the last close.
    package static var serial: Termios {
        var settings = standard
        settings.cflag = b9600 | cs8 | cread | hupcl | clocal
        (settings.ispeed, settings.ospeed) = (9600, 9600)
        return settings
    }

    package func input(_ bit: UInt32) -> Bool { iflag & bit != 0 }
    package func output(_ bit: UInt32) -> Bool { oflag & bit != 0 }
    package func local(_ bit: UInt32) -> Bool { lflag & bit != 0 }

    /// A control character, or nil where it is disabled (_POSIX_VDISABLE is 0).
    package func control(_ index: Int) -> UInt8? { cc[index] == 0 ? nil : cc[index] }
}

extension Termios {
    package static let vintr = 0, vquit = 1, verase = 2, vkill = 3, veof = 4, vtime = 5, vmin = 6
    package static let vstart = 8, vstop = 9, vsusp = 10, veol = 11, vreprint = 12, vdiscard = 13
    package static let vwerase = 14, vlnext = 15, veol2 = 16

    package static let ignbrk: UInt32 = 0o1, brkint: UInt32 = 0o2, ignpar: UInt32 = 0o4, parmrk: UInt32 = 0o10
    package static let inpck: UInt32 = 0o20, istrip: UInt32 = 0o40
    package static let inlcr: UInt32 = 0o100, igncr: UInt32 = 0o200, icrnl: UInt32 = 0o400, iuclc: UInt32 = 0o1000
    package static let ixon: UInt32 = 0o2000, ixany: UInt32 = 0o4000, ixoff: UInt32 = 0o10000
    package static let iutf8: UInt32 = 0o40000

    package static let opost: UInt32 = 0o1, olcuc: UInt32 = 0o2, onlcr: UInt32 = 0o4, ocrnl: UInt32 = 0o10
    package static let onocr: UInt32 = 0o20, onlret: UInt32 = 0o40, tabdly: UInt32 = 0o14000, xtabs: UInt32 = 0o14000

    package static let csize: UInt32 = 0o60, cs8: UInt32 = 0o60, cread: UInt32 = 0o200, parenb: UInt32 = 0o400
    package static let hupcl: UInt32 = 0o2000, clocal: UInt32 = 0o4000
    package static let cbaud: UInt32 = 0o10017, b9600: UInt32 = 0o15, b38400: UInt32 = 0o17, bother: UInt32 = 0o10000

    package static let isig: UInt32 = 0o1, icanon: UInt32 = 0o2, echo: UInt32 = 0o10, echoe: UInt32 = 0o20
    package static let echok: UInt32 = 0o40, echonl: UInt32 = 0o100, noflsh: UInt32 = 0o200, tostop: UInt32 = 0o400
    package static let echoctl: UInt32 = 0o1000, echoprt: UInt32 = 0o2000, echoke: UInt32 = 0o4000
    package static let iexten: UInt32 = 0o100000, extproc: UInt32 = 0o200000
}

extension UInt8 {
    // Latin-1 classes, as the kernel's terminals use them for word erase and case mapping.
    var isControl: Bool { self < 0x20 || self == 0x7f }
    var isUpper: Bool { (0x41...0x5a).contains(self) || (0xc0...0xde).contains(self) && self != 0xd7 }
    var isLower: Bool { (0x61...0x7a).contains(self) || self >= 0xdf && self != 0xf7 }
    var isWord: Bool { isUpper || isLower || (0x30...0x39).contains(self) || self == 0x5f }
    var lowered: UInt8 { isUpper ? self &+ 32 : self }
    // y with diaeresis and sharp s have no capital in Latin-1, but the plain subtraction is what Linux does.
    var raised: UInt8 { isLower ? self &- 32 : self }
}
