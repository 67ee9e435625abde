import Testing

@testable import MiXProcessManager

private func program(_ code: [(UInt16, UInt8, UInt8, UInt32)]) -> BpfProgram? {
    BpfProgram(code.map { BpfProgram.Instruction(code: $0.0, jumpTrue: $0.1, jumpFalse: $0.2, k: $0.3) })
}

@Test func filtersAreCheckedBeforeTheyRun() {
    #expect(program([(0x06, 0, 0, 1)]) != nil)
    #expect(program([]) == nil)
    #expect(program([(0x20, 0, 0, 0)]) == nil, "no return")
    #expect(program([(0x20, 0, 0, 64), (0x06, 0, 0, 0)]) == nil, "behind the data")
    #expect(program([(0x20, 0, 0, 2), (0x06, 0, 0, 0)]) == nil, "no word of it")
    #expect(program([(0x05, 0, 0, 1), (0x06, 0, 0, 0)]) == nil, "a jump out")
    #expect(program([(0x15, 0, 1, 0), (0x06, 0, 0, 0)]) == nil, "another")
    #expect(program([(0x34, 0, 0, 0), (0x06, 0, 0, 0)]) == nil, "a division by zero")
    #expect(program([(0x60, 0, 0, 1), (0x06, 0, 0, 0)]) == nil, "memory read before it is written")
    #expect(program([(0x02, 0, 0, 16), (0x06, 0, 0, 0)]) == nil, "memory that is not there")
    #expect(program([(0xff, 0, 0, 0), (0x06, 0, 0, 0)]) == nil, "no instruction")
}

@Test func filtersCompute() {
    var words = [UInt32](repeating: 0, count: 16)
    words[0] = 39
    words[4] = 100
    // M[3] = args[0]; a = (number + 1) * 2; x = a; a = M[3]; return a - x or 7.
    let code: [(UInt16, UInt8, UInt8, UInt32)] = [
        (0x20, 0, 0, 16), (0x02, 0, 0, 3), (0x20, 0, 0, 0), (0x04, 0, 0, 1), (0x24, 0, 0, 2), (0x07, 0, 0, 0),
        (0x60, 0, 0, 3), (0x2d, 0, 2, 0), (0x1c, 0, 0, 0), (0x16, 0, 0, 0), (0x06, 0, 0, 7),
    ]
    #expect(program(code)?.run(words) == 20)
    words[4] = 50
    #expect(program(code)?.run(words) == 7)
    // A division by a zero that was not foreseen ends the thread.
    #expect(program([(0x01, 0, 0, 0), (0x00, 0, 0, 9), (0x3c, 0, 0, 0), (0x06, 0, 0, 9)])?.run(words) == 0)
}

@Test func timersCountWhileTheirSignalIsPending() {
    var queue = SignalQueue()
    let info = SignalInfo(signal: 40, code: SignalInfo.timer, detail: .timer(id: 3, overrun: 1, value: 9))
    let before = queue.addOverrun(ofTimer: 3, 1)
    let posted = queue.post(info)
    let counts = [queue.addOverrun(ofTimer: 3, 5), queue.addOverrun(ofTimer: 4, 5)]
    #expect(before == nil && posted && counts == [6, nil])
    queue.discardTimer(3)
    #expect(!queue.set.contains(40) && queue.queued == 0)
}

@Test func areasKeepWhatIsSaidAboutThem() {
    var map = AddressMap()
    map.insert(MappedArea(start: 0x10000, end: 0x20000, protection: 3))
    map.mark(0x12000, 0x14000) { $0.isLocked = true }
    #expect(map.areas.count == 3 && map.locked == 0x2000)
    map.mark(0x12000, 0x14000) { $0.isLocked = false }
    #expect(map.areas.count == 1 && map.locked == 0)
    map.mark(0x11000, 0x12000) { $0.isSealed = true }
    #expect(map.hasSealed(0x10000, 0x11001) && !map.hasSealed(0x12000, 0x20000))
}
