import Glibc
import Testing

@testable import SimulatedBus

/// A 16550 as its driver sees it: registers 0 data, 1 enable, 2 cause and queues, 3 line, 4 modem, 5 and 6 their status.
@Suite struct SerialTests {
    let host = FakeHost()

    func port(_ settings: String = "") throws -> BusDevice {
        var description = try DeviceDescription("ttyS0 uart16550 \(settings)")
        let device = BusDevice(name: "ttyS0", line: 9, model: try description.makeModel(), host: host)
        try device.plug()
        device.reset()
        device.store(2, 1, 0xc7)
        device.store(3, 1, 3)
        return device
    }

    func until(_ condition: () -> Bool) -> Bool {
        for _ in 0..<3000 {
            if condition() { return true }
            usleep(1000)
        }
        return condition()
    }

    @Test func aLoopPlug() throws {
        let port = try port()
        for byte in 0..<UInt64(40) { port.store(0, 1, byte) }
        #expect(port.load(5, 1) & 0x61 == 0x61, "the transmitter is empty, input is there")
        #expect((0..<40).map { _ in port.load(0, 1) } == Array(0..<40), "the queue is filled again from the plug")
        #expect(port.load(5, 1) & 1 == 0 && port.load(6, 1) == 0xb0)
    }

    @Test func aBreakComesAround() throws {
        let port = try port()
        port.store(4, 1, 8)
        port.store(1, 1, 5)
        port.store(0, 1, 0x41)
        port.store(3, 1, 0x43)
        #expect(port.load(5, 1) & 0x91 == 0x81, "wrong is a byte further behind")
        #expect(port.load(0, 1) == 0x41)
        #expect(port.load(2, 1) & 0x0f == 6 && port.load(5, 1) & 0x11 == 0x11, "line status, then why")
        #expect(port.load(5, 1) & 0x11 == 1, "said once")
        #expect(port.load(0, 1) == 0 && port.load(2, 1) & 0x0f == 1)
    }

    @Test func theLoopOfTheChip() throws {
        let port = try port()
        port.store(4, 1, 0x13)
        #expect(port.load(6, 1) == 0x30, "RTS and DTR are CTS and DSR")
        for byte in 0..<UInt64(17) { port.store(0, 1, byte) }
        #expect(port.load(5, 1) & 3 == 3, "sixteen fit")
    }

    @Test func aCarrierComesAndGoes() throws {
        let path = "/tmp/chorus-serial-\(getpid())"
        let port = try port("far=\(path)")
        defer { port.remove() }
        #expect(port.load(6, 1) == 0)
        port.store(1, 1, 8)
        let peer = ConsoleTests().connectTo(path)
        #expect(until { port.load(2, 1) & 0x0f == 0 } && port.load(6, 1) == 0xbb && port.load(6, 1) == 0xb0)
        port.store(0, 1, 0x78)
        var byte: UInt8 = 0
        #expect(read(peer, &byte, 1) == 1 && byte == 0x78)
        #expect(write(peer, "in", 2) == 2 && until { port.load(5, 1) & 1 == 1 } && port.load(0, 1) == 0x69)
        close(peer)
        #expect(until { port.load(6, 1) & 0x88 == 8 })
    }

    /// The driver waits for an empty transmitter while the far end takes nothing.
    @Test func aPeerThatDoesNotRead() throws {
        let path = "/tmp/chorus-serial-slow-\(getpid())"
        let port = try port("far=\(path)")
        defer { port.remove() }
        let peer = ConsoleTests().connectTo(path)
        #expect(until { port.load(6, 1) & 0x80 != 0 })
        var sent = 0
        while sent < 4_000_000, port.load(5, 1) & 0x20 != 0 {
            port.store(0, 1, UInt64(sent & 0xff))
            sent += 1
        }
        #expect(port.load(5, 1) & 0x60 == 0 && sent > 100)
        var (got, bytes) = (0, [UInt8](repeating: 0, count: 65536))
        while got < sent {
            let count = read(peer, &bytes, bytes.count)
            guard count > 0 else { break }
            #expect(bytes[0] == UInt8(truncatingIfNeeded: got))
            got += count
        }
        #expect(got == sent && until { port.load(5, 1) & 0x60 == 0x60 })
        close(peer)
    }
}
