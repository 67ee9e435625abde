import Glibc
import Testing

@testable import SimulatedBus

/// A host that keeps the levels of the lines.
final class FakeHost: BusHost, @unchecked Sendable {
    // Sendable: one thread in these tests.
    var raised: [UInt32: Int] = [:]
    var edges = 0
    var gone: [String] = []
    var reports: [String] = []
    func level(_ line: UInt32, _ raised: Bool) { self.raised[line, default: 0] += raised ? 1 : -1 }
    func spurious(_ line: UInt32) { edges += 1 }
    func isGone(_ device: BusDevice) { gone.append(device.name) }
    func report(_ line: String) { reports.append(line) }
    func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) -> Bool {
        final class Start {
            let body: @Sendable () -> Void; init(_ body: @escaping @Sendable () -> Void) { self.body = body }
        }
        var thread = pthread_t()
        let made = pthread_create(
            &thread, nil,
            { argument in
                if let argument { Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().body() }
                return nil
            }, Unmanaged.passRetained(Start(body)).toOpaque())
        if made == 0 { pthread_detach(thread) }
        return made == 0
    }
}

@Suite struct BusTests {
    let host = FakeHost()

    func device(_ text: String) throws -> BusDevice {
        var description = try DeviceDescription(text)
        let model = try description.makeModel()
        return BusDevice(name: description.name, line: 9, model: model, host: host)
    }

    @Test func registersAreChecked() throws {
        let edu = try device("e edu")
        #expect(edu.load(0, 4) == 0x0100_00ed)
        #expect(edu.load(1, 4) == .max && edu.load(0x100, 4) == .max && edu.load(.max - 3, 4) == .max)
        edu.store(0x04, 4, 0x1234)
        #expect(edu.load(0x04, 4) == 0xffff_edcb)
        edu.remove()
        #expect(edu.load(0, 4) == .max)
    }

    @Test func aLevelStaysUntilAcknowledged() throws {
        let edu = try device("e edu")
        edu.store(0x20, 4, 0x80)
        edu.store(0x08, 4, 5)
        #expect(edu.load(0x08, 4) == 120 && host.raised[9] == 1)
        edu.gate(true)
        #expect(host.raised[9] == 0, "masked")
        edu.gate(false)
        #expect(host.raised[9] == 1)
        edu.store(0x64, 4, 1)
        #expect(host.raised[9] == 0)
    }

    @Test func dmaReachesWhatWasGranted() throws {
        let edu = try device("e edu")
        let memory = try #require(edu.grant(100))
        #expect(memory.size == 4096)
        memory.start.storeBytes(of: 77, as: UInt8.self)
        func move(_ source: UInt64, _ destination: UInt64, _ command: UInt64) {
            edu.store(0x80, 8, source)
            edu.store(0x88, 8, destination)
            edu.store(0x90, 8, 16)
            edu.store(0x98, 8, command)
        }
        move(memory.bus, 0x40000, 1)
        memory.start.storeBytes(of: 0, as: UInt8.self)
        move(0x40000, memory.bus, 3)
        #expect(memory.start.load(as: UInt8.self) == 77)
        move(0x40000, memory.bus + 4090, 3)
        #expect(edu.status.strays == 1 && host.reports.count == 1)
        edu.revoke(memory)
        move(0x40000, memory.bus, 3)
        #expect(edu.status.strays == 2)
    }

    @Test func serialQueues() throws {
        let port = try device("s uart16550")
        #expect(port.load(5, 1) & 0x60 == 0x60)
        port.store(2, 1, 0xc1)
        port.store(4, 1, 8)
        port.store(1, 1, 1)
        let bytes = [UInt8](0..<20)
        #expect(bytes.withUnsafeBytes { port.input($0) } == 16)
        #expect(host.raised[9] == 1 && port.load(2, 1) & 0x0f == 4)
        #expect((0..<16).map { _ in UInt8(port.load(0, 1)) } == Array(bytes[..<16]))
        #expect(port.load(5, 1) & 1 == 0 && host.raised[9] == 0)
    }

    @Test func aClockIsSet() throws {
        let clock = try device("c rtc")
        func put(_ at: UInt64, _ value: UInt64) {
            clock.store(0, 1, at)
            clock.store(1, 1, value)
        }
        func get(_ at: UInt64) -> UInt64 {
            clock.store(0, 1, at)
            return clock.load(1, 1)
        }
        put(0x0b, 0x86)
        for (at, value) in [(0x32, 20), (0x09, 31), (0x08, 12), (0x07, 30), (0x04, 23), (0x02, 58), (0x00, 1)]
            as [(UInt64, UInt64)]
        {
            put(at, value)
        }
        put(0x0b, 0x06)
        #expect(get(0x09) == 31 && get(0x08) == 12 && get(0x07) == 30 && get(0x04) == 23 && get(0x02) == 58)
    }

    @Test func wrongDescriptions() {
        for text in [
            "", "one", "x nothing", "a/b edu", "d virtio-blk", "d virtio-blk image=/no/such/file", "d edu nonsense",
        ] {
            #expect(throws: DeviceProblem.self) {
                var description = try DeviceDescription(text)
                _ = try description.makeModel()
            }
        }
    }
}

/// Virtqueues as a driver lays them out, right and wrong.
@Suite struct VirtioTests {
    let host = FakeHost()

    struct Disk {
        let device: BusDevice
        let memory: DmaMemory

        func descriptor(_ at: Int, _ address: UInt64, _ size: UInt32, _ flags: UInt16, _ next: UInt16) {
            let place = memory.start + at * 16
            place.storeBytes(of: address, as: UInt64.self)
            place.storeBytes(of: size, toByteOffset: 8, as: UInt32.self)
            place.storeBytes(of: flags, toByteOffset: 12, as: UInt16.self)
            place.storeBytes(of: next, toByteOffset: 14, as: UInt16.self)
        }

        /// Makes the chain at `head` the next one; the queue lies at 0, 256 and 512 of the memory, the data at 1024.
        func submit(_ head: UInt16, _ count: UInt16) {
            memory.start.storeBytes(of: head, toByteOffset: 256 + 4 + Int((count - 1) % 8) * 2, as: UInt16.self)
            memory.start.storeBytes(of: count, toByteOffset: 256 + 2, as: UInt16.self)
            device.store(0x050, 4, 0)
        }

        var used: UInt16 { memory.start.load(fromByteOffset: 512 + 2, as: UInt16.self) }
        var status: UInt8 { memory.start.load(fromByteOffset: 3000, as: UInt8.self) }

        func head(_ type: UInt32, _ sector: UInt64) {
            memory.start.storeBytes(of: type, toByteOffset: 1024, as: UInt32.self)
            memory.start.storeBytes(of: sector, toByteOffset: 1032, as: UInt64.self)
        }
    }

    func disk() throws -> Disk {
        var description = try DeviceDescription("d virtio-blk size=65536")
        let model = try description.makeModel()
        let device = BusDevice(name: "d", line: 9, model: model, host: host)
        let memory = try #require(device.grant(4096))
        #expect(device.load(0, 4) == 0x7472_6976 && device.load(4, 4) == 2 && device.load(8, 4) == 2)
        #expect(device.load(0x100, 4) == 128, "sectors")
        device.store(0x070, 4, 3)
        device.store(0x024, 4, 1)
        device.store(0x020, 4, 1)
        device.store(0x070, 4, 11)
        #expect(device.load(0x070, 4) & 8 != 0)
        device.store(0x038, 4, 8)
        device.store(0x080, 4, memory.bus)
        device.store(0x090, 4, memory.bus + 256)
        device.store(0x0a0, 4, memory.bus + 512)
        device.store(0x044, 4, 1)
        device.store(0x070, 4, 15)
        return Disk(device: device, memory: memory)
    }

    @Test func writesAndReads() throws {
        let disk = try disk()
        let bus = disk.memory.bus
        for (type, flags) in [(UInt32(1), UInt16(1)), (0, 3)] {
            disk.head(type, 5)
            (disk.memory.start + 1500).initializeMemory(as: UInt8.self, repeating: type == 1 ? 0x5a : 0, count: 512)
            disk.descriptor(0, bus + 1024, 16, 1, 1)
            disk.descriptor(1, bus + 1500, 512, flags, 2)
            disk.descriptor(2, bus + 3000, 1, 2, 0)
            let before = disk.used
            disk.submit(0, before + 1)
            #expect(disk.used == before + 1 && disk.status == 0 && host.raised[9] == 1)
            disk.device.store(0x064, 4, 1)
            #expect(host.raised[9] == 0)
        }
        #expect((0..<512).allSatisfy { disk.memory.start.load(fromByteOffset: 1500 + $0, as: UInt8.self) == 0x5a })
        disk.head(0, 128)
        disk.submit(0, 3)
        #expect(disk.status == 1, "behind the end")
        disk.head(99, 0)
        disk.submit(0, 4)
        #expect(disk.status == 2, "unknown")
    }

    @Test func nonsenseNeedsAReset() throws {
        for kind in 0..<5 {
            let disk = try disk()
            let bus = disk.memory.bus
            disk.head(0, 0)
            disk.descriptor(0, bus + 1024, 16, 1, 1)
            switch kind {
            case 0: disk.descriptor(1, bus + 1500, 512, 3, 0)  // round in a circle
            case 1: disk.descriptor(1, bus + 4000, 512, 3, 2)  // outside the grant
            case 2: disk.descriptor(1, bus + 1500, 512, 3, 9)  // no such descriptor
            case 3: disk.descriptor(1, bus + 1500, .max, 3, 2)
            default: disk.descriptor(0, bus + 1024, 16, 3, 1)  // readable behind writable
            }
            if kind == 4 { disk.descriptor(1, bus + 1500, 512, 1, 2) }
            disk.descriptor(2, bus + 3000, 1, 2, 0)
            disk.submit(0, 1)
            #expect(disk.used == 0 && disk.device.load(0x070, 4) & 0x40 != 0, "kind \(kind)")
            disk.device.store(0x070, 4, 0)
            #expect(disk.device.load(0x070, 4) == 0)
        }
    }
}
