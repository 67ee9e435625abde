import ActorKit
import CChorus
import Testing

@testable import NucleusCore

@Suite struct GroupTests {
    @Test func functionalModeTakesTurns() {
        let bench = Bench()
        let (server, client) = (bench.actor(), bench.actor())
        var group = KnCap()
        #expect(server.nucleus.grpAllocate(K_DYNAMIC, &group, 0) == K_OK)
        let probes = (0..<3).map { _ in Probe() }
        for probe in probes {
            var port = server.nucleus.newPort()
            _ = server.nucleus.svMsgHandler(port.li, Probe.handler, probe.cookie)
            #expect(server.nucleus.grpPortInsert(&group, &port.ui) == K_OK)
            #expect(server.nucleus.grpPortInsert(&group, &port.ui) == K_EEXIST)
        }
        for _ in 0..<9 { #expect(client.nucleus.call(group.ui, "x").code == K_OK) }
        #expect(probes.map { $0.texts.count } == [3, 3, 3])
        #expect(client.nucleus.call(group.ui, mode: K_BROADMODE).code == K_EINVAL)
    }

    @Test func broadcastReachesAll() {
        let bench = Bench()
        let nucleus = bench.actor().nucleus
        var group = KnCap()
        _ = nucleus.grpAllocate(K_DYNAMIC, &group, 0)
        let ports = (0..<3).map { _ in nucleus.newPort() }
        for var port in ports { _ = nucleus.grpPortInsert(&group, &port.ui) }
        #expect(nucleus.send(group.ui, "all", mode: K_BROADMODE) == K_OK)
        for port in ports { #expect(nucleus.receive(port.li, delay: 0).text == "all") }
        var first = ports[0].ui
        #expect(nucleus.grpPortRemove(&group, &first) == K_OK)
        #expect(nucleus.grpPortRemove(&group, &first) == K_EUNKNOWN)
        _ = nucleus.send(group.ui, "rest", mode: K_BROADMODE)
        #expect(nucleus.receive(ports[0].li, delay: 0).code == K_ENOMSG)
        #expect(nucleus.receive(ports[2].li, delay: 0).text == "rest")
    }

    @Test func membershipNeedsTheKey() {
        let bench = Bench()
        let (server, thief) = (bench.actor(), bench.actor())
        var group = KnCap()
        _ = server.nucleus.grpAllocate(K_STATSYS, &group, 5)
        var port = thief.nucleus.newPort()
        var forged = KnCap(ui: group.ui, key: KnKey(keyHead: 1, keyTail: 2))
        #expect(thief.nucleus.grpPortInsert(&forged, &port.ui) == K_EPRIV)
        forged.ui = bench.site.newUi(.port)
        #expect(thief.nucleus.grpPortInsert(&forged, &port.ui) == K_EUNKNOWN)
    }

    @Test func siteModes() {
        let bench = Bench(number: 3)
        let nucleus = bench.actor().nucleus
        var group = KnCap()
        _ = nucleus.grpAllocate(K_DYNAMIC, &group, 0)
        let probe = Probe()
        var port = nucleus.newPort()
        _ = nucleus.svMsgHandler(port.li, Probe.handler, probe.cookie)
        _ = nucleus.grpPortInsert(&group, &port.ui)
        let elsewhere = KnUniqueId(.port, site: 4, random: 1)
        #expect(nucleus.call(group.ui, mode: K_FUNCUMODE, coTarget: port.ui).code == K_OK)
        #expect(nucleus.call(group.ui, mode: K_FUNCUMODE, coTarget: elsewhere).code == K_EUNREACHABLE)
        #expect(nucleus.call(group.ui, mode: K_FUNCXMODE, coTarget: elsewhere).code == K_OK)
        #expect(nucleus.call(group.ui, mode: K_FUNCXMODE, coTarget: port.ui).code == K_EUNREACHABLE)
    }

    @Test func aNewServerTakesOverUnnoticed() {
        let bench = Bench()
        let client = bench.actor()
        var name = KnUniqueId()
        _ = client.nucleus.grpName(K_STAMP_FILE, &name)
        #expect(client.nucleus.call(name).code == K_EUNREACHABLE)
        for generation in 0..<3 {
            let (server, probe) = (bench.actor("server \(generation)"), Probe())
            var group = KnCap()
            _ = server.nucleus.grpAllocate(K_STATSYS, &group, K_STAMP_FILE)
            var port = server.nucleus.newPort()
            _ = server.nucleus.svMsgHandler(port.li, Probe.handler, probe.cookie)
            _ = server.nucleus.grpPortInsert(&group, &port.ui)
            #expect(client.nucleus.call(name, "x").reply == "<x>")
            bench.site.deleteActor(server)
            #expect(client.nucleus.call(name, "x").code == K_EUNREACHABLE)
        }
    }

    @Test func migrationKeepsMembership() {
        let bench = Bench()
        let (from, to) = (bench.actor(), bench.actor())
        var group = KnCap()
        _ = from.nucleus.grpAllocate(K_DYNAMIC, &group, 0)
        var port = from.nucleus.newPort()
        _ = from.nucleus.grpPortInsert(&group, &port.ui)
        var target = to.cap
        let li = from.nucleus.portMigrate(0, nil, port.li, &target, nil)
        _ = from.nucleus.send(group.ui, "here")
        #expect(to.nucleus.receive(li, delay: 0).text == "here")
    }
}
