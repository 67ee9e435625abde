import ActorKit
import CChorus
import Glibc
import MapperFixture
import NucleusCore
import Synchronization
import Testing

@testable import MachineLinux

/// A few instructions, put together.
struct Steps {
    var bytes: [UInt8] = []
    private func with(_ parts: [UInt8]...) -> Steps { Steps(bytes: bytes + parts.flatMap { $0 }) }
    private func word(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }
    /// mov eax,number; syscall
    func trap(_ number: UInt32) -> Steps { with([0xb8], word(number), [0x0f, 5]) }
    /// movzx eax, byte [at]; add edi, eax
    func add(_ at: UInt32) -> Steps { with([0x0f, 0xb6, 0x04, 0x25], word(at), [0x01, 0xc7]) }
    /// mov byte [at], value
    func put(_ at: UInt32, _ value: UInt8) -> Steps { with([0xc6, 0x04, 0x25], word(at), [value]) }
    /// cmp byte [at], value; jne back
    func until(_ at: UInt32, _ value: UInt8) -> Steps { with([0x80, 0x3c, 0x25], word(at), [value, 0x75, 0xf6]) }
    /// xor edi,edi
    var clear: Steps { with([0x31, 0xff]) }
    var exit: Steps { trap(60) }
    /// jmp .
    var forEver: Steps { with([0xeb, 0xfe]) }
}

/// Where the tests map.
private let place: UInt64 = 0x1000_0000

extension MiniKernel {
    var nucleus: Nucleus { Nucleus(actor.creator!.table) }

    /// Maps all of the mapper's segment when the guest makes its first call (39), which it then returns from.
    fileprivate func maps(_ mapper: TestMapper, _ size: UInt64, _ options: UInt32, shared: Bool = true) {
        answer = { kernel, frame in
            guard frame.pointee.number == 39 else { return kernel.standard(frame) }
            var cap = kernel.actor.cap
            var region = KnRgnDesc(startAddr: place, size: size, options: options, opaque: 0, endAddr: 0)
            var object = KnObjDesc(dataObject: mapper.segment, startOffset: 0, size: size)
            let n = kernel.nucleus
            frame.pointee.result = Int64(
                shared ? n.rgnMap(&cap, &region, &object) : n.rgnInit(&cap, &region, &object))
            return K_OK
        }
    }
}

@Suite(.serialized) struct MapperGuestTests {
    static let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 9) }
    static let size: UInt64 = 196_608

    @Test func readingPullsInWindows() throws {
        let kernel = try #require(MiniKernel())
        let mapper = TestMapper(kernel.site.createActor(name: "mapper", privilege: K_SUPACTOR), Self.bytes)
        kernel.maps(mapper, Self.size, K_READABLE)
        let at = [5, 70_000, 60_000, 66_000, 6]
        var code = Steps().trap(39).clear
        for offset in at { code = code.add(UInt32(place) + UInt32(offset)) }
        try #require(kernel.start(code.exit.bytes))
        #expect(kernel.wait() == at.reduce(0) { $0 + Int32(Self.bytes[$1]) })
        #expect(mapper.count(KN_MPPULLIN) == 2 && mapper.count(KN_MPGETACCESS) == 0)
        kernel.end()
    }

    @Test func aLargerClusterIsOneRequest() throws {
        let kernel = try #require(MiniKernel())
        let mapper = TestMapper(
            kernel.site.createActor(name: "mapper", privilege: K_SUPACTOR), Self.bytes, cluster: 1 << 20)
        kernel.maps(mapper, Self.size, K_READABLE)
        let code = Steps().trap(39).clear.add(UInt32(place)).add(UInt32(place) + 70_000).add(UInt32(place) + 140_000)
        try #require(kernel.start(code.exit.bytes))
        #expect(kernel.wait() == [0, 70_000, 140_000].reduce(0) { $0 + Int32(Self.bytes[$1]) })
        #expect(mapper.count(KN_MPPULLIN) == 1)
        #expect(mapper.state.withLock { $0.wantedBytes } == UInt64(Self.bytes.count + 4095) / 4096 * 4096)
        kernel.end()
    }

    @Test func writesAreAskedForAndPushedOut() throws {
        let kernel = try #require(MiniKernel())
        let mapper = TestMapper(kernel.site.createActor(name: "mapper", privilege: K_SUPACTOR), Self.bytes)
        kernel.maps(mapper, Self.size, K_READABLE | K_WRITABLE)
        let at = UInt32(place) + 4096
        let code = Steps().trap(39).clear.add(at).put(at, 77).clear.add(at).add(at + 1)
        try #require(kernel.start(code.exit.bytes))
        #expect(kernel.wait() == 77 + Int32(Self.bytes[4097]))
        #expect(mapper.count(KN_MPGETACCESS) == 1 && mapper.count(KN_MPPUSHOUT) == 0)
        var stats = [KnRgnStat2](repeating: KnRgnStat2(), count: 1), count: UInt32 = 1, cap = kernel.actor.cap
        #expect(kernel.nucleus.rgnStat2(&cap, place, &count, &stats) == K_OK && count == 1)
        #expect(stats[0].mapper.uiTail == mapper.segment.ui.uiTail && stats[0].resident == 65536)
        #expect(stats[0].dirty == 4096 && stats[0].isPrivate == 0)
        var segment = mapper.segment
        #expect(kernel.nucleus.sgFlush(&segment) == K_OK)
        #expect(mapper.state.withLock { $0.bytes[4096] } == 77)
        #expect(mapper.state.withLock { $0.bytes[4097...] } == Self.bytes[4097...])
        kernel.end()
    }

    @Test func aPrivateCopyIsNobodyElses() throws {
        let kernel = try #require(MiniKernel())
        let mapper = TestMapper(kernel.site.createActor(name: "mapper", privilege: K_SUPACTOR), Self.bytes)
        kernel.maps(mapper, Self.size, K_READABLE | K_WRITABLE, shared: false)
        let at = UInt32(place) + 100
        try #require(kernel.start(Steps().trap(39).put(at, 9).clear.add(at).add(at + 1).exit.bytes))
        #expect(kernel.wait() == 9 + Int32(Self.bytes[101]))
        #expect(mapper.count(KN_MPGETACCESS) == 0)
        #expect(kernel.nucleus.read(mapper.segment, 100, 1).bytes == [Self.bytes[100]])
        kernel.end()
    }

    @Test(arguments: [TestMapper.Fault.refuses, .shiftedData, .greedyRights, .nonsense, .silent])
    func aBadMapperCostsItsGuestASignal(_ fault: TestMapper.Fault) throws {
        let kernel = try #require(MiniKernel())
        let mapper = TestMapper(kernel.site.createActor(name: "mapper", privilege: K_SUPACTOR), Self.bytes)
        kernel.maps(mapper, Self.size, K_READABLE)
        let map = kernel.answer
        kernel.answer = { kernel, frame in
            let outcome = map?(kernel, frame) ?? K_EINVAL
            if fault == .silent {
                kernel.site.mapperPatience.store(50, ordering: .relaxed)
                mapper.hold.store(true, ordering: .sequentiallyConsistent)
            } else {
                mapper.fault.withLock { $0 = fault }
            }
            return outcome
        }
        try #require(kernel.start(Steps().trap(39).add(UInt32(place)).exit.bytes))
        #expect(kernel.wait() == 1000 + SIGBUS)
        // And the site nothing: with a mapper that has come to its senses it goes on.
        mapper.hold.store(false, ordering: .sequentiallyConsistent)
        mapper.fault.withLock { $0 = .none }
        kernel.site.mapperPatience.store(10_000, ordering: .relaxed)
        #expect(kernel.nucleus.read(mapper.segment, 0, 2).bytes == Array(Self.bytes[0..<2]))
        kernel.end()
    }

    @Test func aMapperThatIsGoneCostsItsGuestASignal() throws {
        let kernel = try #require(MiniKernel())
        let server = kernel.site.createActor(name: "mapper", privilege: K_SUPACTOR)
        let mapper = TestMapper(server, Self.bytes)
        kernel.maps(mapper, Self.size, K_READABLE)
        let map = kernel.answer
        kernel.answer = { kernel, frame in
            if frame.pointee.number == 40 { return kernel.site.deleteActor(server) }
            return map?(kernel, frame) ?? K_EINVAL
        }
        let code = Steps().trap(39).add(UInt32(place)).trap(40).add(UInt32(place) + 1).add(UInt32(place) + 70_000)
        try #require(kernel.start(code.exit.bytes))
        #expect(kernel.wait() == 1000 + SIGBUS)
        #expect(mapper.count(KN_MPPULLIN) == 1, "what is here stays")
        kernel.end()
    }

    @Test func theNucleusReadsAndWritesWhatIsNotThereYet() throws {
        let kernel = try #require(MiniKernel())
        let mapper = TestMapper(kernel.site.createActor(name: "mapper", privilege: K_SUPACTOR), Self.bytes)
        kernel.maps(mapper, Self.size, K_READABLE | K_WRITABLE)
        let map = kernel.answer
        let mapped = Atomic<Bool>(false)
        kernel.answer = { kernel, frame in
            defer { mapped.store(true, ordering: .releasing) }
            return map?(kernel, frame) ?? K_EINVAL
        }
        try #require(kernel.start(Steps().trap(39).forEver.bytes))
        for _ in 0..<40_000 where !mapped.load(ordering: .acquiring) { usleep(500) }
        // Its only thread runs; 150 000 bytes reach over three windows.
        var cap = kernel.actor.cap
        var bytes = [UInt8](repeating: 0, count: 150_000)
        #expect(kernel.nucleus.actorRead(&cap, place + 1000, &bytes, 150_000) == 150_000)
        #expect(bytes == Array(Self.bytes[1000..<151_000]))
        #expect(kernel.nucleus.actorWrite(&cap, place + 70_000, Array("by hand".utf8), 7) == 7)
        #expect(kernel.nucleus.read(mapper.segment, 70_000, 7).bytes == Array("by hand".utf8))
        #expect(kernel.nucleus.actorRead(&cap, 0x7000_0000, &bytes, 10) == K_EFAULT)
        mapper.fault.withLock { $0 = .refuses }
        var segment = mapper.segment
        #expect(kernel.nucleus.sgFlush(&segment) == K_EPRIV)
        mapper.fault.withLock { $0 = .none }
        #expect(kernel.nucleus.sgFlush(&segment) == K_OK)
        #expect(mapper.state.withLock { Array($0.bytes[70_000..<70_007]) } == Array("by hand".utf8))
        kernel.end()
    }
}
