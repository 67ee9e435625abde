import ActorKit
import CChorus
import Testing

@testable import NucleusCore

/// A group with a member on each site that answers with the site's number.
private final class Team: Sendable {
    let sites: Joined
    let group: KnCap
    let servers: [Actor]
    let ports: [(li: KnPortLid, ui: KnUniqueId)]
    let jobs: [Job]

    init(_ sites: Joined, members: [Int]) {
        self.sites = sites
        var cap = KnCap()
        _ = sites.a.actor("maker").nucleus.grpAllocate(K_STATSYS, &cap, 77)
        group = cap
        let benches = members.map { sites.benches[$0] }
        let servers = benches.map { $0.actor("server") }
        self.servers = servers
        ports = servers.map { server in
            var (cap, port) = (cap, server.nucleus.newPort())
            precondition(server.nucleus.grpPortInsert(&cap, &port.ui) == K_OK)
            return port
        }
        jobs = zip(benches, zip(servers, ports)).map { bench, server in
            bench.serve(server.0, server.1.li, "\(bench.site.number):")
        }
        let wanted = members.count
        precondition(eventually { sites.benches.allSatisfy { $0.knows(cap) == wanted } })
    }

    func end() {
        for server in servers { server.site.deleteActor(server) }
        for job in jobs { _ = job.result() }
    }
}

extension Bench {
    /// Sites with members of a group, this one included.
    func knows(_ cap: KnCap) -> Int {
        let others = site.sites.state.withLock { $0.members[cap.ui.raw]?.count ?? 0 }
        return others + (site.groups.find(cap.ui.raw)?.isEmpty == false ? 1 : 0)
    }
}

@Suite struct RemoteGroupTests {
    @Test func anyOnePrefersThisSite() {
        let team = Team(Joined(3), members: [0, 1, 2])
        for (bench, number) in zip(team.sites.benches, 1...) {
            let client = bench.actor("client").nucleus
            for _ in 0..<5 { #expect(client.call(team.group.ui, "x").reply == "\(number):x") }
        }
        team.end()
    }

    @Test func anyOneElsewhereTakesTurns() {
        let team = Team(Joined(3), members: [1, 2])
        let client = team.sites.a.actor("client").nucleus
        let replies = (0..<6).map { _ in client.call(team.group.ui, "x").reply }
        #expect(replies.count { $0 == "2:x" } == 3 && replies.count { $0 == "3:x" } == 3)
        team.end()
    }

    @Test func onTheSiteOfTheCoTarget() {
        let team = Team(Joined(3), members: [0, 1])
        let client = team.sites.a.actor("client").nucleus
        let places = team.sites.benches.map { $0.actor("place").nucleus.newPort().ui }
        #expect(client.call(team.group.ui, "x", mode: K_FUNCUMODE, coTarget: places[0]).reply == "1:x")
        #expect(client.call(team.group.ui, "x", mode: K_FUNCUMODE, coTarget: places[1]).reply == "2:x")
        #expect(client.call(team.group.ui, "x", mode: K_FUNCUMODE, coTarget: places[2]).code == K_EUNREACHABLE)
        let there = team.sites.b.actor("there").cap.ui
        #expect(client.call(team.group.ui, "x", mode: K_FUNCUMODE, coTarget: there).reply == "2:x")
        team.end()
    }

    @Test func elsewhereThanTheCoTarget() {
        let team = Team(Joined(3), members: [0, 1])
        let client = team.sites.a.actor("client").nucleus
        let places = team.sites.benches.map { $0.actor("place").nucleus.newPort().ui }
        #expect(client.call(team.group.ui, "x", mode: K_FUNCXMODE, coTarget: places[0]).reply == "2:x")
        #expect(client.call(team.group.ui, "x", mode: K_FUNCXMODE, coTarget: places[1]).reply == "1:x")
        #expect(client.call(team.group.ui, "x", mode: K_FUNCXMODE, coTarget: places[2]).reply == "1:x")
        let third = team.sites.benches[2].actor("client").nucleus
        for _ in 0..<3 {
            #expect(third.call(team.group.ui, "x", mode: K_FUNCXMODE, coTarget: places[0]).reply == "2:x")
        }
        team.sites.b.site.deleteActor(team.servers[1])
        #expect(eventually { team.sites.a.knows(team.group) == 1 })
        #expect(client.call(team.group.ui, mode: K_FUNCXMODE, coTarget: places[0]).code == K_EUNREACHABLE)
        team.end()
    }

    /// The co-target has moved, and the client does not know.
    @Test func onTheSiteOfACoTargetThatMoved() {
        let team = Team(Joined(3), members: [0, 1, 2])
        let mover = team.sites.b.actor("mover").nucleus
        let place = mover.newPort()
        var there = team.sites.benches[2].actor("there").cap
        #expect(mover.portMigrate(0, nil, place.li, &there, nil) > 0)
        let client = team.sites.a.actor("client").nucleus
        for _ in 0..<3 {
            #expect(client.call(team.group.ui, "x", mode: K_FUNCUMODE, coTarget: place.ui).reply == "3:x")
        }
        #expect(eventually { team.sites.a.site.sites.home(place.ui) == 3 })
        #expect(client.call(team.group.ui, "x", mode: K_FUNCUMODE, coTarget: place.ui).reply == "3:x")
        #expect(mover.call(team.group.ui, "x", mode: K_FUNCUMODE, coTarget: place.ui).reply == "3:x")
        #expect(mover.call(team.group.ui, "x", mode: K_FUNCXMODE, coTarget: place.ui).reply == "2:x")
        team.end()
    }

    @Test func broadcastReachesEverySite() {
        let sites = Joined(3)
        var cap = KnCap()
        let maker = sites.a.actor("maker").nucleus
        #expect(maker.grpAllocate(K_DYNAMIC, &cap, 0) == K_OK)
        let members = [sites.a, sites.b, sites.b, sites.benches[2]].map { bench -> (Nucleus, KnPortLid) in
            let nucleus = bench.actor("member").nucleus
            var port = nucleus.newPort()
            // A group of another site is known by its key.
            #expect(nucleus.grpPortInsert(&cap, &port.ui) == K_OK)
            return (nucleus, port.li)
        }
        #expect(eventually { sites.benches.allSatisfy { $0.knows(cap) == 3 } })
        for (bench, text) in zip(sites.benches, ["one", "two", "three"]) {
            #expect(bench.actor("sender").nucleus.send(cap.ui, text, mode: K_BROADMODE) == K_OK)
            for (nucleus, li) in members { #expect(nucleus.receive(li, delay: 20_000).text == text) }
        }
        #expect(maker.call(cap.ui, mode: K_BROADMODE).code == K_EINVAL)
        for (nucleus, li) in members { #expect(nucleus.receive(li, delay: 0).code == K_ENOMSG) }
    }

    @Test func membersThatMoveOrDie() {
        let team = Team(Joined(2), members: [1])
        let client = team.sites.a.actor("client").nucleus
        #expect(client.call(team.group.ui, "x").reply == "2:x")
        // The server takes its port to another site, and another actor serves it there.
        let heir = team.sites.a.actor("heir")
        var cap = heir.cap
        let li = team.servers[0].nucleus.portMigrate(K_MIGRATE_QUEUE, nil, team.ports[0].li, &cap, nil)
        #expect(li > 0)
        let serving = team.sites.a.serve(heir, li, "1:")
        #expect(client.call(team.group.ui, "x").reply == "1:x")
        #expect(eventually { team.sites.b.site.groups.find(team.group.ui.raw)?.isEmpty != false })
        #expect(team.sites.b.actor("client").nucleus.call(team.group.ui, "x").reply == "1:x")
        team.sites.a.site.deleteActor(heir)
        #expect(serving.result() == K_EDEADACTOR)
        #expect(eventually { team.sites.b.knows(team.group) == 0 })
        #expect(client.call(team.group.ui).code == K_EUNREACHABLE)
        #expect(team.sites.b.actor("client").nucleus.call(team.group.ui).code == K_EUNREACHABLE)
        team.end()
    }

    @Test func aSiteThatIsGoneHasNoMembers() {
        let team = Team(Joined(3), members: [1, 2])
        let client = team.sites.a.actor("client").nucleus
        team.sites.net.cut(1, 2)
        #expect(eventually { team.sites.a.knows(team.group) == 1 })
        for _ in 0..<4 { #expect(client.call(team.group.ui, "x").reply == "3:x") }
        team.sites.net.heal(1, 2)
        #expect(eventually { team.sites.a.knows(team.group) == 2 })
        team.end()
    }

    /// Only who has the key may say that there are members.
    @Test func membershipNeedsTheKeyOnOtherSitesToo() {
        let sites = Joined()
        var cap = KnCap()
        _ = sites.a.actor("maker").nucleus.grpAllocate(K_STATSYS, &cap, 5)
        let thief = sites.b.actor("thief").nucleus
        var port = thief.newPort()
        var forged = KnCap(ui: cap.ui, key: KnKey(keyHead: 1, keyTail: 2))
        #expect(thief.grpPortInsert(&forged, &port.ui) < 0)
        sites.a.site.sites.memberSite(GroupFields(cap: forged, member: 1), 2)
        #expect(sites.a.knows(cap) == 0 && sites.a.site.sites.counts.malformed == 1)
    }
}
