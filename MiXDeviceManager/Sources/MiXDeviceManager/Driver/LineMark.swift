import CMiXDriver
import TerminalLine

/// Bits of TIOCMGET (ioctl_tty(2)).
enum ModemLine {
    static let dtr: UInt32 = 2, rts: UInt32 = 4, loop: UInt32 = 0x8000
    static let ready = dtr | rts
    /// Those that programs set.
    static let outputs = dtr | rts | 0x2000 | 0x4000 | loop
}

/// What an escape in the input of a serial line stands for (mix/mixDriver.h).
enum LineMark {
    case byte  // the escape itself
    case wrong(UInt8, LineDiscipline.Mark)
    case modem(hasCarrier: Bool)

    /// nil: its end is not there yet. A kind that nobody knows is a byte like any other.
    static func first(_ bytes: UnsafeRawBufferPointer) -> (mark: LineMark, size: Int)? {
        guard bytes.count >= 2 else { return nil }
        if bytes[1] == UInt8(DRV_MARK) { return (.byte, 2) }
        guard bytes.count >= 3 else { return nil }
        switch UInt32(bytes[1]) {
        case DRV_MARK_BREAK: return (.wrong(0, .broken), 3)
        case DRV_MARK_ERROR: return (.wrong(bytes[2], .wrong), 3)
        case DRV_MARK_MODEM: return (.modem(hasCarrier: bytes[2] & 2 != 0), 3)
        default: return (.byte, 1)
        }
    }

    /// Nothing, or a mark without its end.
    static func isIncomplete(_ bytes: [UInt8]) -> Bool {
        bytes.isEmpty || bytes.withUnsafeBytes { $0[0] == UInt8(DRV_MARK) && first($0) == nil }
    }
}
