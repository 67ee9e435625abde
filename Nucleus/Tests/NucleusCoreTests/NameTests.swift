import ActorKit
import CChorus
import Testing

@testable import NucleusCore

@Suite struct NameTests {
    /// Vectors of the SipHash paper: key 00..0f, input 00..(n-1).
    @Test func sipHashVectors() {
        let expected: [UInt64] = [
            0x726f_db47_dd0e_0e31, 0x74f8_39c5_93dc_67fd, 0x0d6c_8009_d9a9_4f5a, 0x8567_6696_d7fb_7e2d,
        ]
        for (length, value) in expected.enumerated() {
            var sip = SipHash(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908)
            for i in 0..<length { sip.add(byte: UInt8(i)) }
            #expect(sip.finish() == value)
        }
        var sip = SipHash(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908)
        for i in 0..<15 { sip.add(byte: UInt8(i)) }
        #expect(sip.finish() == 0xa129_ca61_49be_45e5)
    }

    @Test func namesAreSparseAndSayWhereTheyWereBorn() {
        let bench = Bench(number: 0x1234)
        let names = (0..<100).map { _ in bench.site.newUi(.port) }
        #expect(Set(names.map(\.raw)).count == 100)
        #expect(names.allSatisfy { $0.type == .port && $0.siteHint == 0x1234 })
    }

    @Test func groupNameFollowsFromItsKeyAlone() {
        let bench = Bench()
        let group = bench.site.allocateGroup()
        #expect(group.cap.ui == KnUniqueId(.dynamicGroup, groupKey: group.cap.key))
        #expect(group.cap.ui.raw & 0xffff_ffff != group.cap.key.raw & 0xffff_ffff)
    }

    @Test func staticGroupsOfADomainAreTheSameEverywhere() {
        let here = Bench(number: 1, secret: (5, 6))
        let there = Bench(number: 2, secret: (5, 6))
        let elsewhere = Bench(number: 3, secret: (5, 7))
        let name = here.site.staticCap(.staticSystemGroup, 42)
        #expect(there.site.staticCap(.staticSystemGroup, 42).key == name.key)
        #expect(!(elsewhere.site.staticCap(.staticSystemGroup, 42).key == name.key))
        #expect(!(here.site.staticCap(.staticUserGroup, 42).ui == name.ui))
        #expect(!(here.site.staticCap(.staticSystemGroup, 43).ui == name.ui))
        var ui = KnUniqueId()
        #expect(here.actor("server", K_USERACTOR, system: true).nucleus.grpName(42, &ui) == K_OK)
        #expect(ui == name.ui)
    }

    @Test func systemGroupsNeedPrivilege() {
        let bench = Bench()
        var cap = KnCap()
        #expect(bench.actor("user", K_USERACTOR).nucleus.grpAllocate(K_STATSYS, &cap, 1) == K_EPRIV)
        #expect(bench.actor("server", K_USERACTOR, system: true).nucleus.grpAllocate(K_STATSYS, &cap, 1) == K_OK)
        #expect(bench.actor("user", K_USERACTOR).nucleus.grpAllocate(K_STATUSER, &cap, 1) == K_OK)
        #expect(bench.actor("user", K_USERACTOR).nucleus.grpAllocate(9, &cap, 1) == K_EINVAL)
    }

    @Test func everyTableEntryIsFilled() {
        let bench = Bench()
        let table = bench.actor().table
        let first = MemoryLayout<KnNucleus>.offset(of: \.actorCreate) ?? 0
        let words = UnsafeRawPointer(table).advanced(by: first).assumingMemoryBound(to: UInt.self)
        let count = (MemoryLayout<KnNucleus>.size - first) / 8
        #expect(count >= 91, "those of ABI 1.0")
        #expect((0..<count).allSatisfy { words[$0] != 0 })
        #expect(table.pointee.size == MemoryLayout<KnNucleus>.size)
    }
}
