/// The teaching device of QEMU's documentation ("EDU device"), at the same register offsets: identification, liveness check,
/// factorial with an interrupt, and a DMA engine over a 4 KiB buffer of its own.
final class Edu: DeviceModel {
    let kind = "edu"
    let id: UInt32 = 0
    let registerSize: UInt32 = 0x100

    private static let bufferAddress: UInt64 = 0x40000
    private var live: UInt32 = 0
    private var factorial: UInt32 = 0
    private var interruptOnDone = false
    private var interrupts: UInt32 = 0
    private var dma = (source: UInt64(0), destination: UInt64(0), count: UInt64(0), command: UInt64(0))
    private var buffer = [UInt8](repeating: 0, count: 4096)

    func reset() {
        (live, factorial, interruptOnDone, interrupts) = (0, 0, false, 0)
        dma = (0, 0, 0, 0)
        buffer = [UInt8](repeating: 0, count: 4096)
    }

    func load(_ offset: UInt32, _ width: UInt32, _ bus: DeviceBus) -> UInt64 {
        switch (offset, width) {
        case (0x00, 4): 0x0100_00ed
        case (0x04, 4): UInt64(~live)
        case (0x08, 4): UInt64(factorial)
        case (0x20, 4): interruptOnDone ? 0x80 : 0
        case (0x24, 4): UInt64(interrupts)
        case (0x80, 4), (0x80, 8): dma.source
        case (0x88, 4), (0x88, 8): dma.destination
        case (0x90, 4), (0x90, 8): dma.count
        case (0x98, 4), (0x98, 8): dma.command
        default: .max
        }
    }

    func store(_ offset: UInt32, _ width: UInt32, _ value: UInt64, _ bus: DeviceBus) {
        let low = UInt32(truncatingIfNeeded: value)
        switch (offset, width) {
        case (0x04, 4): live = low
        case (0x08, 4):
            factorial = low == 0 ? 1 : (1...max(1, min(low, 4096))).reduce(1) { $0 &* $1 }
            if interruptOnDone { raise(1, bus) }
        case (0x20, 4): interruptOnDone = low & 0x80 != 0
        case (0x60, 4): raise(low, bus)
        case (0x64, 4):
            interrupts &= ~low
            bus.interrupt(interrupts != 0)
        case (0x80, 4), (0x80, 8): dma.source = value
        case (0x88, 4), (0x88, 8): dma.destination = value
        case (0x90, 4), (0x90, 8): dma.count = value
        case (0x98, 4), (0x98, 8):
            dma.command = value
            if value & 1 != 0 { transfer(bus) }
        default: break
        }
    }

    private func raise(_ bits: UInt32, _ bus: DeviceBus) {
        interrupts |= bits
        bus.interrupt(interrupts != 0)
    }

    /// Command: 1 start, 2 from the device to memory, 4 interrupt 0x100 when done. The start bit stays while it is not done, and so
    /// for good where the transfer came to a halt.
    private func transfer(_ bus: DeviceBus) {
        let out = dma.command & 2 != 0
        let inside = out ? dma.source : dma.destination
        let outside = out ? dma.destination : dma.source
        let count = Int(clamping: dma.count)
        guard inside >= Self.bufferAddress, count <= buffer.count,
            Int(inside - Self.bufferAddress) <= buffer.count - count,
            let memory = bus.memory(outside, count, writes: out)
        else { return }
        let at = Int(inside - Self.bufferAddress)
        let moved = bus.fails(.shortDma) ? count / 2 : count
        buffer.withUnsafeMutableBytes { buffer in
            let mine = UnsafeMutableRawBufferPointer(rebasing: buffer[at..<at + moved])
            let theirs = UnsafeMutableRawBufferPointer(rebasing: memory[..<moved])
            if out {
                theirs.copyMemory(from: UnsafeRawBufferPointer(mine))
            } else {
                mine.copyMemory(from: UnsafeRawBufferPointer(theirs))
            }
        }
        guard moved == count else { return }
        dma.command &= ~1
        if dma.command & 4 != 0 { raise(0x100, bus) }
    }
}
