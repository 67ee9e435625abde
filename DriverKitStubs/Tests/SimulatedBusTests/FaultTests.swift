import Glibc
import Testing

@testable import SimulatedBus

@Test func faultsAreReproducible() throws {
    let first = try #require(Faults("seed:7,read-error:100"))
    let second = try #require(Faults("seed:7,read-error:100"))
    let strikes = (0..<1000).map { _ in first.strikes(.readError) }
    #expect(strikes == (0..<1000).map { _ in second.strikes(.readError) })
    #expect((50...150).contains(strikes.count { $0 }))
    #expect(!first.strikes(.writeError))
    for bad in ["x", "read-error", "read-error:1001", "nothing:1", "seed:x", "remove-after:-1", "stuck-interrupt"] {
        #expect(Faults(bad) == nil)
    }
}

@Suite struct DeviceFaultTests {
    let host = FakeHost()

    func device(_ text: String, _ faults: String) throws -> BusDevice {
        var description = try DeviceDescription(text)
        let model = try description.makeModel()
        let device = BusDevice(name: description.name, line: 9, model: model, host: host)
        device.setFaults(try #require(Faults(faults)))
        return device
    }

    @Test func aStuckLineFallsAtAResetOnly() throws {
        let edu = try device("e edu", "stuck-interrupt:1000")
        edu.store(0x20, 4, 0x80)
        edu.store(0x08, 4, 5)
        edu.store(0x64, 4, 1)
        #expect(edu.load(0x24, 4) == 0 && host.raised[9] == 1, "acknowledged, and still up")
        edu.setFaults(nil)
        #expect(host.raised[9] == 1)
        edu.reset()
        #expect(host.raised[9] == 0)
        let disk = try device("d virtio-rng", "stuck-interrupt:1000")
        disk.remove()
        #expect(host.raised[9] == 0)
    }

    @Test func pulledOutAtAnAccess() throws {
        let edu = try device("e edu", "remove-after:2")
        #expect(edu.load(0, 4) == 0x0100_00ed && edu.load(0, 4) == 0x0100_00ed && host.gone.isEmpty)
        #expect(edu.load(0, 4) == .max && edu.load(0, 4) == .max && host.gone == ["e"])
        #expect(edu.status.isRemoved && edu.status.faults == "surprise-removal 1")
        let other = try device("o edu", "seed:3,surprise-removal:100")
        for _ in 0..<200 { _ = other.load(0, 4) }
        #expect(host.gone == ["e", "o"] && other.load(0, 4) == .max)
    }

    @Test func aShortTransferIsNotDone() throws {
        let edu = try device("e edu", "short-dma:1000")
        let memory = try #require(edu.grant(100))
        edu.store(0x80, 8, memory.bus)
        edu.store(0x88, 8, 0x40000)
        edu.store(0x90, 8, 100)
        edu.store(0x98, 8, 1)
        #expect(edu.load(0x98, 8) & 1 == 1)
        edu.setFaults(nil)
        edu.store(0x98, 8, 1)
        #expect(edu.load(0x98, 8) & 1 == 0)
    }

    @Test func quietingsTellOfService() throws {
        let edu = try device("e edu", "seed:1")
        edu.store(0x20, 4, 0x80)
        edu.store(0x08, 4, 5)
        let before = edu.quietings
        _ = edu.load(0x24, 4)
        #expect(edu.quietings == before)
        edu.store(0x64, 4, 1)
        #expect(edu.quietings == before + 1)
    }
}

@Suite struct BusTraceTests {
    @Test func keepsWhileItIsFetched() throws {
        let trace = BusTrace()
        let second: UInt64 = 1_000_000_000
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let start = UInt64(now.tv_sec) * second
        trace.add(.load, "d")
        #expect(trace.fetch(from: nil, most: 10, now: start).events.isEmpty, "off")
        for index in 0..<5 { trace.add(.store, "d", at: 8, 4, UInt64(index)) }
        let some = trace.fetch(from: 0, most: 3, now: start)
        #expect(some.events.map(\.value) == [0, 1, 2] && some.next == 3 && some.lost == 0)
        #expect(trace.fetch(from: some.next, most: 10, now: start).events.map(\.sequence) == [3, 4])
        for index in 0..<BusTrace.most + 7 { trace.add(.load, "d", at: 0, 4, UInt64(index)) }
        let rest = trace.fetch(from: 5, most: .max, now: start)
        #expect(rest.lost == 7 && rest.events.count == BusTrace.most && rest.events.first?.value == 7)
        #expect(trace.fetch(from: .max, most: 10, now: start).events.isEmpty, "none that is not there yet")
        // Nobody has asked for long: the next event ends it.
        _ = trace.fetch(from: nil, most: 10, now: start - 6 * second)
        trace.add(.load, "d")
        trace.add(.load, "d")
        let later = trace.fetch(from: rest.next, most: 10, now: start)
        #expect(later.events.isEmpty && later.lost == 0)
        trace.end()
        trace.add(.load, "d")
        #expect(trace.fetch(from: later.next, most: 10, now: start).events.isEmpty)
    }

    @Test func toldInOrder() throws {
        let trace = BusTrace()
        let host = FakeHost()
        var description = try DeviceDescription("e edu")
        let edu = BusDevice(name: "e", line: 9, model: try description.makeModel(), host: host, trace: trace)
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        _ = trace.fetch(from: nil, most: 0, now: UInt64(now.tv_sec) * 1_000_000_000)
        edu.store(0x20, 4, 0x80)
        edu.store(0x08, 4, 5)
        edu.store(0x64, 4, 1)
        edu.reset()
        edu.remove()
        let events = trace.fetch(from: 0, most: 100, now: 0).events
        #expect(events.map(\.kind) == [.store, .store, .raise, .store, .lower, .reset, .removal])
        #expect(events[2].place == 9 && events[1].place == 8 && events[1].value == 5 && events[1].width == 4)
    }
}
