import ActorKit
import CChorus
import Testing

@testable import NucleusCore

@Suite struct RemoteMigrationTests {
    @Test func nothingIsLostBetweenTwoSites() {
        let sites = Joined()
        let storm = MigrationStorm(
            owners: [sites.a, sites.b], senders: [sites.a, sites.a, sites.b, sites.b, sites.a, sites.b])
        #expect(storm.run(messages: 400, rounds: 20) == [])
        let (a, b) = (sites.a.site.sites.counts, sites.b.site.sites.counts)
        #expect(a.forwarded + b.forwarded > 0 && a.dropped + b.dropped + a.lost + b.lost == 0)
        #expect(eventually { sites.a.remoteCalls + sites.b.remoteCalls == 0 })
    }

    @Test func nothingIsLostAmongFourSites() {
        let sites = Joined(4)
        let (a, b, c, d) = (sites.benches[0], sites.benches[1], sites.benches[2], sites.benches[3])
        let storm = MigrationStorm(owners: [a, b, c], senders: [a, b, c, d, d, a])
        #expect(storm.run(messages: 300, rounds: 15) == [])
        for bench in sites.benches {
            let counts = bench.site.sites.counts
            #expect(counts.dropped + counts.lost + counts.malformed == 0)
            #expect(eventually { bench.remoteCalls == 0 })
            #expect(
                eventually {
                    bench.site.sites.state.withLock { $0.switches.isEmpty && $0.heldBytes == 0 && $0.arrivals.isEmpty }
                })
        }
        // The actor that had it is deleted: nobody needs to know where it is.
        #expect(
            eventually {
                sites.benches.prefix(3).allSatisfy { $0.site.sites.state.withLock { $0.places[storm.ui.raw] } == nil }
            })
    }

    @Test func theQueueGoesAlong() {
        let sites = Joined()
        let (from, to) = (sites.a.actor("from"), sites.b.actor("to"))
        let (here, there) = (sites.a.actor("client"), sites.b.actor("client"))
        let port = from.nucleus.newPort()
        var pi = KnProtId(uid: 4, gid: 5, did: 6)
        #expect(from.nucleus.portPi(nil, port.li, nil, &pi) == K_OK)
        #expect(here.nucleus.send(port.ui, "first") == K_OK)
        #expect(from.nucleus.receive(port.li).text == "first")
        let near = sites.a.start { here.nucleus.call(port.ui, "near").reply == "<near>" ? 0 : -1 }
        #expect(eventually { sites.a.site.port(port.ui, holds: 1) })
        let far = sites.b.start { there.nucleus.call(port.ui, "far").reply == "<far>" ? 0 : -1 }
        #expect(eventually { sites.a.site.port(port.ui, holds: 2) })
        #expect(here.nucleus.send(port.ui, "sent") == K_OK)
        var (cap, sequence) = (to.cap, UInt32(0))
        let receiver = sites.a.start { from.nucleus.receive(K_DEFAULTPORT, delay: 0).code }
        #expect(receiver.result() == K_ENOMSG)
        let li = from.nucleus.portMigrate(K_MIGRATE_QUEUE, nil, port.li, &cap, &sequence)
        #expect(li > 0 && sequence == 2)
        #expect(from.nucleus.receive(port.li, delay: 0).code == K_EUNKNOWN)
        #expect(to.nucleus.receive(K_ANYENABLED, delay: 0).code == K_ENOMSG)  // arrives disabled
        var old = KnProtId()
        #expect(to.nucleus.portPi(nil, li, &old, nil) == K_OK && old.uid == 4 && old.did == 6)
        for text in ["near", "far", "sent"] {
            #expect(to.nucleus.receive(li, delay: 0).text == text)
            if text != "sent" { #expect(to.nucleus.reply("<\(text)>") == K_OK) }
        }
        #expect(near.result() == 0 && far.result() == 0)
        // The name is the same for everybody.
        for client in [here, there] {
            #expect(client.nucleus.send(port.ui, "again") == K_OK)
            #expect(to.nucleus.receive(li).text == "again")
        }
        // And back.
        var back = from.cap
        let home = to.nucleus.portMigrate(K_MIGRATE_QUEUE, nil, li, &back, &sequence)
        #expect(home > 0 && sequence == 6)
        #expect(there.nucleus.send(port.ui, "home") == K_OK)
        #expect(from.nucleus.receive(home).text == "home")
        #expect(from.nucleus.portDelete(nil, home) == K_OK)
        #expect(eventually { there.nucleus.call(port.ui).code == K_EUNKNOWN })
        #expect(here.nucleus.call(port.ui).code == K_EUNKNOWN)
    }

    @Test func withoutTheQueueCallsEnd() {
        let sites = Joined()
        let (from, to) = (sites.a.actor("from"), sites.b.actor("to"))
        let port = from.nucleus.newPort()
        let near = sites.a.start { from.site.createActor(name: "c", privilege: K_SUPACTOR).nucleus.call(port.ui).code }
        let far = sites.b.start { to.nucleus.call(port.ui).code }
        let receiver = sites.a.start { from.nucleus.receive(K_DEFAULTPORT, delay: 60_000).code }
        #expect(eventually { sites.a.site.port(port.ui, holds: 2) })
        var cap = to.cap
        let li = from.nucleus.portMigrate(0, nil, port.li, &cap, nil)
        #expect(li > 0 && near.result() == K_EMIGRATED && far.result() == K_EMIGRATED)
        #expect(to.nucleus.receive(li, delay: 0).code == K_ENOMSG)
        sites.a.site.deleteActor(from)
        #expect(receiver.result() == K_EDEADACTOR)
        // What was born at a site does not die with its first actor.
        let client = sites.a.actor("client").nucleus
        #expect(client.send(port.ui, "x") == K_OK && to.nucleus.receive(li).text == "x")
    }

    /// A client that was waiting when the port went on can still be aborted, and reaches who serves it now.
    @Test func anAbortFollowsThePort() {
        let sites = Joined(3)
        let (from, to) = (sites.a.actor("from"), sites.b.actor("to"))
        for bench in [sites.a, sites.benches[2]] {
            let client = bench.actor("client")
            let port = from.nucleus.newPort()
            let calling = bench.start { client.nucleus.call(port.ui, flags: K_ABORTABLE, delay: 60_000).code }
            #expect(eventually { sites.a.site.port(port.ui, holds: 1) })
            var cap = to.cap
            let li = from.nucleus.portMigrate(K_MIGRATE_QUEUE, nil, port.li, &cap, nil)
            let serving = sites.b.start {
                guard to.nucleus.receive(li, delay: 20_000).code == li else { return -1 }
                return to.nucleus.threadDelay(60_000)
            }
            #expect(sites.b.untilBlocked(to, "threadDelay") && bench.untilBlocked(client, "ipcCall"))
            #expect(client.nucleus.threadAbort(bench.blocked(client, "ipcCall")) == K_OK)
            #expect(calling.result() == K_EABORT && serving.result() == K_EABORT)
        }
        #expect(eventually { sites.benches.allSatisfy { $0.remoteCalls == 0 } })
    }

    /// A call that was passed on fails with the site it is at, not with the one it was sent to.
    @Test func aCallIsLostWithTheSiteThatHasIt() {
        let sites = Joined(3)
        let (from, to, client) = (sites.a.actor("from"), sites.b.actor("to"), sites.benches[2].actor("client"))
        let port = from.nucleus.newPort()
        let calling = sites.benches[2].start { client.nucleus.call(port.ui, delay: 60_000).code }
        #expect(eventually { sites.a.site.port(port.ui, holds: 1) })
        var cap = to.cap
        #expect(from.nucleus.portMigrate(K_MIGRATE_QUEUE, nil, port.li, &cap, nil) > 0)
        sites.net.cut(2, 3)
        #expect(calling.result() == K_ELINKFAILURE)
        // The way over the first site is still there, but sites speak for themselves only.
        sites.net.cut(1, 2)
        #expect(eventually { client.nucleus.call(port.ui, delay: 60_000).code == K_EUNREACHABLE })
    }

    /// A link that fails at any moment of a migration leaves the port at one site or at none, never at both.
    @Test func aPortHasOneSite() {
        let sites = Joined()
        let actors = [sites.a.actor("one"), sites.b.actor("other")]
        var (at, outcomes) = (0, Set<Int32>())
        var port = actors[0].nucleus.newPort()
        for round in 0..<60 {
            let (source, target) = (actors[at].nucleus, actors[1 - at])
            let ui = port.ui
            for text in ["a", "b"] { #expect(source.send(ui, text) == K_OK) }
            let li = port.li
            let moving = sites.benches[at].start {
                var cap = target.cap
                return source.portMigrate(K_MIGRATE_QUEUE, nil, li, &cap, nil)
            }
            // Earlier and later.
            for _ in 0..<(round % 12) * 400 where !moving.isDone { _ = source.threadAborted() }
            #expect(sites.net.cut(1, 2))
            let code = moving.result()
            outcomes.insert(min(code, 1))
            let gone = eventually { !sites.a.site.sites.isUp(2) && !sites.b.site.sites.isUp(1) }
            let here = actors[at].site.ports.find(ui.raw) != nil, there = target.site.ports.find(ui.raw) != nil
            #expect(gone && !(here && there) && (code <= 0 || there))
            if code == K_EUNREACHABLE || code == K_EUNKNOWN { #expect(here) }
            let owner = here ? actors[at] : there ? target : nil
            if let owner {
                var name = ui
                let li = owner.nucleus.portLi(&name)
                for text in ["a", "b"] { #expect(owner.nucleus.receive(li, delay: 0).text == text) }
                at = owner === actors[0] ? 0 : 1
                port = (li, ui)
            } else {
                port = actors[at].nucleus.newPort()
            }
            #expect(sites.net.heal(1, 2))
            #expect(eventually { sites.a.site.sites.isUp(2) && sites.b.site.sites.isUp(1) })
        }
        #expect(outcomes.count > 1)
        for bench in sites.benches {
            bench.site.sites.state.withLock {
                #expect($0.arrivals.isEmpty && $0.departures.isEmpty && $0.switches.isEmpty && $0.heldBytes == 0)
            }
        }
    }

    @Test func clientsLearnWhereAPortIs() {
        let sites = Joined(3)
        let (from, to, client) = (sites.a.actor("from"), sites.b.actor("to"), sites.benches[2].actor("client"))
        let port = from.nucleus.newPort()
        var cap = to.cap
        let li = from.nucleus.portMigrate(0, nil, port.li, &cap, nil)
        let serving = sites.b.serve(to, li, "")
        #expect(client.nucleus.call(port.ui, "x").reply == "x")
        #expect(eventually { client.site.sites.home(port.ui) == 2 })
        let forwarded = sites.a.site.sites.counts.forwarded
        #expect(forwarded == 1)
        for _ in 0..<10 { #expect(client.nucleus.call(port.ui, "x").reply == "x") }
        #expect(sites.a.site.sites.counts.forwarded == forwarded)
        sites.b.site.deleteActor(to)
        #expect(serving.result() == K_EDEADACTOR)
        #expect(client.nucleus.call(port.ui).code == K_EUNKNOWN)
        #expect(eventually { sites.a.actor("late").nucleus.call(port.ui).code == K_EUNKNOWN })
    }

    @Test func whatCannotMigrate() {
        let sites = Joined()
        let (from, to) = (sites.a.actor("from"), sites.b.actor("to"))
        let port = from.nucleus.newPort()
        var cap = to.cap
        var forged = KnCap(ui: cap.ui, key: KnKey(keyHead: 1, keyTail: 1))
        #expect(from.nucleus.portMigrate(0, nil, port.li, &forged, nil) == K_EPRIV)
        forged.ui = KnUniqueId(.actor, site: 2, random: 4)
        #expect(from.nucleus.portMigrate(0, nil, port.li, &forged, nil) == K_EUNKNOWN)
        forged.ui = KnUniqueId(.actor, site: 9, random: 4)
        #expect(from.nucleus.portMigrate(0, nil, port.li, &forged, nil) == K_EUNKNOWN)
        #expect(from.nucleus.portMigrate(0, nil, K_DEFAULTPORT, &cap, nil) == K_EINVAL)
        #expect(from.nucleus.portMigrate(0, nil, 99, &cap, nil) == K_EUNKNOWN)
        let probe = Probe()
        #expect(from.nucleus.svMsgHandler(port.li, Probe.handler, probe.cookie) == K_OK)
        #expect(from.nucleus.portMigrate(0, nil, port.li, &cap, nil) == K_EINVAL)
        #expect(from.nucleus.svMsgHandler(port.li, nil, nil) == K_OK)
        to.limits = ActorLimits(ports: 1)
        #expect(to.nucleus.newPort().li > 0)
        #expect(from.nucleus.portMigrate(0, nil, port.li, &cap, nil) == K_ENOMEM)
        to.limits = ActorLimits()
        sites.net.cut(1, 2)
        #expect(eventually { !sites.a.site.sites.isUp(2) })
        #expect(from.nucleus.portMigrate(0, nil, port.li, &cap, nil) == K_EUNKNOWN)
        // It is where it was.
        #expect(from.nucleus.send(port.ui, "x") == K_OK && from.nucleus.receive(port.li).text == "x")
        #expect(sites.b.site.sites.state.withLock { $0.arrivals.isEmpty })
    }
}
