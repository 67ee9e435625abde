import Testing

@testable import MiXProcessManager

struct PipeTests {
    let pipe = Pipe(inode: 1)

    init() { pipe.attach(reading: true, writing: true) }

    func write(_ bytes: [UInt8], from start: Int = 0) throws -> (Pipe.Moved, Int) {
        var done = start
        let moved = try pipe.write(
            FakeMemory(bytes), UserRanges(0, UInt64(bytes.count)), from: &done, enlist: {})
        return (moved, done)
    }
    func read(_ size: Int) throws -> (Pipe.Moved, [UInt8]) {
        let memory = FakeMemory(count: size)
        let moved = try pipe.read(memory, UserRanges(0, UInt64(size)), enlist: {})
        if case .bytes(let count) = moved { return (moved, Array(memory.bytes.prefix(count))) }
        return (moved, [])
    }

    @Test func keepsOrderAcrossTheEdgeOfTheRing() throws {
        var next = 0, expected = 0
        for round in 1...400 {
            let size = round * 37 % 3000 + 1
            let bytes = (0..<size).map { UInt8(truncatingIfNeeded: next + $0) }
            #expect(try write(bytes).0 == .bytes(size))
            next += size
            let (_, got) = try read(size)
            #expect(got == (0..<size).map { UInt8(truncatingIfNeeded: expected + $0) })
            expected += size
        }
    }

    @Test func smallWritesAreWhole() throws {
        _ = try write(Array(repeating: 1, count: 65536 - 100))
        #expect(try write(Array(repeating: 2, count: 4096)) == (.mustWait, 0))
        #expect(try write(Array(repeating: 2, count: 100)).0 == .bytes(100))
        #expect(try write([3]) == (.mustWait, 0))
    }

    @Test func largeWritesGoInPieces() throws {
        let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        #expect(try write(bytes) == (.mustWait, 65536))
        #expect(try read(50_000).1 == Array(bytes[..<50_000]))
        #expect(try write(bytes, from: 65536) == (.bytes(100_000), 100_000))
        #expect(try read(65536).1 == Array(bytes[50_000...]))
    }

    @Test func endsOfTheOtherSide() throws {
        #expect(try read(1).0 == .mustWait)
        _ = try write([1, 2])
        pipe.detach(reading: false, writing: true)
        #expect(try read(5).1 == [1, 2])
        #expect(try read(5).0 == .ended)
        pipe.attach(reading: false, writing: true)
        #expect(try read(5).0 == .mustWait)
        pipe.detach(reading: true, writing: false)
        #expect(try write([1]).0 == .ended)
        #expect(try write([]).0 == .bytes(0))
    }

    @Test func waitersAreEnlistedUnderTheCondition() throws {
        var enlisted = 0
        var done = 0
        _ = try pipe.read(FakeMemory(count: 1), UserRanges(0, 1), enlist: { enlisted += 1 })
        #expect(enlisted == 1)
        _ = try pipe.write(FakeMemory([1]), UserRanges(0, 1), from: &done, enlist: { enlisted += 1 })
        #expect(enlisted == 1)
        _ = try pipe.read(FakeMemory(count: 9), UserRanges(0, 9), enlist: { enlisted += 1 })
        #expect(enlisted == 1)
    }

    @Test func badMemory() throws {
        #expect(throws: Errno.EFAULT) {
            var done = 0
            _ = try pipe.write(FakeMemory([1]), UserRanges(0, 5), from: &done, enlist: {})
        }
        #expect(pipe.count == 0)
        // What was there before the bad part goes in when the write is large.
        var done = 0
        let memory = FakeMemory(count: 65536)
        let ranges = UserRanges([UserRange(address: 0, size: 65536), UserRange(address: 1 << 40, size: 10)])
        #expect(try pipe.write(memory, ranges, from: &done, enlist: {}) == .mustWait)
        #expect(done == 65536)
    }

    @Test func scattersOverRanges() throws {
        _ = try write([1, 2, 3, 4, 5, 6])
        let memory = FakeMemory(count: 20)
        let ranges = UserRanges([
            UserRange(address: 10, size: 2), UserRange(address: 0, size: 0), UserRange(address: 0, size: 3),
        ])
        #expect(try pipe.read(memory, ranges, enlist: {}) == .bytes(5))
        #expect(memory.bytes[10..<12] == [1, 2] && memory.bytes[0..<3] == [3, 4, 5])
        #expect(try read(9).1 == [6])
    }

    @Test func pollBits() throws {
        #expect(pipe.events(reading: true, writing: false) == 0)
        #expect(pipe.events(reading: false, writing: true) == PollBits.writable)
        _ = try write(Array(repeating: 0, count: 65536 - 4095))
        #expect(pipe.events(reading: true, writing: true) == PollBits.readable)
        pipe.detach(reading: false, writing: true)
        #expect(pipe.events(reading: true, writing: false) == PollBits.readable | PollBits.hangUp)
        pipe.detach(reading: true, writing: false)
        #expect(pipe.events(reading: false, writing: true) & PollBits.error != 0)
        // A FIFO that never had a writer has not hung up.
        let fresh = Pipe(inode: 2)
        fresh.attach(reading: true, writing: false)
        #expect(fresh.events(reading: true, writing: false) == 0)
    }

    @Test func resizing() throws {
        _ = try write(Array(repeating: 9, count: 5000))
        #expect(pipe.resize(to: 4096) == nil)
        #expect(pipe.resize(to: 5000) == 8192)
        #expect(pipe.capacity == 8192)
        #expect(try read(9000).1 == Array(repeating: 9, count: 5000))
    }

    @Test func descriptorsHoldTheEnds() throws {
        let site = TestSite()
        let pipe = Pipe(inode: 3)
        let table = DescriptorTable()
        let input = PipeEnd(site.manager, pipe, flags: FileFlags.readOnly)
        let output = PipeEnd(site.manager, pipe, flags: FileFlags.writeOnly)
        #expect(input.isReadable && !input.isWritable && !output.isReadable && output.isWritable)
        _ = try table.insert(input, closeOnExec: false, limit: 9)
        let fd = try table.insert(output, closeOnExec: false, limit: 9)
        let child = table.fork()
        try table.close(fd)
        #expect(pipe.ends.writers == 1)
        child.closeAll()
        #expect(pipe.ends.writers == 0 && pipe.ends.readers == 1)
        #expect(input.poll(0, arm: false) == PollBits.hangUp)
    }
}
