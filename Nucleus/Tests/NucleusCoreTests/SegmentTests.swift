import ActorKit
import CChorus
import Glibc
import MachineLinux
import Testing

@testable import NucleusCore

@Suite struct SegmentTests {
    func write(_ nucleus: Nucleus, _ cap: KnCap, _ offset: UInt64, _ text: String) -> Int32 {
        var object = KnObjDesc(dataObject: cap, startOffset: offset, size: 0)
        let bytes = Array(text.utf8)
        return nucleus.sgWrite(&object, bytes, UInt32(bytes.count))
    }

    func read(_ nucleus: Nucleus, _ cap: KnCap, _ offset: UInt64, _ capacity: UInt32) -> [UInt8]? {
        var object = KnObjDesc(dataObject: cap, startOffset: offset, size: 0)
        var (bytes, size) = ([UInt8](repeating: 9, count: Int(capacity)), capacity)
        guard nucleus.sgRead(&object, &bytes, &size) == K_OK else { return nil }
        return Array(bytes.prefix(Int(size)))
    }

    func stat(_ nucleus: Nucleus, _ cap: KnCap) -> KnSgStat {
        var (cap, stat) = (cap, KnSgStat())
        #expect(nucleus.sgStat(&cap, &stat) == K_OK)
        return stat
    }

    @Test func theMemoryLimitHolds() {
        let bench = Bench()
        let actor = bench.actor()
        actor.limits = ActorLimits(memory: 64 << 10)
        let nucleus = actor.nucleus
        var (cap, other) = (KnCap(), KnCap())
        #expect(nucleus.sgCreate("t", 0, &cap) == K_OK)
        #expect(nucleus.sgCreate("u", 0, &other) == K_OK)
        let page = String(repeating: "x", count: 4096)
        for index in 0..<15 { #expect(write(nucleus, cap, UInt64(index) * 4096, page) == 4096) }
        #expect(write(nucleus, other, 0, page) == 4096)
        #expect(write(nucleus, other, 4096, "y") == K_ENOMEM)
        #expect(write(nucleus, cap, 1 << 20, "y") == K_ENOMEM)
        #expect(write(nucleus, cap, 5000, page) == 4096, "what is there may be written")
        #expect(nucleus.sgTrunc(&cap, 4096) == K_OK)
        #expect(write(nucleus, other, 4096, page) == 4096)
        for index in 2..<15 { #expect(write(nucleus, other, UInt64(index) * 4096, page) == 4096) }
        #expect(write(nucleus, cap, 4096, page) == K_ENOMEM)
        #expect(nucleus.sgRelease(&other) == K_OK)
        #expect(write(nucleus, cap, 4096, page) == 4096, "what is released is free again")
        let free = bench.actor().nucleus
        #expect(free.sgCreate("v", 0, &other) == K_OK)
        #expect(write(free, other, 0, page) == 4096, "another's limit is not its")
    }

    @Test func writesGrowAndReadsAreShortAtTheEnd() {
        let bench = Bench()
        let nucleus = bench.actor().nucleus
        var cap = KnCap()
        #expect(nucleus.sgCreate("t", 0, &cap) == K_OK)
        #expect(stat(nucleus, cap).size == 0)
        #expect(stat(nucleus, cap).modifiedSec == 0)
        #expect(write(nucleus, cap, 10_000, "end") == 3)
        let now = stat(nucleus, cap)
        #expect(now.size == 10_003)
        #expect(now.writes == 1)
        #expect(now.modifiedSec > 1_600_000_000)
        #expect(read(nucleus, cap, 10_001, 100) == Array("nd".utf8))
        #expect(read(nucleus, cap, 0, 4) == [0, 0, 0, 0])
        #expect(read(nucleus, cap, 20_000, 4) == [])
        #expect(nucleus.sgTrunc(&cap, 10_001) == K_OK)
        #expect(nucleus.sgTrunc(&cap, 10_003) == K_OK)
        #expect(read(nucleus, cap, 10_000, 9) == Array("e".utf8) + [0, 0])
        #expect(nucleus.sgTrunc(&cap, UInt64.max) == K_EINVAL)
        #expect(write(nucleus, cap, UInt64.max - 1, "xx") == K_EINVAL)
    }

    @Test func holesArePunchedAndFound() {
        let bench = Bench()
        let nucleus = bench.actor().nucleus
        var cap = KnCap()
        _ = nucleus.sgCreate("t", 0, &cap)
        for page in 0..<4 { _ = write(nucleus, cap, UInt64(page) * 4096, String(repeating: "x", count: 4096)) }
        let before = stat(nucleus, cap)
        var range = KnObjDesc(dataObject: cap, startOffset: 4096, size: 4096)
        #expect(nucleus.sgPunch(&range) == K_OK)
        let after = stat(nucleus, cap)
        #expect(after.size == before.size)
        #expect(after.resident < before.resident)
        #expect(read(nucleus, cap, 4096, 2) == [0, 0])
        var found: VmOffset = 0
        #expect(nucleus.sgSeek(&cap, 0, 1, &found) == K_OK)
        #expect(found == 4096)
        #expect(nucleus.sgSeek(&cap, 4096, 0, &found) == K_OK)
        #expect(found == 8192)
        #expect(nucleus.sgSeek(&cap, 1 << 30, 0, &found) == K_EUNKNOWN)
    }

    @Test func readOnlyFilesAreNotWritten() {
        let bench = Bench()
        let nucleus = bench.actor().nucleus
        let file = bench.host.cacheCreate(name: "file", size: 0)
        #expect(pwrite(file, "hello", 5, 0) == 5)
        var cap = KnCap()
        #expect(nucleus.sgAdopt(file, K_SG_READONLY, &cap) == K_OK)
        close(file)  // the segment has a descriptor of its own
        #expect(read(nucleus, cap, 1, 9) == Array("ello".utf8))
        #expect(write(nucleus, cap, 0, "x") == K_EPRIV)
        #expect(nucleus.sgTrunc(&cap, 1) == K_EPRIV)
        var range = KnObjDesc(dataObject: cap, startOffset: 0, size: 1)
        #expect(nucleus.sgPunch(&range) == K_EPRIV)
        #expect(nucleus.sgFlush(&cap) == K_OK)
        #expect(nucleus.sgAdopt(-1, 0, &cap) == K_EINVAL)
        #expect(nucleus.sgAdopt(9999, 0, &cap) == K_EPRIV)
        #expect(bench.actor("user", K_USERACTOR).nucleus.sgAdopt(0, 0, &cap) == K_EPRIV)
    }

    @Test func anAdoptedFileHasTheSizeOfTheFile() {
        let bench = Bench()
        let nucleus = bench.actor().nucleus
        let file = bench.host.cacheCreate(name: "file", size: 0)
        defer { close(file) }
        var cap = KnCap()
        #expect(nucleus.sgAdopt(file, 0, &cap) == K_OK)
        #expect(ftruncate(file, 77) == 0)
        #expect(stat(nucleus, cap).size == 77)
        #expect(write(nucleus, cap, 77, "x") == 1)
        #expect(stat(nucleus, cap).size == 78)
    }

    @Test func mappingsKeepASegmentAlive() throws {
        let bench = Bench()
        let (owner, other) = (bench.actor(), bench.actor())
        var cap = KnCap()
        _ = owner.nucleus.sgCreate("t", 1, &cap)
        let segment = try bench.site.segment(cap)
        segment.retainMapping()
        #expect(other.nucleus.sgRelease(&cap) == K_EUNKNOWN)
        #expect(owner.nucleus.sgRelease(&cap) == K_OK)
        #expect(stat(owner.nucleus, cap).size == 1)
        segment.releaseMapping()
        var out = KnSgStat()
        #expect(owner.nucleus.sgStat(&cap, &out) == K_EUNKNOWN)
    }

    @Test func hostFailuresAreErrors() {
        let bench = Bench()
        let nucleus = bench.actor().nucleus
        var cap = KnCap()
        _ = nucleus.sgCreate("t", 1, &cap)
        bench.host.injectFaults(nil) { _, _ in ENOSPC }
        var other = KnCap()
        #expect(nucleus.sgCreate("u", 1, &other) == K_ENOMEM)
        #expect(write(nucleus, cap, 0, "x") == K_ENOMEM)
        #expect(nucleus.sgTrunc(&cap, 5) == K_ENOMEM)
        bench.host.injectFaults(nil) { _, _ in EIO }
        #expect(read(nucleus, cap, 0, 1) == nil)
        #expect(nucleus.sgFlush(&cap) == K_EHOST)
        bench.host.injectFaults(nil, nil)
        #expect(stat(nucleus, cap).size == 1)
        #expect(stat(nucleus, cap).writes == 0)
    }

    @Test func concurrentAppendsKeepTheSizeTrue() {
        let bench = Bench()
        let actor = bench.actor()
        var cap = KnCap()
        _ = actor.nucleus.sgCreate("t", 0, &cap)
        let shared = cap
        let jobs = (0..<4).map { id in
            bench.start {
                var object = KnObjDesc(dataObject: shared, startOffset: 0, size: 0)
                for i in 0..<200 {
                    object.startOffset = UInt64(i * 4 + id)
                    if actor.nucleus.sgWrite(&object, [UInt8(id)], 1) != 1 { return -1 }
                }
                return 0
            }
        }
        for job in jobs { #expect(job.result() == 0) }
        #expect(stat(actor.nucleus, cap).size == 800)
        #expect(stat(actor.nucleus, cap).writes == 800)
        #expect(read(actor.nucleus, cap, 400, 4) == [0, 1, 2, 3])
    }
}
