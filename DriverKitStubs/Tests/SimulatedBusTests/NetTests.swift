import Glibc
import Testing

@testable import SimulatedBus

/// Two network devices and the cable between them.
@Suite struct NetTests {
    let host = FakeHost()
    let cables = Cables()

    func device(_ text: String, line: UInt32 = 9) throws -> BusDevice {
        var description = try DeviceDescription(text)
        let model = try description.makeModel(cables)
        #expect(description.settings.isEmpty)
        let device = BusDevice(name: description.name, line: line, model: model, host: host)
        try device.plug()
        return device
    }

    func pair(_ settings: String = "") throws -> (VirtDriver, VirtDriver) {
        let first = try VirtDriver(device("net0 virtio-net cable=c \(settings)", line: 9))
        let second = try VirtDriver(device("net1 virtio-net cable=c", line: 10))
        first.start()
        second.start()
        return (first, second)
    }

    func frame(_ count: Int, _ seed: UInt8 = 1) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0) ^ seed } }
    static let head = [UInt8](repeating: 0, count: 12)
    static let received = [UInt8](repeating: 0, count: 10) + [1, 0]

    @Test func features() throws {
        let driver = try VirtDriver(device("n virtio-net address=52:54:00:12:34:56 mtu=9000"))
        #expect(driver.device.load(0x008, 4) == 1 && driver.offered == 1 << 32 | 1 << 16 | 1 << 5 | 1 << 3)
        #expect(!driver.negotiate(1 << 5), "without VIRTIO_F_VERSION_1")
        #expect(!driver.negotiate(1 << 32 | 1 << 15), "VIRTIO_NET_F_MRG_RXBUF is not offered")
        #expect(driver.negotiate(1 << 32 | 1 << 5 | 1 << 16))
        #expect((0..<6).map { driver.device.load(0x100 + $0, 1) } == [0x52, 0x54, 0, 0x12, 0x34, 0x56])
        #expect(driver.device.load(0x106, 2) == 0 && driver.device.load(0x10a, 2) == 9000)
    }

    @Test func addresses() throws {
        let (first, again, other) = (
            MacAddress(derivedFrom: "net0"), MacAddress(derivedFrom: "net0"), MacAddress(derivedFrom: "net1")
        )
        #expect(first == again && first != other && first.bytes[0] == 2)
        for bad in ["", "01:00:00:00:00:01", "00:00:00:00:00:00", "2:0:0:0:0:0", "02:00:00:00:00", "02:00:00:00:00:0g"]
        {
            #expect(MacAddress(bad) == nil, "\(bad)")
        }
        for bad in ["address=x", "mtu=67", "mtu=9217", "mtu=x", "pcap=/no/such/dir/file", "cable=c nonsense=1"] {
            #expect(throws: (any Error).self) { _ = try self.strictly("n virtio-net \(bad)") }
        }
    }

    func strictly(_ text: String) throws -> any DeviceModel {
        var description = try DeviceDescription(text)
        let model = try description.makeModel(cables)
        if !description.settings.isEmpty { throw DeviceProblem("unknown") }
        return model
    }

    @Test func framesGoBothWays() throws {
        let (first, second) = try pair()
        for (from, to, line) in [(first, second, UInt32(10)), (second, first, 9)] {
            to.give()
            from.send(Self.head + frame(60))
            #expect(from.used(1) == 1 && host.raised[line] == 1)
            #expect(to.take() == Self.received + frame(60))
            for driver in [first, second] { driver.device.store(0x064, 4, 3) }
        }
        #expect(first.device.status.notes == "cable c, up, sent 1, received 1")
    }

    @Test func theRingsGoRound() throws {
        let (first, second) = try pair()
        for round in 0..<1000 {
            second.give(notify: false)
            first.send(Self.head + frame(14 + round, UInt8(truncatingIfNeeded: round)))
            #expect(second.take() == Self.received + frame(14 + round, UInt8(truncatingIfNeeded: round)))
            #expect(first.take(1) == [])
        }
    }

    @Test func whatFindsNoBufferIsDropped() throws {
        let (first, second) = try pair()
        for _ in 0..<5 { second.give() }
        for index in 0..<8 { first.send(Self.head + frame(64, UInt8(index))) }
        #expect(first.used(1) == 8, "the sender does not wait")
        for index in 0..<5 { #expect(second.take() == Self.received + frame(64, UInt8(index))) }
        #expect(second.take() == nil)
        #expect(second.device.status.notes.hasSuffix("received 5, dropped: no buffer 3"))
        second.give(size: 70)
        first.send(Self.head + frame(64))
        #expect(
            second.take() == [] && second.device.status.notes.hasSuffix("no buffer 4"), "a buffer that is too small")
    }

    @Test func lengths() throws {
        let (first, second) = try pair("mtu=1600")
        for _ in 0..<4 { second.give() }
        first.send(Self.head + frame(13))
        first.send(Self.head + frame(1615))
        first.send([1] + Self.head[1...] + frame(64))
        first.send([0, 1] + Self.head[2...] + frame(64))
        first.send(frame(11))
        #expect(second.take() == nil && first.used(1) == 5)
        #expect(first.device.status.notes.hasSuffix("sent 0, received 0, dropped: malformed 5"))
        first.send(Self.head + frame(1614))
        first.send(Self.head + frame(1514))
        #expect(second.take()?.count == 1526 && second.device.status.notes.hasSuffix("dropped: too long 1"))
        var tagged = frame(1518)
        (tagged[12], tagged[13]) = (0x81, 0)
        first.send(Self.head + tagged)
        #expect(second.take() == Self.received + tagged)
    }

    @Test func malformedChainsHurtWhoMadeThem() throws {
        for kind in 0..<4 {
            let (first, second) = try pair()
            second.give()
            switch kind {
            case 0: first.descriptor(1, 0, 0xdead_0000, 100, 0)
            case 1: first.descriptor(1, 0, first.memory.bus, .max, 0)
            case 2: first.descriptor(1, 0, first.memory.bus, 16, 1, 99)
            default: first.descriptor(1, 0, first.memory.bus, 16, 1, 0)
            }
            first.available(1, 0)
            first.device.store(0x050, 4, 1)
            #expect(first.needsReset && !second.needsReset)
            // The other way round: it cannot receive, and the sender goes on.
            for _ in 0..<2 { second.send(Self.head + frame(64)) }
            #expect(second.used(1) == 2 && first.device.status.notes.contains("no buffer 2"))
            first.start()
            first.give()
            second.send(Self.head + frame(64))
            #expect(first.take() == Self.received + frame(64), "after a reset")
            first.device.remove()
            second.device.remove()
        }
        let (first, second) = try pair()
        second.descriptor(0, 0, 0xdead_0000, 2048, 2)
        second.available(0, 0)
        first.send(Self.head + frame(64))
        #expect(second.needsReset && !first.needsReset && first.used(1) == 1)
        for ahead in 0..<9 { second.available(0, UInt16(ahead % 8)) }
        #expect(second.needsReset)
    }

    @Test func anIndexBeyondTheRing() throws {
        let (first, second) = try pair()
        for _ in 0..<9 { second.give(notify: false) }
        first.send(Self.head + frame(64))
        #expect(second.needsReset && second.used(0) == 0)
    }

    @Test func removalWithFramesInFlight() throws {
        let (first, second) = try pair()
        second.give()
        first.send(Self.head + frame(64))
        first.device.store(0x064, 4, 3)
        #expect(first.device.load(0x106, 2) == 1)
        second.device.remove()
        #expect(first.device.load(0x106, 2) == 0 && first.device.load(0x060, 4) == 2, "a configuration change")
        first.send(Self.head + frame(64))
        #expect(first.used(1) == 2 && first.device.status.notes.hasSuffix("dropped: no carrier 1"))
        let third = try VirtDriver(device("net2 virtio-net cable=c"))
        third.start()
        third.give()
        first.send(Self.head + frame(64))
        #expect(third.take() == Self.received + frame(64), "another one takes its end")
        #expect(throws: DeviceProblem.self) { _ = try self.device("net3 virtio-net cable=c") }
    }

    @Test func bothSendAtOnce() throws {
        let (first, second) = try pair()
        nonisolated(unsafe) let ends = [first, second]
        let threads = (0..<2).map { index in
            let over = Atomic(false)
            _ = host.startThread("sender") {
                for round in 0..<2000 {
                    ends[index].send(Self.head + [UInt8](repeating: UInt8(truncatingIfNeeded: round), count: 64))
                }
                over.value = true
            }
            return over
        }
        for _ in 0..<5000 where !threads.allSatisfy(\.value) { usleep(1000) }
        #expect(threads.allSatisfy(\.value) && first.used(1) == 2000 && second.used(1) == 2000)
        #expect(first.device.status.notes.hasSuffix("sent 2000, received 0, dropped: no buffer 2000"))
    }

    final class Atomic: @unchecked Sendable {
        // Sendable: behind a lock.
        private let lock = Lock()
        private var stored: Bool
        init(_ value: Bool) { stored = value }
        var value: Bool {
            get { lock.with { stored } }
            set { lock.with { stored = newValue } }
        }
    }

    @Test func capture() throws {
        let path = "/tmp/chorus-pcap-\(getpid())"
        defer { unlink(path) }
        let (first, second) = try pair("pcap=\(path)")
        #expect(throws: DeviceProblem.self) { _ = try self.strictly("n virtio-net pcap=\(path)") }
        first.send(Self.head + frame(60, 1))
        second.send(Self.head + frame(61, 2))
        first.give()
        second.send(Self.head + frame(62, 3))
        first.device.remove()
        second.send(Self.head + frame(63, 4))
        var bytes = [UInt8](repeating: 0, count: 4096)
        let descriptor = open(path, O_RDONLY)
        bytes.removeLast(4096 - max(0, read(descriptor, &bytes, 4096)))
        close(descriptor)
        func word(_ at: Int) -> UInt32 {
            bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: at, as: UInt32.self) }
        }
        #expect(bytes.count == 24 + 16 + 60 + 16 + 62, "what was sent and what was received")
        #expect(word(0) == 0xa1b2_3c4d && word(4) == 0x0004_0002 && word(20) == 1)
        #expect(word(24 + 8) == 60 && word(24 + 12) == 60 && Array(bytes[40..<100]) == frame(60, 1))
        #expect(word(24 + 4) < 1_000_000_000 && Array(bytes[116...]) == frame(62, 3))
        _ = try strictly("n virtio-net pcap=\(path)")  // it was closed
    }

    @Test func lossOnPurpose() throws {
        let (first, second) = try pair()
        first.device.setFaults(Faults("seed:1,write-error:1000"))
        second.give()
        first.send(Self.head + frame(64))
        #expect(second.take() == nil && first.device.status.notes.hasSuffix("sent 1, received 0, dropped: lost 1"))
        first.device.setFaults(nil)
        first.send(Self.head + frame(64))
        #expect(second.take() != nil)
    }

    @Test func anEndIsGivenUpOnce() throws {
        var (first, second): (VirtDriver?, VirtDriver?) = try pair()
        second?.device.remove()
        let third = try VirtDriver(device("net2 virtio-net cable=c"))
        third.start()
        third.give()
        second = nil  // its memory goes later than its place
        first?.send(Self.head + frame(64))
        #expect(third.take() == Self.received + frame(64) && second == nil)
        first = nil
    }

    @Test func aRingOfFrames() {
        let ring = FrameRing(frames: 3, most: 8)
        for round in 0..<10 as Range<UInt8> {
            for index in 0..<3 as Range<UInt8> {
                #expect(ring.append(Int(index) + 1) { $0.copyBytes(from: [round, index, 9][..<$0.count]) })
            }
            #expect(!ring.append(1) { _ in })
            for index in 0..<3 as Range<UInt8> {
                #expect(ring.take { Array($0) } == Array([round, index, 9][...Int(index)]))
            }
            #expect(ring.take { $0.count } == nil && ring.count == 0)
            #expect(!ring.append(9) { _ in } && ring.append(0) { _ in } && ring.take { $0.count } == 0)
        }
    }

    @Test func interruptsNobodyWants() throws {
        let (first, second) = try pair()
        for driver in [first, second] { driver.device.store(0x064, 4, 3) }
        first.memory.start.storeBytes(of: 1, toByteOffset: 1024 + 256, as: UInt16.self)
        first.send(Self.head + frame(64))
        #expect(first.used(1) == 1 && first.device.load(0x060, 4) == 0)
    }
}
