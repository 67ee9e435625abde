import CMiXFile
import Testing

@testable import MiXProcessManager

struct PollTests {
    let site = TestSite()

    func pipe() -> (PipeEnd, PipeEnd) {
        let pipe = Pipe(inode: 1)
        return (
            PipeEnd(site.manager, pipe, flags: FileFlags.readOnly),
            PipeEnd(site.manager, pipe, flags: FileFlags.writeOnly)
        )
    }
    func put(_ end: PipeEnd) {
        var done = 0
        _ = try? end.pipe.write(FakeMemory([1]), UserRanges(0, 1), from: &done, enlist: {})
    }
    func take(_ end: PipeEnd) {
        _ = try? end.pipe.read(FakeMemory(count: 9), UserRanges(0, 9), enlist: {})
    }

    @Test func levelTriggeredStaysReady() throws {
        let (input, output) = pipe()
        let epoll = EpollFile(site.manager)
        try epoll.add(0, input, events: PollBits.input, data: 77)
        #expect(epoll.take(8).isEmpty)
        put(output)
        #expect(epoll.take(8).map(\.data) == [77])
        #expect(epoll.take(8).map(\.events) == [PollBits.input])
        take(input)
        #expect(epoll.take(8).isEmpty)
        output.drop()
        #expect(epoll.take(8).map(\.events) == [PollBits.hangUp])
    }

    @Test func edgeTriggeredReportsOnce() throws {
        let (input, output) = pipe()
        let epoll = EpollFile(site.manager)
        try epoll.add(0, input, events: PollBits.input | EpollFile.edge, data: 1)
        put(output)
        #expect(epoll.take(8).count == 1)
        #expect(epoll.take(8).isEmpty)
        put(output)
        #expect(epoll.take(8).count == 1)
    }

    @Test func oneShotNeedsModification() throws {
        let (input, output) = pipe()
        let epoll = EpollFile(site.manager)
        try epoll.add(0, input, events: PollBits.input | EpollFile.oneShot, data: 1)
        put(output)
        #expect(epoll.take(8).count == 1)
        put(output)
        #expect(epoll.take(8).isEmpty)
        try epoll.modify(0, input, events: PollBits.input, data: 2)
        #expect(epoll.take(8).map(\.data) == [2])
    }

    @Test func entriesTakeTurns() throws {
        let epoll = EpollFile(site.manager)
        for fd in 0..<3 { try epoll.add(Int32(fd), pipe().1, events: PollBits.output, data: UInt64(fd)) }
        let seen = (0..<3).map { _ in epoll.take(1).first?.data }
        #expect(Set(seen) == [0, 1, 2])
    }

    @Test func errorsOfControl() throws {
        let (input, _) = pipe()
        let epoll = EpollFile(site.manager), other = EpollFile(site.manager)
        try epoll.add(3, input, events: 1, data: 0)
        #expect(throws: Errno.EEXIST) { try epoll.add(3, input, events: 1, data: 0) }
        try epoll.add(4, input, events: 1, data: 0)
        #expect(throws: Errno.ENOENT) { try epoll.remove(5, input) }
        try other.add(7, epoll, events: 1, data: 0)
        #expect(throws: Errno.ELOOP) { try epoll.add(8, other, events: 1, data: 0) }
        try epoll.remove(3, input)
        try epoll.remove(4, input)
    }

    @Test func lastCloseRemovesEntries() throws {
        let (input, output) = pipe()
        let epoll = EpollFile(site.manager)
        try epoll.add(0, input, events: PollBits.input, data: 1)
        put(output)
        input.drop()
        #expect(epoll.take(8).isEmpty)
    }

    @Test func nestedSets() throws {
        let (input, output) = pipe()
        let inner = EpollFile(site.manager), outer = EpollFile(site.manager)
        try inner.add(0, input, events: PollBits.input, data: 1)
        try outer.add(1, inner, events: PollBits.input, data: 2)
        #expect(outer.take(8).isEmpty)
        put(output)
        #expect(outer.take(8).map(\.data) == [2])
    }

    @Test func eventCounter() throws {
        let file = EventFile(site.manager, count: 0, flags: 0, semaphore: false)
        #expect(file.poll(PollBits.always, arm: false) == PollBits.writable)
        let ready = EventFile(site.manager, count: 3, flags: 0, semaphore: false)
        #expect(ready.poll(PollBits.input, arm: false) == PollBits.input)
    }

    @Test func descriptorSets() {
        var set = DescriptorSet(bytes: [0, 0])
        set[9] = true
        set[3] = true
        set[16] = true
        #expect(set.bytes == [8, 2])
        #expect(set[9] && !set[8] && !set[1000])
        set[9] = false
        #expect(set.bytes == [8, 0])
    }

    @Test func watchesOfServersAskForTheUnionOfMasks() throws {
        let site = TestSite { request in
            var reply = MixObjReply()
            reply.events = request.op == OBJ_WATCH ? PollBits.output : 0
            return reply
        }
        var reply = MixObjReply()
        reply.mode = FileMode.character | 0o600
        let object = RemoteObject(site.manager, server: site.manager.deviceServer, reply: reply, flags: 2)
        #expect(object.poll(PollBits.input, arm: true) == 0)
        #expect(object.poll(PollBits.output, arm: true) == PollBits.output)
        let masks = site.seen.filter { $0.op == OBJ_WATCH }.map { UInt32($0.arg.0) & 7 }
        #expect(masks == [1, 5])
        #expect(site.seen.allSatisfy { $0.owner == object.number })
    }

    @Test func regularFilesAreAlwaysReady() {
        var reply = MixObjReply()
        reply.mode = FileMode.regular | 0o600
        let object = RemoteObject(site.manager, server: site.manager.fileServer, reply: reply, flags: 2)
        #expect(object.poll(PollBits.always, arm: true) == PollBits.always)
        #expect(!object.isPollable && site.seen.isEmpty)
    }
}

struct TransferTests {
    @Test func peekedBytesStayUntilTheyAreDropped() throws {
        let pipe = Pipe(inode: 1)
        pipe.attach(reading: true, writing: true)
        var done = 0
        _ = try pipe.write(FakeMemory([1, 2, 3]), UserRanges(0, 3), from: &done, enlist: {})
        var bytes = [UInt8](repeating: 0, count: 8)
        let seen = bytes.withUnsafeMutableBytes { raw in
            raw.baseAddress.map { pipe.peek(into: $0, size: 8) }
        }
        #expect(seen == .bytes(3) && bytes[..<3] == [1, 2, 3] && pipe.count == 3)
        pipe.drop(2)
        #expect(pipe.count == 1)
        #expect(pipe.put([9, 9], size: 2, whole: .max) == .bytes(2))
    }
}
