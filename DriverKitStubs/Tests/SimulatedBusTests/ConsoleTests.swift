import Glibc
import Testing

@testable import SimulatedBus

@Suite struct ConsoleTests {
    let host = FakeHost()

    func console(_ settings: String) throws -> VirtDriver {
        var description = try DeviceDescription("hvc0 virtio-console \(settings)")
        let model = try description.makeModel()
        let device = BusDevice(name: description.name, line: 9, model: model, host: host)
        try device.plug()
        let driver = try VirtDriver(device)
        driver.start(1 << 32 | 1)
        return driver
    }

    @Test func windowAndFeatures() throws {
        let driver = try console("columns=132 rows=50")
        #expect(driver.device.load(0x008, 4) == 3 && driver.offered == 1 << 32 | 1)
        #expect(driver.device.load(0x100, 2) == 132 && driver.device.load(0x102, 2) == 50)
        #expect(driver.device.load(0x104, 4) == 1)
    }

    @Test func aLoopPlug() throws {
        let driver = try console("")
        driver.send(Array("hello".utf8))
        #expect(driver.used(1) == 1 && driver.take() == nil)
        driver.give(size: 3)
        #expect(driver.take() == Array("hel".utf8))
        driver.give(size: 3)
        #expect(driver.take() == Array("lo".utf8))
    }

    @Test func aLoopPlugTakesSoMuch() throws {
        let driver = try console("")
        for _ in 0..<3 { driver.send([UInt8](repeating: 7, count: 2000)) }
        #expect(driver.used(1) == 2, "the third is not taken yet")
        var got = 0
        for _ in 0..<8 {
            driver.give()
            got += driver.take()?.count ?? 0
        }
        #expect(got == 6000 && driver.used(1) == 3)
        for _ in 0..<3 { driver.send([UInt8](repeating: 8, count: 2000)) }
        driver.start()
        driver.give()
        #expect(driver.take() == nil, "a reset forgets what was on its way")
    }

    @Test func chainsThatMakeNoSense() throws {
        let driver = try console("")
        driver.descriptor(1, 0, 0xdead_0000, 10, 0)
        driver.available(1, 0)
        driver.device.store(0x050, 4, 1)
        #expect(driver.needsReset && driver.used(1) == 0)
        driver.start()
        driver.give(size: 0)
        driver.send([1])
        driver.give()
        #expect(driver.take() == [] && driver.take() == [1])
    }

    func connectTo(_ path: String) -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let result = withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        return result == 0 ? descriptor : -1
    }

    func until(_ condition: () -> Bool) -> Bool {
        for _ in 0..<3000 where !condition() { usleep(1000) }
        return condition()
    }

    @Test func aSocket() throws {
        let path = "/tmp/chorus-line-\(getpid())"
        let driver = try console("far=\(path)")
        driver.send(Array("lost".utf8))
        #expect(driver.used(1) == 1, "nobody is there")
        #expect(throws: DeviceProblem.self) { _ = try self.console("far=\(path)") }
        for _ in 0..<2 {
            let peer = connectTo(path)
            #expect(peer >= 0 && until { driver.device.status.notes.hasSuffix("connected") })
            driver.send(Array("out".utf8))
            var bytes = [UInt8](repeating: 0, count: 16)
            #expect(read(peer, &bytes, 16) == 3 && bytes.starts(with: Array("out".utf8)))
            driver.give()
            #expect(write(peer, "in", 2) == 2 && until { driver.used(0) > 0 })
            #expect(driver.take() == Array("in".utf8))
            close(peer)
            #expect(until { driver.device.status.notes.hasSuffix("nobody there") })
        }
        driver.device.remove()
        #expect(access(path, F_OK) != 0, "removal takes the socket away")
    }

    @Test func aPeerThatDoesNotRead() throws {
        let path = "/tmp/chorus-slow-\(getpid())"
        let driver = try console("far=\(path)")
        defer { driver.device.remove() }
        let peer = connectTo(path)
        #expect(until { driver.device.status.notes.hasSuffix("connected") })
        var sent = 0
        while sent < 4000, driver.used(1) == UInt16(truncatingIfNeeded: sent) {
            driver.send([UInt8](repeating: UInt8(truncatingIfNeeded: sent), count: 2000))
            sent += 1
        }
        #expect(driver.used(1) == UInt16(sent - 1), "the line is full, and the driver knows")
        var (got, bytes) = (0, [UInt8](repeating: 0, count: 65536))
        while got < sent * 2000 {
            let count = read(peer, &bytes, bytes.count)
            guard count > 0 else { break }
            got += count
        }
        #expect(got == sent * 2000 && until { driver.used(1) == UInt16(sent) }, "nothing is lost")
        close(peer)
    }
}
