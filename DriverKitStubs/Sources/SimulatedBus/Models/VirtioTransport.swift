/// The registers of virtio over MMIO, version 2 (VIRTIO 1.2, section 4.2), and split virtqueues (section 2.7). A device adds
/// its features, its configuration space and what it does with a queue's buffers.
class VirtioTransport: DeviceModel {
    let kind = "virtio-mmio"
    var id: UInt32 { 0 }
    let registerSize: UInt32 = 0x200
    /// Feature bits that the device offers beside VIRTIO_F_VERSION_1.
    var offered: UInt64 { 0 }
    var queueCount: Int { 1 }
    var configuration: [UInt8] { [] }
    /// Serves what the driver made available in `queue`.
    func notified(_ queue: Int, _ bus: DeviceBus) {}

    static let version1: UInt64 = 1 << 32
    private static let most: UInt16 = 256
    private var status: UInt32 = 0
    private var interrupts: UInt32 = 0
    private var generation: UInt32 = 0  // of the configuration space (section 2.5.1)
    private(set) var accepted: UInt64 = 0
    private var selected: (device: UInt32, driver: UInt32, queue: UInt32) = (0, 0, 0)
    private lazy var queues = [VirtQueue](repeating: VirtQueue(), count: queueCount)

    func reset() {
        (status, interrupts, accepted) = (0, 0, 0)
        selected = (0, 0, 0)
        queues = [VirtQueue](repeating: VirtQueue(), count: queueCount)
    }

    var isRunning: Bool { status & 4 != 0 && status & 0x40 == 0 }

    func load(_ offset: UInt32, _ width: UInt32, _ bus: DeviceBus) -> UInt64 {
        if offset >= 0x100 { return configured(Int(offset - 0x100), Int(width)) }
        guard width == 4 else { return .max }
        let queue = Int(selected.queue) < queues.count ? queues[Int(selected.queue)] : nil
        switch offset {
        case 0x000: return 0x7472_6976  // "virt"
        case 0x004: return 2
        case 0x008: return UInt64(id)
        case 0x00c: return 0x4843_584d
        case 0x010:
            return (offered | Self.version1) >> (selected.device == 0 ? 0 : selected.device == 1 ? 32 : 63)
                & 0xffff_ffff
        case 0x034: return queue == nil ? 0 : UInt64(Self.most)
        case 0x044: return queue?.isReady == true ? 1 : 0
        case 0x060: return UInt64(interrupts)
        case 0x070: return UInt64(status)
        case 0x0fc: return UInt64(generation)
        default: return 0
        }
    }

    private func configured(_ offset: Int, _ width: Int) -> UInt64 {
        let bytes = configuration
        var value: UInt64 = 0
        for index in (0..<width).reversed() {
            value = value << 8 | UInt64(offset + index < bytes.count ? bytes[offset + index] : 0)
        }
        return value
    }

    func store(_ offset: UInt32, _ width: UInt32, _ value: UInt64, _ bus: DeviceBus) {
        guard offset < 0x100, width == 4 else { return }
        let low = UInt32(truncatingIfNeeded: value)
        switch offset {
        case 0x014: selected.device = low
        case 0x020:
            let shift: UInt64 = selected.driver == 0 ? 0 : 32
            if selected.driver < 2 { accepted = accepted & ~(0xffff_ffff << shift) | UInt64(low) << shift }
        case 0x024: selected.driver = low
        case 0x030: selected.queue = low
        case 0x050: if isRunning, Int(low) < queues.count, queues[Int(low)].isReady { notified(Int(low), bus) }
        case 0x064:
            interrupts &= ~low
            bus.interrupt(interrupts != 0)
        case 0x070: setStatus(low, bus)
        default: storeQueue(offset, low)
        }
    }

    private func setStatus(_ now: UInt32, _ bus: DeviceBus) {
        if now == 0 {
            reset()
            return bus.isReset()
        }
        status = now
        // FEATURES_OK stays only for what the device offers (section 3.1.1).
        let unknown = accepted & ~(offered | Self.version1)
        if now & 8 != 0, unknown != 0 || accepted & Self.version1 == 0 { status &= ~8 }
    }

    private func storeQueue(_ offset: UInt32, _ value: UInt32) {
        guard Int(selected.queue) < queues.count else { return }
        let index = Int(selected.queue)
        func low(_ address: inout UInt64) { address = address & ~0xffff_ffff | UInt64(value) }
        func high(_ address: inout UInt64) { address = address & 0xffff_ffff | UInt64(value) << 32 }
        switch offset {
        case 0x038:
            let size = UInt16(clamping: value)
            if size > 0, size <= Self.most, size & (size - 1) == 0 { queues[index].size = size }
        case 0x044:
            queues[index].isReady = value & 1 != 0 && queues[index].size > 0
            if !queues[index].isReady { queues[index].restart() }
        case 0x080: low(&queues[index].descriptors)
        case 0x084: high(&queues[index].descriptors)
        case 0x090: low(&queues[index].available)
        case 0x094: high(&queues[index].available)
        case 0x0a0: low(&queues[index].used)
        case 0x0a4: high(&queues[index].used)
        default: break
        }
    }

    /// The next chain of buffers that the driver made available; nil when there is none, or what it says makes no sense.
    func next(_ queue: Int, _ bus: DeviceBus) -> VirtChain? {
        do { return try queues[queue].next(bus) } catch {
            fail(bus)
            return nil
        }
    }

    /// As `next`, without taking it: `skip` does.
    func peek(_ queue: Int, _ bus: DeviceBus) -> VirtChain? {
        let seen = queues[queue].seen
        defer { queues[queue].seen = seen }
        return next(queue, bus)
    }

    func skip(_ queue: Int) { queues[queue].seen &+= 1 }

    func isReady(_ queue: Int) -> Bool { isRunning && queues[queue].isReady }
    func hasNext(_ queue: Int, _ bus: DeviceBus) -> Bool { queues[queue].hasNext(bus) }

    /// Gives a chain back with `written` bytes put into it.
    func done(_ chain: VirtChain, _ queue: Int, written: UInt32, _ bus: DeviceBus) {
        guard queues[queue].put(chain.head, written, bus) else { return fail(bus) }
        guard queues[queue].wantsInterrupt(bus) else { return }
        interrupts |= 1
        bus.interrupt(true)
    }

    /// The configuration space says something else than before (section 2.3).
    func configurationChanged(_ bus: DeviceBus) {
        generation &+= 1
        guard isRunning else { return }
        interrupts |= 2
        bus.interrupt(true)
    }

    /// DEVICE_NEEDS_RESET, and a configuration change to say so (section 2.1.2).
    private func fail(_ bus: DeviceBus) {
        status |= 0x40
        interrupts |= 2
        bus.interrupt(true)
    }

    func input(_ bytes: UnsafeRawBufferPointer, _ bus: DeviceBus) -> Int { bytes.count }
    func arrived(_ bus: DeviceBus) {}
    func plugged(_ device: BusDevice) throws(DeviceProblem) {}
    func settle() {}
    func unplugged() {}
    var notes: String { "" }
}
