import ActorKit
import CChorus
import Glibc
import MapperFixture
import Synchronization
import Testing

@testable import NucleusCore

/// A segment of 40 pages and a bit, and a client that keeps its cache open.
private final class Setting: Sendable {
    let bench = Bench()
    let mapper: TestMapper
    let client: Nucleus
    let li: Int32
    static let bytes = (0..<163_900).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 9) }

    init(cluster: UInt64 = 65536) {
        mapper = TestMapper(bench.actor("mapper"), Self.bytes, cluster: cluster)
        client = bench.actor("client").nucleus
        var li: Int32 = 0, cap = mapper.segment
        _ = client.lcOpen(&cap, 0, &li)
        self.li = li
    }

    var stat: KnLcStat {
        var stat = KnLcStat()
        _ = client.lcStat(li, &stat)
        return stat
    }

    func flush(_ flags: UInt32, rights: UInt32? = nil) -> Int32 {
        var cap = KnCap()
        guard client.lcCap(li, &cap) == K_OK else { return K_EUNKNOWN }
        var range = KnObjDesc(dataObject: cap, startOffset: 0, size: 0)
        if let rights { return client.lcSetRights(&range, rights, 0) }
        return client.lcFlush(&range, flags, 0)
    }
}

@Suite struct CacheTests {
    @Test func readsPullInClustersOnce() {
        let setting = Setting()
        #expect(setting.li > 0)
        let got = setting.client.read(setting.mapper.segment, 70_000, 5000)
        #expect(got.bytes == Array(Setting.bytes[70_000..<75_000]))
        #expect(setting.mapper.count(KN_MPPULLIN) == 1)
        #expect(setting.mapper.state.withLock { $0.wantedBytes } == 65536)
        #expect(
            setting.client.read(setting.mapper.segment, 66_000, 60_000).bytes == Array(Setting.bytes[66_000..<126_000]))
        #expect(setting.mapper.count(KN_MPPULLIN) == 1)
        // Short at the segment's end, which lies inside a page.
        #expect(setting.client.read(setting.mapper.segment, 163_000, 5000).bytes == Array(Setting.bytes[163_000...]))
        #expect(setting.client.read(setting.mapper.segment, 200_000, 10).bytes == [])
        #expect(setting.stat.size == 163_900 && setting.stat.dirty == 0)
    }

    @Test func oneRequestServesAllWhoWaitForIt() {
        let setting = Setting()
        setting.mapper.hold.store(true, ordering: .sequentiallyConsistent)
        let jobs = (0..<4).map { i in
            setting.bench.start {
                let at = i * 4000
                let got = setting.client.read(setting.mapper.segment, UInt64(at), 4000)
                return got.bytes == Array(Setting.bytes[at..<at + 4000]) ? K_OK : K_EINVAL
            }
        }
        setting.mapper.hold.store(false, ordering: .sequentiallyConsistent)
        for job in jobs { #expect(job.result() == K_OK) }
        #expect(setting.mapper.count(KN_MPPULLIN) == 1 && setting.mapper.count(KN_MPSTAT) == 1)
    }

    @Test func writesAreDirtyUntilTheyArePushedOut() {
        let setting = Setting()
        #expect(setting.client.write(setting.mapper.segment, 4090, Array("across".utf8) + [1, 2, 3, 4, 5, 6]) == 12)
        #expect(setting.stat.dirty == 8192)
        #expect(setting.mapper.state.withLock { $0.bytes[4090] } == Setting.bytes[4090])
        var cap = setting.mapper.segment
        #expect(setting.client.sgFlush(&cap) == K_OK)
        #expect(setting.mapper.state.withLock { Array($0.bytes[4090..<4096]) } == Array("across".utf8))
        #expect(setting.stat.dirty == 0 && setting.stat.pushOuts == 1)
        #expect(setting.client.read(setting.mapper.segment, 4094, 4).bytes == [0x73, 0x73, 1, 2])
        // Behind the end it grows.
        #expect(setting.client.write(setting.mapper.segment, 170_000, [9, 9]) == 2)
        #expect(setting.client.sgFlush(&cap) == K_OK)
        #expect(setting.mapper.state.withLock { $0.bytes.count } == 170_002)
        #expect(setting.mapper.state.withLock { Array($0.bytes[169_998...]) } == [0, 0, 9, 9])
    }

    @Test func lentMemoryIsTheCaches() throws {
        let setting = Setting()
        let segment = try setting.bench.site.openCache(setting.mapper.segment)
        defer { setting.bench.site.closeCache(segment) }
        let local = try #require(segment.local)
        var got: [UInt8] = []
        func look(_ at: UInt64, _ size: Int) throws -> Int {
            try local.lending(at, size, write: false) { memory in
                got = Array(memory)
                return memory.count
            }
        }
        #expect(try look(60_000, 10_000) == 10_000)
        #expect(got == Array(Setting.bytes[60_000..<70_000]))
        #expect(try look(163_000, 5000) == 900)
        #expect(try look(163_900, 1) == 0)
        #expect(setting.stat.dirty == 0)
        let written = try local.lending(4090, 12, write: true) { memory in
            memory.copyBytes(from: Array("across pages".utf8))
            return memory.count
        }
        #expect(written == 12 && setting.stat.dirty == 8192)
        // A flush waits for what is lent.
        var jobs: [Job] = []
        let job = try local.lending(4096, 10, write: true) { memory in
            let job = setting.bench.start { setting.flush(K_LC_PUSH) }
            usleep(20_000)
            #expect(setting.mapper.count(KN_MPPUSHOUT) == 0)
            memory[0] = 0x41
            jobs.append(job)
            return 1
        }
        #expect(job == 1)
        for job in jobs { #expect(job.result() == K_OK) }
        #expect(setting.mapper.state.withLock { Array($0.bytes[4090..<4102]) } == Array("acrossApages".utf8))
    }

    @Test func whatIsTakenBackIsAskedForAgain() {
        let setting = Setting()
        _ = setting.client.write(setting.mapper.segment, 0, [42])
        #expect(setting.flush(0, rights: K_READABLE) == K_OK)  // pushed out, still readable
        #expect(setting.mapper.state.withLock { $0.bytes[0] } == 42)
        #expect(setting.stat.writable == 0 && setting.stat.present > 0)
        let asked = setting.mapper.count(KN_MPGETACCESS)
        #expect(setting.client.write(setting.mapper.segment, 1, [43]) == 1)
        #expect(setting.mapper.count(KN_MPGETACCESS) == asked + 1)
        #expect(setting.flush(K_LC_INVALIDATE) == K_OK)
        #expect(setting.stat.present == 0)
        setting.mapper.state.withLock { $0.bytes[2] = 44 }  // another site's work
        #expect(setting.client.read(setting.mapper.segment, 0, 3).bytes == [42, 43, 44])
    }

    @Test func writingIsTheMappersToGrant() {
        let setting = Setting()
        setting.mapper.grantsWriting.store(false, ordering: .relaxed)
        #expect(setting.client.write(setting.mapper.segment, 0, [1]) == K_EHOST)
        #expect(setting.client.read(setting.mapper.segment, 0, 1).bytes == [Setting.bytes[0]])
        #expect(setting.stat.dirty == 0)
    }

    @Test(arguments: [
        (TestMapper.Fault.refuses, K_EPRIV), (.shortData, K_EHOST), (.shiftedData, K_EHOST), (.greedyRights, K_EHOST),
        (.nonsense, K_EHOST),
    ])
    func badAnswersAreErrors(_ fault: TestMapper.Fault, _ code: Int32) {
        let setting = Setting()
        #expect(setting.client.read(setting.mapper.segment, 0, 1).code == 0)
        setting.mapper.fault.withLock { $0 = fault }
        #expect(setting.client.read(setting.mapper.segment, 130_000, 10).code == code)
        setting.mapper.fault.withLock { $0 = .none }
        #expect(
            setting.client.read(setting.mapper.segment, 130_000, 3).bytes == Array(Setting.bytes[130_000..<130_003]))
    }

    @Test func aSilentMapperCostsAnError() {
        let setting = Setting()
        #expect(setting.client.read(setting.mapper.segment, 0, 1).code == 0)
        setting.bench.site.mapperPatience.store(20, ordering: .relaxed)
        setting.mapper.hold.store(true, ordering: .sequentiallyConsistent)
        #expect(setting.client.read(setting.mapper.segment, 100_000, 1).code == K_ETIMEOUT)
        setting.mapper.hold.store(false, ordering: .sequentiallyConsistent)
        setting.bench.site.mapperPatience.store(10_000, ordering: .relaxed)
        #expect(setting.client.read(setting.mapper.segment, 100_000, 1).bytes == [Setting.bytes[100_000]])
    }

    @Test func aMapperThatIsGoneCostsAnError() {
        let bench = Bench()
        let server = bench.actor("mapper")
        let mapper = TestMapper(server, Setting.bytes)
        let client = bench.actor("client").nucleus
        var li: Int32 = 0, cap = mapper.segment
        #expect(client.lcOpen(&cap, 0, &li) == K_OK)
        #expect(client.read(mapper.segment, 0, 2).code == 0)
        bench.site.deleteActor(server)
        #expect(client.read(mapper.segment, 100_000, 2).code < 0)
        #expect(client.read(mapper.segment, 0, 2).bytes == Array(Setting.bytes[0..<2]))  // what is here stays
        #expect(client.lcClose(li) == K_OK && client.lcClose(li) == K_EUNKNOWN)
    }

    @Test func namesThatAreNoneAreRefused() {
        let bench = Bench()
        let client = bench.actor("client").nucleus
        var li: Int32 = 0
        var cap = KnCap(ui: client.newPort().ui, key: KnKey(keyHead: 1, keyTail: 1))
        bench.site.mapperPatience.store(20, ordering: .relaxed)
        #expect(client.lcOpen(&cap, 0, &li) < 0)  // a port that nobody serves
        cap.ui = KnUniqueId(uiHead: 0x1234_5678, uiTail: 1)
        #expect(client.lcOpen(&cap, 0, &li) < 0 && client.lcOpen(nil, 0, &li) == K_EFAULT)
        #expect(client.lcOpen(&cap, 1, &li) == K_EINVAL && client.lcClose(99) == K_EUNKNOWN)
        var range = KnObjDesc(dataObject: cap, startOffset: 0, size: 0)
        #expect(client.lcFlush(&range, 0, 0) < 0 && client.lcFlush(nil, 0, 0) == K_EFAULT)
    }

    @Test func mappersAreAskedForThePrivilegedOnly() {
        let setting = Setting()
        let user = setting.bench.actor("user", K_USERACTOR).nucleus
        var li: Int32 = 0, cap = setting.mapper.segment, made = KnCap()
        #expect(user.lcOpen(&cap, 0, &li) == K_EPRIV && user.sgCreateAt(&cap.ui, 0, &made) == K_EPRIV)
        #expect(user.read(cap, 0, 1).code == K_EPRIV && user.write(cap, 0, [1]) == K_EPRIV)
        #expect(user.sgFlush(&cap) == K_EPRIV)
        var range = KnObjDesc(dataObject: cap, startOffset: 0, size: 0)
        #expect(user.lcFlush(&range, K_LC_INVALIDATE, 0) == K_EPRIV && user.lcSetRights(&range, 0, 0) == K_EPRIV)
        #expect(setting.mapper.count(KN_MPSTAT) == 1)  // the client's own
    }

    @Test func temporarySegmentsAreMadeAndReleased() {
        let bench = Bench()
        let mapper = TestMapper(bench.actor("default mapper"), [], options: K_MP_RELEASE)
        let client = bench.actor("client").nucleus
        var made = KnCap(), other = KnCap(), ui = mapper.segment.ui
        #expect(client.sgCreateAt(&ui, 0, &made) == K_OK && client.sgCreateAt(&ui, 0, &other) == K_OK)
        #expect(made.ui == ui && made.key.raw != other.key.raw)
        var li: Int32 = 0
        #expect(client.lcOpen(&made, 0, &li) == K_OK)
        #expect(client.write(made, 0, Array("swapped".utf8)) == 7)
        #expect(client.read(made, 0, 7).bytes == Array("swapped".utf8))
        #expect(mapper.state.withLock { $0.released.isEmpty })
        #expect(client.lcClose(li) == K_OK)
        // Written back first, then given up.
        #expect(eventually { mapper.state.withLock { $0.released.map(\.raw) == [made.key.raw] } })
        #expect(mapper.state.withLock { $0.bytes } == Array("swapped".utf8))
        #expect(mapper.state.withLock { $0.asked.suffix(2) } == [KN_MPPUSHOUT, KN_MPRELEASE])
        #expect(bench.actor("user", K_USERACTOR).nucleus.sgCreateAt(&ui, 0, &made) == K_EPRIV)
        mapper.fault.withLock { $0 = .nonsense }
        #expect(client.sgCreateAt(&ui, 0, &made) == K_EHOST)
    }

    /// A mapper that takes back what it is about to grant: the flush comes first here, though it was decided later.
    @Test func aFlushThatOvertakesAGrantCounts() {
        let setting = Setting()
        let client = setting.client
        setting.mapper.state.withLock { state in
            state.beforeAnswer = { mapper in
                let (lccap, order) = mapper.state.withLock { ($0.lccap, $0.order) }
                var range = KnObjDesc(dataObject: lccap, startOffset: 0, size: 0)
                // The answer on its way is number order + 1.
                _ = client.lcFlush(&range, K_LC_INVALIDATE, order + 2)
                mapper.state.withLock { $0.bytes[0] = 99 }
            }
        }
        #expect(client.read(setting.mapper.segment, 0, 1).bytes == [99])
        #expect(setting.mapper.count(KN_MPPULLIN) == 2)
    }

    @Test func aFlushOfAnOlderOrderLeavesWhatWasGrantedSince() {
        let setting = Setting()
        #expect(setting.client.read(setting.mapper.segment, 0, 1).code == 0)
        let (lccap, order) = setting.mapper.state.withLock { ($0.lccap, $0.order) }
        var range = KnObjDesc(dataObject: lccap, startOffset: 0, size: 0)
        #expect(setting.client.lcFlush(&range, K_LC_INVALIDATE, order - 1) == K_OK)
        #expect(setting.stat.present > 0)
        #expect(setting.client.lcFlush(&range, K_LC_INVALIDATE, order) == K_OK)
        #expect(setting.stat.present == 0)
    }

    @Test func everythingIsWrittenBackAtOnce() {
        let setting = Setting()
        let other = TestMapper(setting.bench.actor("other"), Setting.bytes)
        var li: Int32 = 0, cap = other.segment
        _ = setting.client.lcOpen(&cap, 0, &li)
        _ = setting.client.write(setting.mapper.segment, 0, [1])
        _ = setting.client.write(other.segment, 0, [2])
        #expect(setting.bench.actor("user", K_USERACTOR).nucleus.sgSyncAll() == K_EPRIV)
        #expect(setting.client.sgSyncAll() == K_OK)
        #expect(setting.mapper.state.withLock { $0.bytes[0] } == 1 && other.state.withLock { $0.bytes[0] } == 2)
        _ = setting.client.write(other.segment, 0, [3])
        other.fault.withLock { $0 = .refuses }
        #expect(setting.client.sgSyncAll() == K_EPRIV)
        other.fault.withLock { $0 = .none }
        #expect(setting.client.sgSyncAll() == K_OK && other.state.withLock { $0.bytes[0] } == 3)
    }

    @Test func cachesStayWithinTheirBound() {
        let setting = Setting()
        let site = setting.bench.site
        site.caches.mostPages.store(32, ordering: .relaxed)
        // Twice through forty pages: what was read first is gone by then.
        for _ in 0..<2 {
            for at in stride(from: 0, to: Setting.bytes.count, by: 4096) {
                let wanted = Array(Setting.bytes[at..<min(at + 4096, Setting.bytes.count)])
                #expect(setting.client.read(setting.mapper.segment, UInt64(at), 4096).bytes == wanted)
                #expect(site.caches.pages.load(ordering: .relaxed) <= 32)
            }
        }
        #expect(setting.mapper.count(KN_MPPULLIN) > 3)
        #expect(setting.stat.present == UInt64(site.caches.pages.load(ordering: .relaxed)) * 4096)
        #expect(setting.client.lcClose(setting.li) == K_OK)
        #expect(eventually { site.caches.pages.load(ordering: .relaxed) == 0 })
        site.limitMemory(64 << 20)
        #expect(
            site.caches.mostPages.load(ordering: .relaxed) == 4096
                && site.memory.limit.load(ordering: .relaxed) == 64 << 20)
    }

    @Test func whatIsDirtyIsWrittenBackBeforeItGoes() {
        let setting = Setting()
        let site = setting.bench.site
        site.caches.mostPages.store(16, ordering: .relaxed)
        for window in 0..<2 {
            #expect(setting.client.write(setting.mapper.segment, UInt64(window) * 65536, [7]) == 1)
        }
        // The next one finds nothing clean but what came along.
        _ = setting.client.read(setting.mapper.segment, 131_072, 1)
        #expect(
            eventually {
                _ = setting.client.read(setting.mapper.segment, 131_072, 1)
                _ = setting.client.read(setting.mapper.segment, 70_000, 1)
                return setting.mapper.state.withLock { $0.bytes[0] == 7 && $0.bytes[65536] == 7 }
            })
        #expect(setting.client.read(setting.mapper.segment, 0, 2).bytes == [7, Setting.bytes[1]])
    }

    @Test func aMapperThatTakesNothingBackIsNotFedForEver() {
        let bench = Bench()
        let mapper = TestMapper(bench.actor("mapper"), [UInt8](repeating: 1, count: 1 << 20))
        let client = bench.actor("client").nucleus
        var li: Int32 = 0, cap = mapper.segment
        #expect(client.lcOpen(&cap, 0, &li) == K_OK)
        bench.site.caches.mostPages.store(32, ordering: .relaxed)
        let full = [UInt8](repeating: 2, count: 65536)
        #expect(client.write(mapper.segment, 0, full) == 65536)
        mapper.fault.withLock { $0 = .refusesData }
        var code: Int32 = 0
        for window in 1..<16 where code >= 0 { code = client.write(mapper.segment, UInt64(window) * 65536, full) }
        #expect(code == K_ENOMEM)
        #expect(bench.site.caches.pages.load(ordering: .relaxed) <= 64)
        mapper.fault.withLock { $0 = .none }
        #expect(eventually { client.write(mapper.segment, 15 * 65536, full) == 65536 })
    }

    @Test func whoIsUnloadedGetsWhatIsItsOwn() {
        let setting = Setting()
        let server = setting.bench.actor("other")
        let other = TestMapper(server, Setting.bytes)
        var li: Int32 = 0, cap = other.segment
        _ = setting.client.lcOpen(&cap, 0, &li)
        _ = setting.client.write(setting.mapper.segment, 0, [1])
        _ = setting.client.write(other.segment, 0, [2])
        setting.bench.site.flushCaches(servedBy: server)
        #expect(other.count(KN_MPPUSHOUT) == 1 && setting.mapper.count(KN_MPPUSHOUT) == 0)
        setting.bench.site.flushCaches()
        #expect(setting.mapper.count(KN_MPPUSHOUT) == 1)
    }
}
