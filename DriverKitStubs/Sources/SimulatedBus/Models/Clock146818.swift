import Glibc

/// The clock of a PC (Motorola MC146818A), binary and 24 hours: an index register at 0, the data at 1. It runs beside the
/// host's clock; setting it moves it against that one.
final class Clock146818: DeviceModel {
    let kind = "mc146818"
    let id: UInt32 = 0
    let registerSize: UInt32 = 2

    private var index: UInt8 = 0
    private var memory = [UInt8](repeating: 0, count: 128)
    private var shift: Int = 0
    private var held: tm?

    func reset() {
        index = 0
        held = nil
    }

    private static let control = 0x0b
    private var halted: Bool { memory[Self.control] & 0x80 != 0 }

    private var fields: tm {
        if let held { return held }
        var now = time(nil) + shift
        var parts = tm()
        gmtime_r(&now, &parts)
        return parts
    }

    func load(_ offset: UInt32, _ width: UInt32, _ bus: DeviceBus) -> UInt64 {
        guard width == 1 else { return .max }
        if offset == 0 { return UInt64(index) }
        let parts = fields
        switch index {
        case 0x00: return UInt64(parts.tm_sec)
        case 0x02: return UInt64(parts.tm_min)
        case 0x04: return UInt64(parts.tm_hour)
        case 0x06: return UInt64(parts.tm_wday + 1)
        case 0x07: return UInt64(parts.tm_mday)
        case 0x08: return UInt64(parts.tm_mon + 1)
        case 0x09: return UInt64(parts.tm_year % 100)
        case 0x32: return UInt64(19 + parts.tm_year / 100)
        case 0x0a: return 0x26
        case 0x0b: return UInt64(memory[Self.control] & 0x80 | 0x06)
        case 0x0c: return 0
        case 0x0d: return 0x80
        default: return UInt64(memory[Int(index & 0x7f)])
        }
    }

    func store(_ offset: UInt32, _ width: UInt32, _ value: UInt64, _ bus: DeviceBus) {
        guard width == 1 else { return }
        let byte = UInt8(truncatingIfNeeded: value)
        if offset == 0 {
            index = byte & 0x7f
            return
        }
        let number = Int32(byte)
        if index == 0x0b {
            let wasHalted = halted
            memory[Self.control] = byte
            // Set while halted, it starts from there.
            if halted, !wasHalted { held = fields }
            if !halted, wasHalted, var parts = held {
                held = nil
                shift = timegm(&parts) - time(nil)
            }
            return
        }
        guard var parts = held else {
            memory[Int(index)] = byte
            return
        }
        switch index {
        case 0x00: parts.tm_sec = number
        case 0x02: parts.tm_min = number
        case 0x04: parts.tm_hour = number
        case 0x07: parts.tm_mday = number
        case 0x08: parts.tm_mon = number - 1
        case 0x09: parts.tm_year = parts.tm_year / 100 * 100 + number
        case 0x32: parts.tm_year = (number - 19) * 100 + parts.tm_year % 100
        default: memory[Int(index)] = byte
        }
        held = parts
    }
}
