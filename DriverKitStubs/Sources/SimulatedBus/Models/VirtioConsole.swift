/// A console (VIRTIO 1.2, section 5.3): port 0, and the size of its window.
final class VirtioConsole: VirtioTransport {
    private let far: any LineEnd
    private let columns: UInt16
    private let rows: UInt16
    /// Bytes of the chain under way that the far end has taken.
    private var taken = 0
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1024, alignment: 16)
    /// From the far end, for which there was no room yet.
    private var held = 0..<0
    private let input = UnsafeMutableRawBufferPointer.allocate(byteCount: 1024, alignment: 16)

    private static let sizeBit: UInt64 = 1 << 0
    private static let (receiveQueue, transmitQueue) = (0, 1)

    init(far: any LineEnd, columns: UInt16, rows: UInt16) {
        self.far = far
        self.columns = columns
        self.rows = rows
    }

    deinit {
        buffer.deallocate()
        input.deallocate()
    }

    override var id: UInt32 { 3 }
    override var queueCount: Int { 2 }
    override var offered: UInt64 { Self.sizeBit }
    override var configuration: [UInt8] {
        // cols, rows, max_nr_ports (without F_MULTIPORT one).
        [columns, rows, 1, 0].flatMap { [UInt8($0 & 0xff), UInt8($0 >> 8)] }
    }

    override func reset() {
        super.reset()
        (taken, held) = (0, 0..<0)
        far.reset()
    }

    override func notified(_ queue: Int, _ bus: DeviceBus) { arrived(bus) }

    override func arrived(_ bus: DeviceBus) {
        // With a loop plug each makes room for the other.
        while transmit(bus) || receive(bus) {}
    }

    /// False where nothing moved.
    private func transmit(_ bus: DeviceBus) -> Bool {
        guard isReady(Self.transmitQueue), let chain = peek(Self.transmitQueue, bus) else { return false }
        let before = taken
        while true {
            let count = chain.read(buffer, at: taken)
            if count == 0 { break }
            let sent = far.send(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            taken += sent
            if sent < count { return taken != before }
        }
        taken = 0
        skip(Self.transmitQueue)
        done(chain, Self.transmitQueue, written: 0, bus)
        return true
    }

    private func receive(_ bus: DeviceBus) -> Bool {
        guard isReady(Self.receiveQueue), hasNext(Self.receiveQueue, bus) else { return false }
        if held.isEmpty { held = 0..<far.receive(input) }
        guard !held.isEmpty, let chain = next(Self.receiveQueue, bus) else { return false }
        let count = chain.write(UnsafeRawBufferPointer(rebasing: input[held]))
        held = held.lowerBound + count..<held.upperBound
        done(chain, Self.receiveQueue, written: UInt32(count), bus)
        return true
    }

    override func plugged(_ device: BusDevice) throws(DeviceProblem) { try far.plug(device) }
    override func unplugged() { far.unplug() }
    override var notes: String { far.notes }
}
