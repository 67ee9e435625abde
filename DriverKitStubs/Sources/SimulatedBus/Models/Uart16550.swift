/// A 16550A serial port (National Semiconductor PC16550D): 16-byte queues in both directions, line and modem status, the
/// registers at offsets 0 to 7. The carrier is there while somebody is at the far end.
final class Uart16550: DeviceModel {
    let kind = "ns16550a"
    let id: UInt32 = 0
    let registerSize: UInt32 = 8

    private static let depth = 16
    /// A received byte and what was wrong with it: bits of the line status register.
    private struct Received {
        var byte: UInt8
        var errors: UInt8
    }
    private static let (overrunBit, breakBit): (UInt8, UInt8) = (0x02, 0x10)

    private let far: any LineEnd
    private var received: [Received] = []
    private var transmit: [UInt8] = []
    private var divisor: UInt16 = 1
    private var (enable, lineControl, modemControl, scratch): (UInt8, UInt8, UInt8, UInt8) = (0, 0, 0, 0)
    private var fifo = false
    private var transmitterEmptied = false
    private var overrun = false
    private var wasConnected = false
    private var modemChanges: UInt8 = 0

    init(far: any LineEnd) {
        self.far = far
        wasConnected = far.isConnected
    }

    func reset() {
        (received, transmit) = ([], [])
        divisor = 1
        (enable, lineControl, modemControl, scratch) = (0, 0, 0, 0)
        (fifo, transmitterEmptied, overrun) = (false, false, false)
        (wasConnected, modemChanges) = (far.isConnected, 0)
        far.reset()
    }

    private var latch: Bool { lineControl & 0x80 != 0 }
    private var loops: Bool { modemControl & 0x10 != 0 }
    private var room: Int { (fifo ? Self.depth : 1) - received.count }

    func load(_ offset: UInt32, _ width: UInt32, _ bus: DeviceBus) -> UInt64 {
        guard width == 1 else { return .max }
        defer { update(bus) }
        switch offset {
        case 0 where latch: return UInt64(divisor & 0xff)
        case 0:
            let byte = received.isEmpty ? 0 : received.removeFirst().byte
            if received.isEmpty { pull() }
            return UInt64(byte)
        case 1 where latch: return UInt64(divisor >> 8)
        case 1: return UInt64(enable)
        case 2:
            let cause = self.cause
            if cause == 0x02 { transmitterEmptied = false }  // reading it answers it
            return UInt64(cause | (fifo ? 0xc0 : 0))
        case 3: return UInt64(lineControl)
        case 4: return UInt64(modemControl)
        case 5: return UInt64(lineStatus())
        case 6: return UInt64(modemStatus())
        default: return UInt64(scratch)
        }
    }

    /// What is wrong is said once, of the byte that is next.
    private func lineStatus() -> UInt8 {
        var status: UInt8 = transmit.isEmpty ? 0x60 : 0
        if overrun { status |= Self.overrunBit }
        overrun = false
        guard let next = received.first else { return status }
        status |= 1 | next.errors
        if fifo, received.contains(where: { $0.errors != 0 }) { status |= 0x80 }
        received[0].errors = 0
        return status
    }

    private func modemStatus() -> UInt8 {
        defer { modemChanges = 0 }
        // CTS, DSR, RI, DCD of the loop are RTS, DTR, OUT1, OUT2.
        if loops {
            let out = modemControl
            return (out & 2) << 3 | (out & 1) << 5 | (out & 4) << 4 | (out & 8) << 4
        }
        return (wasConnected ? 0xb0 : 0) | modemChanges
    }

    func store(_ offset: UInt32, _ width: UInt32, _ value: UInt64, _ bus: DeviceBus) {
        guard width == 1 else { return }
        let byte = UInt8(truncatingIfNeeded: value)
        switch offset {
        case 0 where latch: divisor = divisor & 0xff00 | UInt16(byte)
        case 0: send(byte)
        case 1 where latch: divisor = divisor & 0x00ff | UInt16(byte) << 8
        case 1:
            if byte & 2 != 0, enable & 2 == 0, transmit.isEmpty { transmitterEmptied = true }
            enable = byte & 0x0f
        case 2:
            fifo = byte & 1 != 0
            if byte & 2 != 0 { received = [] }
            if byte & 4 != 0 { transmit = [] }
        case 3:
            // A break reaches the receiver where the line leads back.
            if byte & 0x40 != 0, lineControl & 0x40 == 0, loops || far.isLoop {
                pull()
                receive(0, Self.breakBit)
            }
            lineControl = byte
        case 4: modemControl = byte & 0x1f
        case 7: scratch = byte
        default: break
        }
        update(bus)
    }

    private func send(_ byte: UInt8) {
        if loops {
            receive(byte, 0)
            transmitterEmptied = true
            return
        }
        if transmit.count < Self.depth { transmit.append(byte) }  // who writes without looking loses
        flush()
        if far.isLoop { pull() }
    }

    /// What the far end takes; the rest waits, and with it the driver.
    private func flush() {
        guard !transmit.isEmpty else { return }
        let count = transmit.withUnsafeBytes { far.send($0) }
        transmit.removeFirst(min(count, transmit.count))
        if transmit.isEmpty { transmitterEmptied = true }
    }

    private func pull() {
        let wanted = room
        guard wanted > 0, !loops else { return }
        withUnsafeTemporaryAllocation(byteCount: wanted, alignment: 1) { buffer in
            let count = far.receive(buffer)
            for byte in buffer[..<count] { received.append(Received(byte: byte, errors: 0)) }
        }
    }

    func input(_ bytes: UnsafeRawBufferPointer, _ bus: DeviceBus) -> Int {
        let taken = max(0, min(room, bytes.count))
        for byte in bytes[..<taken] { received.append(Received(byte: byte, errors: 0)) }
        update(bus)
        return taken
    }

    private func receive(_ byte: UInt8, _ errors: UInt8) {
        if room > 0 { received.append(Received(byte: byte, errors: errors)) } else { overrun = true }
    }

    func arrived(_ bus: DeviceBus) {
        let isConnected = far.isConnected
        if isConnected != wasConnected {
            wasConnected = isConnected
            modemChanges |= 0x0b  // DCD, DSR, CTS
        }
        flush()
        pull()
        update(bus)
    }

    /// Interrupt identification, by priority; 1: none.
    private var cause: UInt8 {
        if enable & 4 != 0, overrun || received.first.map({ $0.errors != 0 }) ?? false { return 0x06 }
        if enable & 1 != 0, !received.isEmpty { return 0x04 }
        if enable & 2 != 0, transmitterEmptied { return 0x02 }
        if enable & 8 != 0, modemChanges != 0 { return 0x00 }
        return 0x01
    }

    private func update(_ bus: DeviceBus) { bus.interrupt(cause != 1 && modemControl & 8 != 0) }

    func plugged(_ device: BusDevice) throws(DeviceProblem) { try far.plug(device) }
    func unplugged() { far.unplug() }
    var notes: String { far.notes }
}
