import Testing

@testable import SimulatedBus

/// The driver's side of a virtio device, for tests: two queues of eight, each entry with a buffer of its own.
final class VirtDriver {
    let device: BusDevice
    let memory: DmaMemory
    static let size = 8
    static let room = 2048
    private var made = [UInt16](repeating: 0, count: 2)
    private var seen = [UInt16](repeating: 0, count: 2)

    init(_ device: BusDevice) throws {
        self.device = device
        memory = try #require(device.grant(65536))
    }

    /// FEATURES_OK was kept.
    func negotiate(_ features: UInt64) -> Bool {
        device.store(0x070, 4, 0)
        device.store(0x070, 4, 3)
        for half in 0..<2 as Range<UInt64> {
            device.store(0x024, 4, half)
            device.store(0x020, 4, features >> (32 * half) & 0xffff_ffff)
        }
        device.store(0x070, 4, 11)
        return device.load(0x070, 4) & 8 != 0
    }

    var offered: UInt64 {
        (0..<2 as Range<UInt64>).reduce(0) { sum, half in
            device.store(0x014, 4, half)
            return sum | device.load(0x010, 4) << (32 * half)
        }
    }

    func start(_ features: UInt64 = 1 << 32) {
        #expect(negotiate(features))
        (made, seen) = ([0, 0], [0, 0])
        (memory.start).initializeMemory(as: UInt8.self, repeating: 0, count: memory.size)
        for queue in 0..<2 {
            device.store(0x030, 4, UInt64(queue))
            device.store(0x038, 4, UInt64(Self.size))
            device.store(0x080, 4, memory.bus + base(queue))
            device.store(0x090, 4, memory.bus + base(queue) + 256)
            device.store(0x0a0, 4, memory.bus + base(queue) + 512)
            device.store(0x044, 4, 1)
        }
        device.store(0x070, 4, 15)
    }

    private func base(_ queue: Int) -> UInt64 { UInt64(queue) * 1024 }
    private func place(_ queue: Int, _ entry: Int) -> Int { 4096 + (queue * Self.size + entry) * Self.room }

    func descriptor(_ queue: Int, _ at: Int, _ address: UInt64, _ size: UInt32, _ flags: UInt16, _ next: UInt16 = 0) {
        let place = memory.start + Int(base(queue)) + at * 16
        place.storeBytes(of: address, as: UInt64.self)
        place.storeBytes(of: size, toByteOffset: 8, as: UInt32.self)
        place.storeBytes(of: flags, toByteOffset: 12, as: UInt16.self)
        place.storeBytes(of: next, toByteOffset: 14, as: UInt16.self)
    }

    func available(_ queue: Int, _ head: UInt16) {
        let ring = memory.start + Int(base(queue)) + 256
        ring.storeBytes(of: head, toByteOffset: 4 + Int(made[queue]) % Self.size * 2, as: UInt16.self)
        made[queue] &+= 1
        ring.storeBytes(of: made[queue], toByteOffset: 2, as: UInt16.self)
    }

    /// A buffer for what is to come.
    func give(_ queue: Int = 0, size: Int = room, notify: Bool = true) {
        let entry = Int(made[queue]) % Self.size
        descriptor(queue, entry, memory.bus + UInt64(place(queue, entry)), UInt32(size), 2)
        available(queue, UInt16(entry))
        if notify { device.store(0x050, 4, UInt64(queue)) }
    }

    func send(_ bytes: [UInt8], _ queue: Int = 1) {
        let entry = Int(made[queue]) % Self.size
        UnsafeMutableRawBufferPointer(start: memory.start + place(queue, entry), count: Self.room).copyBytes(
            from: bytes)
        descriptor(queue, entry, memory.bus + UInt64(place(queue, entry)), UInt32(bytes.count), 0)
        available(queue, UInt16(entry))
        device.store(0x050, 4, UInt64(queue))
    }

    func used(_ queue: Int) -> UInt16 {
        memory.start.load(fromByteOffset: Int(base(queue)) + 514, as: UInt16.self) &- seen[queue]
    }

    /// What the device has put into the next buffer; nil while it has none.
    func take(_ queue: Int = 0) -> [UInt8]? {
        guard used(queue) > 0 else { return nil }
        let at = memory.start + Int(base(queue)) + 512 + 4 + Int(seen[queue]) % Self.size * 8
        seen[queue] &+= 1
        let (entry, size) = (Int(at.load(as: UInt32.self)), Int(at.load(fromByteOffset: 4, as: UInt32.self)))
        return Array(UnsafeRawBufferPointer(start: memory.start + place(queue, entry), count: size))
    }

    var needsReset: Bool { device.load(0x070, 4) & 0x40 != 0 }
}
