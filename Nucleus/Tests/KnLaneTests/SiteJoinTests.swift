import CChorus
import Testing

private func ascii(_ text: StaticString) -> [UInt8] { text.withUTF8Buffer { Array($0) } }

/// Sites of one process joined through kn_boot, as a loader would do it.
@Suite(.serialized) struct SiteJoinTests {
    private let domain: (UInt64, UInt64) = (11, 12)

    @Test(arguments: LoadTests.privileges) func aServerServesClientsOfAnotherSite(_ privilege: Int32) throws {
        let object = try #require(Fixture.object, "cc builds the test server")
        let here = try BootedSite(number: 1, domain: domain)
        let there = try BootedSite(number: 2, domain: domain)
        #expect(here.call(ascii("alone")).code == K_EUNREACHABLE)
        #expect(here.boot.pointee.siteJoin(here.site, there.site) == K_OK)
        let (code, cap, why) = there.load(privilege, object: object)
        try #require(code == K_OK, "\(code) \(why)")
        // That it has joined its group has to get about.
        var echo = here.call(ascii("echo"))
        for _ in 0..<20_000 where echo.code == K_EUNREACHABLE { echo = here.call(ascii("echo")) }
        let annex = (0..<Int(K_CMSGANNEXSIZE)).map { UInt8(truncatingIfNeeded: $0 * 7) }
        echo = here.call(ascii("echo me"), annex: annex)
        #expect(echo.code == K_OK && echo.reply == ascii("echo me") && echo.annex == annex)
        #expect(here.call(ascii("?")).code == K_ENOSYS, "its errors arrive")
        var held = cap
        #expect(there.boot.pointee.actorUnload(there.site, &held) == K_OK)
        #expect(there.call(ascii("e")).code == K_EUNREACHABLE)
    }

    @Test func whoCanBeJoined() throws {
        let sites = try (1...4).map { try BootedSite(number: UInt32($0)) }
        let alike = try BootedSite(number: 0x2_0001)
        let join = try #require(sites[0].boot.pointee.siteJoin)
        #expect(join(nil, sites[0].site) == K_EINVAL && join(sites[0].site, nil) == K_EINVAL)
        #expect(join(sites[0].site, sites[0].site) == K_EINVAL)
        #expect(join(sites[0].site, sites[1].site) == K_OK && join(sites[1].site, sites[0].site) == K_EEXIST)
        #expect(join(sites[2].site, sites[3].site) == K_OK && join(sites[0].site, sites[3].site) == K_EBUSY)
        #expect(join(alike.site, sites[0].site) == K_EEXIST)
        #expect(join(alike.site, sites[2].site) == K_OK, "it may still join others")
    }

    /// A site's names are its neighbours' until it is deleted.
    @Test func portsOfASiteThatIsDeleted() throws {
        let here = try BootedSite(number: 1)
        var there: BootedSite? = try BootedSite(number: 2)
        #expect(here.boot.pointee.siteJoin(here.site, there?.site) == K_OK)
        var dest = KnIpcDest()
        let n = try #require(there?.n)
        #expect(n.pointee.portCreate(n.pointee.`self`, nil, &dest.target) > 0)
        func call() -> Int32 {
            here.n.pointee.ipcCall(
                here.n.pointee.`self`, K_DEFAULTPORT, &dest, K_FUNCMODE, nil, nil, 0, nil, nil, nil, 0, 20)
        }
        #expect(call() == K_ETIMEOUT)
        there = nil
        var code = call()
        for _ in 0..<20_000 where code != K_EUNREACHABLE { code = call() }
        #expect(code == K_EUNREACHABLE)
    }

    /// A loader of ABI 1.0 knows of no domain, and passes what lies behind its structure for nothing.
    @Test func argumentsOfABI10() throws {
        let old = try BootedSite(number: 1, domain: (1, 1), size: 48)
        let new = try BootedSite(number: 2, domain: (1, 1))
        var (one, two) = (KnUniqueId(), KnUniqueId())
        #expect(old.n.pointee.grpName(old.n.pointee.`self`, 5, &one) == K_OK)
        #expect(new.n.pointee.grpName(new.n.pointee.`self`, 5, &two) == K_OK)
        #expect(one.uiTail != two.uiTail || one.uiHead != two.uiHead)
    }
}
