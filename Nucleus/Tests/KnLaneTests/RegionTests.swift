import CChorus
import Testing

/// Memory that servers map into themselves: the same calls with the same results in both privileges.
@Suite(.serialized) struct ServerRegionTests {
    @Test(arguments: LoadTests.privileges) func serversHaveRegions(_ privilege: Int32) throws {
        let object = try #require(Fixture.regions, "cc builds the test server")
        let booted = try BootedSite()
        let (code, cap, why) = booted.load(privilege, object: object, memory: 64 << 10)
        try #require(code == K_OK, "minus the line of regions.c that went wrong: \(code) \(why)")
        let n = booted.n
        func stat() -> KnActorStat? {
            var (count, stats) = (UInt32(64), [KnActorStat](repeating: KnActorStat(), count: 64))
            guard n.pointee.actorStat(n.pointee.`self`, &count, &stats) >= 0 else { return nil }
            return stats.prefix(Int(count)).first {
                $0.cap.ui.uiTail == cap.ui.uiTail && $0.cap.ui.uiHead == cap.ui.uiHead
            }
        }
        #expect(stat()?.regions == 3)
        // Nobody else's to change.
        var theirs = cap
        var region = KnRgnDesc(startAddr: 0, size: 4096, options: K_ANYWHERE | K_READABLE, opaque: 0, endAddr: 0)
        #expect(n.pointee.rgnAllocate(n.pointee.`self`, &theirs, &region) == K_EINVAL)
        #expect(n.pointee.actorDelete(n.pointee.`self`, &theirs) == K_OK && stat() == nil)
    }
}
