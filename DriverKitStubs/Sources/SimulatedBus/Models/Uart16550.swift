/// A 16550A serial port (National Semiconductor PC16550D): 16-byte queues, the registers at offsets 0 to 7. Its line goes to
/// `sent`; with nothing there, what is sent comes back (a loop plug).
final class Uart16550: DeviceModel {
    let kind = "ns16550a"
    let id: UInt32 = 0
    let registerSize: UInt32 = 8

    private static let depth = 16
    private var received: [UInt8] = []
    private var divisor: UInt16 = 1
    private var (enable, lineControl, modemControl, scratch): (UInt8, UInt8, UInt8, UInt8) = (0, 0, 0, 0)
    private var fifo = false
    private var transmitterEmptied = false
    private var overrun = false
    /// Where bytes go; nil: back.
    var sent: ((UInt8) -> Void)?

    func reset() {
        received = []
        divisor = 1
        (enable, lineControl, modemControl, scratch) = (0, 0, 0, 0)
        (fifo, transmitterEmptied, overrun) = (false, false, false)
    }

    private var latch: Bool { lineControl & 0x80 != 0 }
    private var loops: Bool { modemControl & 0x10 != 0 }

    func load(_ offset: UInt32, _ width: UInt32, _ bus: DeviceBus) -> UInt64 {
        guard width == 1 else { return .max }
        defer { update(bus) }
        switch offset {
        case 0 where latch: return UInt64(divisor & 0xff)
        case 0: return UInt64(received.isEmpty ? 0 : received.removeFirst())
        case 1 where latch: return UInt64(divisor >> 8)
        case 1: return UInt64(enable)
        case 2:
            let cause = self.cause
            if cause == 0x02 { transmitterEmptied = false }  // reading it answers it
            return UInt64(cause | (fifo ? 0xc0 : 0))
        case 3: return UInt64(lineControl)
        case 4: return UInt64(modemControl)
        case 5:
            let status = 0x60 | (received.isEmpty ? 0 : 1) | (overrun ? 2 : 0)
            overrun = false
            return UInt64(status)
        case 6: return loops ? UInt64(modemControl & 0x0f) << 4 : 0xb0  // CTS, DSR, DCD
        default: return UInt64(scratch)
        }
    }

    func store(_ offset: UInt32, _ width: UInt32, _ value: UInt64, _ bus: DeviceBus) {
        guard width == 1 else { return }
        let byte = UInt8(truncatingIfNeeded: value)
        switch offset {
        case 0 where latch: divisor = divisor & 0xff00 | UInt16(byte)
        case 0:
            transmitterEmptied = true
            if let sent, !loops { sent(byte) } else { receive(byte) }
        case 1 where latch: divisor = divisor & 0x00ff | UInt16(byte) << 8
        case 1:
            if byte & 2 != 0, enable & 2 == 0 { transmitterEmptied = true }
            enable = byte & 0x0f
        case 2:
            fifo = byte & 1 != 0
            if byte & 2 != 0 { received = [] }
        case 3: lineControl = byte
        case 4: modemControl = byte & 0x1f
        case 7: scratch = byte
        default: break
        }
        update(bus)
    }

    func input(_ bytes: UnsafeRawBufferPointer, _ bus: DeviceBus) -> Int {
        let room = (fifo ? Self.depth : 1) - received.count
        let taken = max(0, min(room, bytes.count))
        received += bytes[..<taken]
        update(bus)
        return taken
    }

    private func receive(_ byte: UInt8) {
        if received.count < (fifo ? Self.depth : 1) { received.append(byte) } else { overrun = true }
    }

    /// Interrupt identification, by priority; 1: none.
    private var cause: UInt8 {
        if enable & 4 != 0, overrun { return 0x06 }
        if enable & 1 != 0, !received.isEmpty { return 0x04 }
        if enable & 2 != 0, transmitterEmptied { return 0x02 }
        return 0x01
    }

    private func update(_ bus: DeviceBus) { bus.interrupt(cause != 1 && modemControl & 8 != 0) }
}
