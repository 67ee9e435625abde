import ActorKit
import CChorus
import Glibc
import MapperFixture
import NucleusCore
import Synchronization
import Testing

@testable import MachineLinux

private let place: UInt64 = 0x1000_0000
private let size: UInt64 = 65536
private let stack: UInt64 = 0x4ff000
private let readWrite = K_READABLE | K_WRITABLE

private func region(_ start: UInt64, _ size: UInt64, _ options: UInt32 = 0, opaque: UInt32 = 0) -> KnRgnDesc {
    KnRgnDesc(startAddr: start, size: size, options: options, opaque: opaque, endAddr: 0)
}

extension MiniKernel {
    /// Another guest, made ready to run `code` but not let go.
    fileprivate func second(_ code: Steps) -> (actor: Actor, thread: Thread)? {
        let other = site.createActor(name: "second", privilege: K_UNIXACTOR, creator: actor.creator)
        var start = KnThreadStart()
        start.flags = UInt32(K_START_BLANK)
        guard case .success(let li) = guests.threadCreate(other, start, from: nil), let thread = try? site.thread(li)
        else { return nil }
        var text = region(0x400000, 4096, readWrite | K_EXECUTABLE)
        var context = KnThreadCtx()
        context.rip = 0x400000
        guard guests.rgnAllocate(other, &text) == K_OK,
            code.bytes.withUnsafeBytes({ guests.copyOut(thread, $0, 0x400000, deferred: false) }) == K_OK,
            guests.threadContext(thread, nil, &context) == K_OK
        else { return nil }
        return (other, thread)
    }

    fileprivate func bytes(_ actor: Actor, _ at: UInt64, _ count: Int) -> [UInt8]? {
        var cap = actor.cap
        var bytes = [UInt8](repeating: 0xee, count: count)
        return nucleus.actorRead(&cap, at, &bytes, UInt32(count)) == Int32(count) ? bytes : nil
    }

    fileprivate func put(_ actor: Actor, _ at: UInt64, _ text: String) -> Int32 {
        var cap = actor.cap
        return nucleus.actorWrite(&cap, at, Array(text.utf8), UInt32(text.utf8.count))
    }

    fileprivate func text(_ actor: Actor, _ at: UInt64, _ count: Int) -> String? {
        bytes(actor, at, count).map { String(decoding: $0, as: UTF8.self) }
    }

    fileprivate func regions(_ actor: Actor, from: UInt64 = 0) -> [KnRgnStat2] {
        var cap = actor.cap
        var (stats, count) = ([KnRgnStat2](repeating: KnRgnStat2(), count: 64), UInt32(64))
        guard nucleus.rgnStat2(&cap, from, &count, &stats) == K_OK else { return [] }
        return Array(stats.prefix(Int(count)))
    }

    /// Ends all guests.
    fileprivate func endAll() { for actor in site.allActors where actor.isUnix { site.deleteActor(actor) } }
}

@Suite(.serialized) struct RegionTests {
    /// Private memory of one that runs, into another: from then on it is one memory.
    @Test func memoryOfARunningActorIsShared() throws {
        let kernel = try #require(MiniKernel())
        // The first waits on its stack page for what the second writes into its own region.
        try #require(
            kernel.start(Steps().put(UInt32(stack), 3).until(UInt32(stack) + 1, 7).clear.add(UInt32(stack)).exit.bytes))
        let (other, thread) = try #require(kernel.second(Steps().put(UInt32(place) + 1, 7).forEver))
        for _ in 0..<40_000 where kernel.bytes(kernel.actor, stack, 1) != [3] { usleep(500) }
        var (mine, its) = (kernel.actor.cap, other.cap)
        var target = region(place, 0, readWrite), source = region(stack, 4096)
        #expect(kernel.nucleus.rgnMapFromActor(&its, &target, &mine, &source) == K_OK && target.size == 4096)
        #expect(kernel.bytes(other, place, 2) == [3, 0])
        #expect(kernel.exitCode.load(ordering: .acquiring) == -1)
        #expect(kernel.guests.trapComplete(thread, 0, context: true) == K_OK)
        #expect(kernel.wait() == 3)
        let seen = kernel.regions(kernel.actor, from: stack)
        #expect(seen.first?.isPrivate == 0 && seen.first?.resident == 4096)
        kernel.endAll()
    }

    @Test func aWordIsSwappedOnlyForTheOneExpected() throws {
        let kernel = try #require(MiniKernel())
        try #require(kernel.start(Steps().forEver.bytes))
        let (other, thread) = try #require(kernel.second(Steps().forEver))
        var its = other.cap
        var data = region(place, size, readWrite), text = region(place + size, size, K_READABLE)
        #expect(kernel.nucleus.rgnAllocate(&its, &data) == K_OK && kernel.nucleus.rgnAllocate(&its, &text) == K_OK)
        #expect(kernel.guests.swapWord(thread, place + 4, expected: 0, new: 0x6463_6261) == K_OK)
        #expect(kernel.text(other, place + 4, 4) == "abcd")
        #expect(kernel.guests.swapWord(thread, place + 4, expected: 0, new: 7) == K_EBUSY)
        #expect(kernel.text(other, place + 4, 4) == "abcd")
        #expect(kernel.guests.swapWord(thread, place + size, expected: 0, new: 7) == K_EFAULT)
        #expect(kernel.guests.swapWord(thread, place + 2 * size, expected: 0, new: 7) == K_EFAULT)
    }

    @Test func aCopyIsItsOwn() throws {
        let kernel = try #require(MiniKernel())
        try #require(kernel.start(Steps().forEver.bytes))
        let (other, _) = try #require(kernel.second(Steps().forEver))
        var (mine, its) = (kernel.actor.cap, other.cap)
        var first = region(place, size, readWrite), second = region(place + size, size, K_READABLE | K_EXECUTABLE)
        #expect(kernel.nucleus.rgnAllocate(&mine, &first) == K_OK)
        #expect(kernel.nucleus.rgnAllocate(&mine, &second) == K_OK)
        #expect(kernel.put(kernel.actor, place + size - 3, "abc") == 3)
        // Over two regions; anywhere.
        var target = region(0, 0, K_READABLE | K_ANYWHERE), source = region(place + size - 4096, 8192)
        #expect(kernel.nucleus.rgnInitFromActor(&its, &target, &mine, &source) == K_OK)
        #expect(kernel.bytes(other, target.startAddr + 4093, 5) == Array("abc".utf8) + [0, 0])
        #expect(kernel.put(kernel.actor, place + size - 3, "xyz") == 3)
        #expect(kernel.bytes(other, target.startAddr + 4093, 3) == Array("abc".utf8))
        #expect(kernel.put(other, target.startAddr, "no") == K_EFAULT)
        #expect(kernel.regions(kernel.actor, from: place).first?.isPrivate == 1)
        // Holes, and what is no range.
        source = region(place, 4 * size)
        #expect(kernel.nucleus.rgnInitFromActor(&its, &target, &mine, &source) == K_EFAULT)
        #expect(kernel.nucleus.rgnMapFromActor(&its, &target, &mine, &source) == K_EFAULT)
        source = region(place + 1, 4096)
        #expect(kernel.nucleus.rgnMapFromActor(&its, &target, &mine, &source) == K_EINVAL)
        source = region(place, 4096)
        #expect(kernel.nucleus.rgnMapFromActor(nil, &target, &mine, &source) == K_EFAULT)
        target = region(place, 0, readWrite)
        #expect(kernel.nucleus.rgnMapFromActor(&mine, &target, &mine, &source) == K_EINVAL, "onto itself")
        kernel.endAll()
    }

    @Test func whatMayNotBeWrittenIsNotHandedOnToBe() throws {
        let kernel = try #require(MiniKernel())
        try #require(kernel.start(Steps().forEver.bytes))
        let (other, _) = try #require(kernel.second(Steps().forEver))
        var (mine, its, segment) = (kernel.actor.cap, other.cap, KnCap())
        #expect(kernel.nucleus.sgCreate("s", size, &segment) == K_OK)
        var first = region(place, size, K_READABLE), object = KnObjDesc(dataObject: segment, startOffset: 0, size: size)
        #expect(kernel.nucleus.rgnMap(&mine, &first, &object) == K_OK)
        var target = region(place, 0, readWrite), source = region(place, size)
        #expect(kernel.nucleus.rgnMapFromActor(&its, &target, &mine, &source) == K_EPRIV)
        target.options = K_READABLE
        #expect(kernel.nucleus.rgnMapFromActor(&its, &target, &mine, &source) == K_OK)
        #expect(kernel.nucleus.write(segment, 0, Array("seen".utf8)) == 4)
        #expect(kernel.text(other, place, 4) == "seen" && kernel.text(kernel.actor, place, 4) == "seen")
        let user = Nucleus(kernel.site.createActor(name: "user", privilege: K_USERACTOR).table)
        #expect(user.rgnMapFromActor(&its, &target, &mine, &source) == K_EPRIV)
        #expect(user.rgnSetOpaque(&mine, &source) == K_EPRIV && user.rgnSetInherit(&mine, &source) == K_EPRIV)
        kernel.endAll()
    }

    @Test func attributesGoOverHolesAndSplit() throws {
        let kernel = try #require(MiniKernel())
        try #require(kernel.start(Steps().forEver.bytes))
        var mine = kernel.actor.cap
        var first = region(place, size, readWrite), second = region(place + 2 * size, size, readWrite)
        #expect(kernel.nucleus.rgnAllocate(&mine, &first) == K_OK && kernel.nucleus.rgnAllocate(&mine, &second) == K_OK)
        var range = region(place + 4096, 2 * size, opaque: 0xabc)
        #expect(kernel.nucleus.rgnSetOpaque(&mine, &range) == K_OK)
        func shape() -> [[UInt64]] {
            kernel.regions(kernel.actor, from: place).filter { $0.rgn.startAddr < place + 4 * size }.map {
                [($0.rgn.startAddr - place) / 4096, $0.rgn.size / 4096, UInt64($0.rgn.opaque)]
            }
        }
        #expect(shape() == [[0, 1, 0], [1, 15, 0xabc], [32, 1, 0xabc], [33, 15, 0]])
        range.opaque = 0
        #expect(kernel.nucleus.rgnSetOpaque(&mine, &range) == K_OK)
        #expect(shape() == [[0, 16, 0], [32, 16, 0]], "and are one again")
        range = region(place, 3 * size, K_INHERITCOPY)
        #expect(kernel.nucleus.rgnSetInherit(&mine, &range) == K_OK)
        #expect(kernel.regions(kernel.actor, from: place)[0].rgn.options & K_INHERITCOPY != 0)
        range.options = K_INHERITCOPY | K_INHERITSHARE
        #expect(kernel.nucleus.rgnSetInherit(&mine, &range) == K_EINVAL)
        // Brought in now.
        #expect(kernel.regions(kernel.actor, from: place)[0].resident == 0)
        range = region(place, 3 * size, K_NODEMAND | K_NOWAITFORMEMORY)
        #expect(kernel.nucleus.rgnSetPaging(&mine, &range) == K_OK)
        let now = kernel.regions(kernel.actor, from: place)[0]
        #expect(now.resident == size && now.rgn.options & K_NODEMAND != 0)
        range.options = K_WRITABLE
        #expect(kernel.nucleus.rgnSetPaging(&mine, &range) == K_EINVAL)
        kernel.endAll()
    }

    @Test func aSegmentOfAMapperIsBroughtInWhole() throws {
        let kernel = try #require(MiniKernel())
        let bytes = (0..<Int(3 * size)).map { UInt8(truncatingIfNeeded: $0 >> 8) }
        let mapper = TestMapper(kernel.site.createActor(name: "mapper", privilege: K_SUPACTOR), bytes)
        try #require(kernel.start(Steps().forEver.bytes))
        var mine = kernel.actor.cap
        var first = region(place, 3 * size, readWrite)
        var object = KnObjDesc(dataObject: mapper.segment, startOffset: 0, size: 3 * size)
        #expect(kernel.nucleus.rgnInit(&mine, &first, &object) == K_OK)
        var range = region(place + size, size, K_NODEMAND)
        #expect(kernel.nucleus.rgnSetPaging(&mine, &range) == K_OK)
        #expect(mapper.count(KN_MPPULLIN) == 1)
        // A private copy of it becomes shared memory with all that the mapper has.
        range = region(place, 3 * size, K_INHERITSHARE)
        #expect(kernel.nucleus.rgnSetInherit(&mine, &range) == K_OK)
        #expect(mapper.count(KN_MPPULLIN) == 3)
        #expect(kernel.bytes(kernel.actor, place, bytes.count) == bytes)
        kernel.endAll()
    }

    /// Fork as each region's inheritance says.
    @Test func aChildInheritsAsTheRegionsSay() throws {
        let kernel = try #require(MiniKernel())
        let child = Mutex<Actor?>(nil)
        let went = Atomic<Int32>(-1)
        kernel.answer = { kernel, frame in
            guard frame.pointee.number == 57 else { return kernel.standard(frame) }
            let n = kernel.nucleus
            var mine = kernel.actor.cap, segment = KnCap()
            let attributes: [(UInt64, UInt32)] = [
                (0x400000, K_INHERITCOPY), (place, K_INHERITSHARE), (place + size, K_INHERITCOPY),
                (place + 2 * size, 0),
            ]
            for (at, inherit) in attributes {
                var desc = region(at, at == 0x400000 ? 4096 : size, readWrite)
                if at != 0x400000 { _ = n.rgnAllocate(&mine, &desc) }
                _ = kernel.put(kernel.actor, at + 2000, "before")
                desc.options = inherit
                if n.rgnSetInherit(&mine, &desc) != K_OK { return K_OK }
            }
            // Shared by nature, inherited as a copy.
            _ = n.sgCreate("s", size, &segment)
            var desc = region(place + 3 * size, size, readWrite)
            var object = KnObjDesc(dataObject: segment, startOffset: 0, size: size)
            _ = n.rgnMap(&mine, &desc, &object)
            _ = kernel.put(kernel.actor, place + 3 * size + 2000, "before")
            desc.options = K_INHERITCOPY
            _ = n.rgnSetInherit(&mine, &desc)
            let other = kernel.site.createActor(name: "child", privilege: K_UNIXACTOR, creator: kernel.actor.creator)
            var its = other.cap
            guard n.rgnDup(&its, &mine, 0) == K_OK, let source = try? kernel.site.thread(frame.pointee.thread) else {
                return K_OK
            }
            guard case .success = kernel.guests.threadCreate(other, KnThreadStart(), from: source) else { return K_OK }
            child.withLock { $0 = other }
            went.store(0, ordering: .releasing)
            return K_OK
        }
        try #require(kernel.start(Steps().trap(57).forEver.bytes))
        for _ in 0..<40_000 where went.load(ordering: .acquiring) != 0 { usleep(500) }
        let other = try #require(child.withLock { $0 })
        #expect(kernel.text(other, 0x400000 + 2000, 6) == "before")
        for block in [0, 1, 3] {
            #expect(kernel.text(other, place + UInt64(block) * size + 2000, 6) == "before", "\(block)")
            #expect(kernel.put(kernel.actor, place + UInt64(block) * size + 2000, "after!") == 6)
            #expect(kernel.text(other, place + UInt64(block) * size + 2000, 6) == (block == 0 ? "after!" : "before"))
        }
        #expect(kernel.bytes(other, place + 2 * size, 1) == nil && kernel.bytes(other, stack, 1) == nil)
        let list = kernel.regions(other, from: 0x400000).filter { $0.rgn.startAddr < place + 4 * size }
        #expect(list.map(\.rgn.startAddr) == [0x400000, place, place + size, place + 3 * size])
        #expect(list.map(\.isPrivate) == [1, 0, 1, 1])
        kernel.endAll()
    }

    @Test func memoryIsNotPromisedTwice() throws {
        let kernel = try #require(MiniKernel())
        try #require(kernel.start(Steps().forEver.bytes))
        let n = kernel.nucleus, memory = kernel.site.memory
        var mine = kernel.actor.cap
        let before = memory.held
        memory.limit.store(before + 4 * size, ordering: .relaxed)
        var desc = region(place, 8 * size, readWrite)
        #expect(n.rgnAllocate(&mine, &desc) == K_ENOMEM)
        desc.options |= K_INHERITSHARE
        #expect(n.rgnAllocate(&mine, &desc) == K_ENOMEM)
        desc.options = K_READABLE
        #expect(n.rgnAllocate(&mine, &desc) == K_OK, "what is only read is the host's zeros")
        desc.options = readWrite
        #expect(n.rgnSetProtect(&mine, &desc) == K_ENOMEM)
        desc.size = 3 * size
        #expect(n.rgnSetProtect(&mine, &desc) == K_OK && memory.held == before + 3 * size)
        #expect(n.rgnSetProtect(&mine, &desc) == K_OK && memory.held == before + 3 * size, "once")
        var (old, now) = (desc, region(place, 6 * size))
        #expect(n.rgnMove(&mine, &old, &now) == K_ENOMEM)
        var segment = KnCap()
        #expect(n.sgCreate("s", 0, &segment) == K_OK)
        #expect(n.write(segment, 0, [UInt8](repeating: 1, count: Int(size))) == Int32(size))
        #expect(n.write(segment, size, [UInt8](repeating: 1, count: Int(size))) == K_ENOMEM)
        let other = kernel.site.createActor(name: "child", privilege: K_UNIXACTOR, creator: kernel.actor.creator)
        var its = other.cap
        #expect(n.rgnDup(&its, &mine, K_RGNDUP_COPY) == K_ENOMEM, "a fork is promised all of it again")
        #expect(n.rgnFree(&mine, &desc) == K_OK && n.sgRelease(&segment) == K_OK && memory.held == before)
        #expect(n.rgnDup(&its, &mine, K_RGNDUP_COPY) == K_OK)
        memory.limit.store(0, ordering: .relaxed)
        kernel.endAll()
        for _ in 0..<40_000 where memory.held != 0 { usleep(500) }
        #expect(memory.held == 0)
    }
}
