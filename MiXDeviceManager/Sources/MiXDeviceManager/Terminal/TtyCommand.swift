/// Numbers of ioctl_tty(2) on x86-64, spelled here so that they do not depend on the host's headers.
enum TtyCommand {
    static let tcgets: UInt32 = 0x5401, tcsets: UInt32 = 0x5402, tcsetsw: UInt32 = 0x5403, tcsetsf: UInt32 = 0x5404
    static let tcgeta: UInt32 = 0x5405, tcseta: UInt32 = 0x5406, tcsetaw: UInt32 = 0x5407, tcsetaf: UInt32 = 0x5408
    static let tcsbrk: UInt32 = 0x5409, tcxonc: UInt32 = 0x540a, tcflsh: UInt32 = 0x540b
    static let tiocexcl: UInt32 = 0x540c, tiocnxcl: UInt32 = 0x540d, tiocsctty: UInt32 = 0x540e
    static let tiocgpgrp: UInt32 = 0x540f, tiocspgrp: UInt32 = 0x5410, tiocoutq: UInt32 = 0x5411
    static let tiocsti: UInt32 = 0x5412, tiocgwinsz: UInt32 = 0x5413, tiocswinsz: UInt32 = 0x5414
    static let tiocmget: UInt32 = 0x5415, tiocmbis: UInt32 = 0x5416, tiocmbic: UInt32 = 0x5417
    static let tiocmset: UInt32 = 0x5418, tiocgsoftcar: UInt32 = 0x5419, tiocssoftcar: UInt32 = 0x541a
    static let fionread: UInt32 = 0x541b, tiocpkt: UInt32 = 0x5420, tiocnotty: UInt32 = 0x5422
    static let tiocsetd: UInt32 = 0x5423, tiocgetd: UInt32 = 0x5424, tcsbrkp: UInt32 = 0x5425
    static let tiocsbrk: UInt32 = 0x5427, tioccbrk: UInt32 = 0x5428, tiocgsid: UInt32 = 0x5429
    static let tcgets2: UInt32 = 0x802c_542a, tcsets2: UInt32 = 0x402c_542b
    static let tcsetsw2: UInt32 = 0x402c_542c, tcsetsf2: UInt32 = 0x402c_542d
    static let tiocgptn: UInt32 = 0x8004_5430, tiocsptlck: UInt32 = 0x4004_5431, tiocgdev: UInt32 = 0x8004_5432
    static let tiocsig: UInt32 = 0x4004_5436, tiocvhangup: UInt32 = 0x5437, tiocgpkt: UInt32 = 0x8004_5438
    static let tiocgptlck: UInt32 = 0x8004_5439, tiocgexcl: UInt32 = 0x8004_5440, tiocgptpeer: UInt32 = 0x5441
    static let tiocglcktrmios: UInt32 = 0x5456, tiocslcktrmios: UInt32 = 0x5457

    /// New settings: how they come, and whether queued output goes first and queued input is thrown away.
    enum Settings { case termios, termios2, termio }

    static func settings(_ command: UInt32) -> (form: Settings, drains: Bool, flushes: Bool)? {
        switch command {
        case tcsets: (.termios, false, false)
        case tcsetsw: (.termios, true, false)
        case tcsetsf: (.termios, true, true)
        case tcsets2: (.termios2, false, false)
        case tcsetsw2: (.termios2, true, false)
        case tcsetsf2: (.termios2, true, true)
        case tcseta: (.termio, false, false)
        case tcsetaw: (.termio, true, false)
        case tcsetaf: (.termio, true, true)
        default: nil
        }
    }

    /// Refused from the background with SIGTTOU.
    static func changes(_ command: UInt32) -> Bool {
        switch command {
        case tcsbrk, tcsbrkp, tiocsbrk, tioccbrk, tcxonc, tcflsh, tiocspgrp, tiocsetd: true
        default: settings(command) != nil
        }
    }
}
