import ActorKit
import Testing

@testable import MiXProcessManager

@Test func timersComeOutInOrder() {
    var heap = TimerHeap()
    var state: UInt64 = 5
    var nodes: [TimerNode] = []
    for _ in 0..<500 {
        state = state &* 6_364_136_223_846_793_005 &+ 1
        let node = TimerNode(deadline: state >> 40) {}
        nodes.append(node)
        heap.insert(node)
    }
    for index in stride(from: 0, to: 500, by: 3) {
        let removed = [heap.remove(nodes[index]), heap.remove(nodes[index])]
        #expect(removed == [true, false])
    }
    let expected = nodes.enumerated().filter { $0.offset % 3 != 0 }.map(\.element.deadline).sorted()
    let middle = expected[expected.count / 2]
    let early = heap.takeDue(middle).map(\.deadline)
    #expect(early == expected.filter { $0 <= middle })
    let late = heap.takeDue(.max).map(\.deadline)
    #expect(early + late == expected)
    #expect(heap.first == nil)
}

@Test func limitsAreGuarded() {
    var limits = Limits()
    #expect(throws: Errno.EINVAL) {
        try limits.change(.files, to: Limits.Limit(soft: 10, hard: 5), privileged: true)
    }
    #expect(throws: Never.self) { try limits.change(.files, to: Limits.Limit(soft: 5, hard: 5), privileged: false) }
    #expect(throws: Errno.EPERM) { try limits.change(.files, to: Limits.Limit(soft: 5, hard: 6), privileged: false) }
    #expect(throws: Never.self) { try limits.change(.files, to: Limits.Limit(soft: 5, hard: 6), privileged: true) }
}

@Test func areasSplitAndJoin() {
    var map = AddressMap()
    map.insert(MappedArea(start: 0x10000, end: 0x20000, protection: 3))
    map.insert(MappedArea(start: 0x20000, end: 0x30000, protection: 3))
    #expect(map.areas.count == 1)
    map.remove(0x18000, 0x19000)
    #expect(map.areas.map(\.start) == [0x10000, 0x19000])
    #expect(!map.covers(0x17000, 0x1a000))
    #expect(map.isFree(0x18000, 0x19000))
    map.insert(MappedArea(start: 0x18000, end: 0x19000, protection: 1))
    #expect(map.covers(0x10000, 0x30000))
    #expect(map.areas.count == 3)
    #expect(map.total == 0x20000)
}

@Test func gapsAreFoundFromTheTop() {
    var map = AddressMap()
    #expect(map.gap(0x1000, low: 0x10000, high: 0x20000) == 0x1f000)
    map.insert(MappedArea(start: 0x1f000, end: 0x20000, protection: 1))
    map.insert(MappedArea(start: 0x1c000, end: 0x1e000, protection: 1))
    #expect(map.gap(0x1000, low: 0x10000, high: 0x20000) == 0x1e000)
    #expect(map.gap(0x2000, low: 0x10000, high: 0x20000) == 0x1a000)
    #expect(map.gap(0xd000, low: 0x10000, high: 0x20000) == nil)
    map.insert(MappedArea(start: 0x8000, end: 0x11000, protection: 1))
    #expect(map.gap(0xb000, low: 0x10000, high: 0x20000) == 0x11000)
    #expect(map.gap(0xb001, low: 0x10000, high: 0x20000) == nil)
}

@Test func stateRecordsComeBack() throws {
    let site = FakeSite()
    let task = site.process(77)
    task.process.credentials.groups = [3, 4]
    task.process.command = "worker"
    let record = ProcessRecord(task.process)
    let bytes = record.encode()
    bytes.withUnsafeBytes { raw in
        var reader = StateReader(raw)
        let back = ProcessRecord(&reader)
        #expect(back == record)
        for length in 0..<raw.count {
            var short = StateReader(UnsafeRawBufferPointer(rebasing: raw[..<length]))
            let nothing = ProcessRecord(&short)
            #expect(nothing == nil)
        }
    }
}

@Test func stateStreamsCarryEndedProcesses() {
    let old = FakeSite()
    let task = old.process(50)
    task.process.spawned = SpawnState(isSiteProgram: false)
    old.trap(task, 231, 6)
    let new = FakeSite()
    var sequence: UInt32 = 0
    while true {
        var buffer = [UInt8](repeating: 0, count: 4096)
        var size = UInt32(buffer.count)
        let exported = old.manager.exportState(sequence, &buffer, &size)
        #expect(exported == 0)
        let imported = buffer.withUnsafeBytes {
            new.manager.importState(sequence, UnsafeRawBufferPointer(rebasing: $0[..<Int(size)]))
        }
        #expect(imported == 0)
        if size == 0 { break }
        sequence += 1
    }
    #expect(sequence == 2)
    #expect(new.manager.processes[50]?.exitStatus == 6 << 8)
    let junk: [UInt8] = [1, 2, 3, 4, 5]
    #expect(junk.withUnsafeBytes { new.manager.importState(0, $0) } < 0)
}

@Test func unknownCallsAreRefused() {
    let site = FakeSite()
    let task = site.process(10)
    #expect(site.trap(task, 511).result == Errno.ENOSYS.result)
    #expect(site.trap(task, .max).result == Errno.ENOSYS.result)
    #expect(task.process.unknownCalls.count == 2)
    #expect(site.trap(task, 39).result == 10)
}
