import ActorKit
import CChorus
import Testing

@testable import NucleusCore

@Suite struct PortTests {
    @Test func aNewPortIsDisabledAndNamed() {
        let bench = Bench()
        let nucleus = bench.actor().nucleus
        let port = nucleus.newPort()
        #expect(port.li > 0)
        var ui = port.ui
        #expect(nucleus.portLi(&ui) == port.li)
        var again = KnUniqueId()
        #expect(nucleus.portUi(&again, port.li) == K_OK)
        #expect(again == port.ui)
        // Not in the set of K_ANYENABLED.
        #expect(nucleus.send(port.ui, "x") == K_OK)
        #expect(nucleus.receive(K_ANYENABLED, delay: 0).code == K_ENOMSG)
        #expect(nucleus.portEnable(nil, port.li, 3) == K_OK)
        #expect(nucleus.receive(K_ANYENABLED, delay: 0).code == port.li)
    }

    @Test func bestPriorityThenOldestWins() {
        let bench = Bench()
        let nucleus = bench.actor().nucleus
        let ports = (0..<3).map { _ in nucleus.newPort() }
        for (port, priority) in zip(ports, [5, 1, 5]) { _ = nucleus.portEnable(nil, port.li, Int32(priority)) }
        for (port, text) in [(ports[2], "a"), (ports[0], "b"), (ports[1], "c"), (ports[2], "d")] {
            _ = nucleus.send(port.ui, text)
        }
        let order = (0..<4).map { _ in nucleus.receive(K_ANYENABLED, delay: 0).text }
        #expect(order == ["c", "a", "b", "d"])
        #expect(nucleus.portDisable(nil, ports[0].li) == K_OK)
        _ = nucleus.send(ports[0].ui, "e")
        #expect(nucleus.receive(K_ANYENABLED, delay: 0).code == K_ENOMSG)
        #expect(nucleus.receive(ports[0].li, delay: 0).text == "e")
    }

    @Test func theQueueIsBounded() {
        let bench = Bench()
        let nucleus = bench.actor().nucleus
        let port = nucleus.newPort()
        for i in 0..<Int(K_CPORTQUEUE) { #expect(nucleus.send(port.ui, "\(i)") == K_OK) }
        // A send says nothing, a call does.
        #expect(nucleus.send(port.ui, "over") == K_OK)
        #expect(nucleus.call(port.ui, "over").code == K_EFULL)
        for i in 0..<Int(K_CPORTQUEUE) { #expect(nucleus.receive(port.li, delay: 0).text == "\(i)") }
        #expect(nucleus.receive(port.li, delay: 0).code == K_ENOMSG)
    }

    @Test func theDefaultPortStays() {
        let bench = Bench()
        let (actor, other) = (bench.actor(), bench.actor())
        #expect(actor.nucleus.portDelete(nil, K_DEFAULTPORT) == K_EINVAL)
        var to = other.cap
        #expect(actor.nucleus.portMigrate(0, nil, K_DEFAULTPORT, &to, nil) == K_EINVAL)
        #expect(other.nucleus.send(actor.defaultPort.ui, "hello") == K_OK)
        #expect(actor.nucleus.receive(K_DEFAULTPORT).text == "hello")
    }

    @Test func deletingAPortWakesItsReceiverAndItsClients() {
        let bench = Bench()
        let (server, client) = (bench.actor(), bench.actor())
        let port = server.nucleus.newPort()
        let receiver = bench.start { server.nucleus.receive(port.li).code }
        #expect(bench.untilBlocked(server, "ipcReceive"))
        #expect(server.nucleus.portDelete(nil, port.li) == K_OK)
        #expect(receiver.result() == K_EPORTDELETED)

        let second = server.nucleus.newPort()
        let queued = bench.start { client.nucleus.call(second.ui).code }
        #expect(bench.untilBlocked(client, "ipcCall"))
        #expect(server.nucleus.portDelete(nil, second.li) == K_OK)
        #expect(queued.result() == K_EPORTDELETED)
        #expect(client.nucleus.call(second.ui).code == K_EUNKNOWN)

        // Received, not answered.
        let third = server.nucleus.newPort()
        let held = bench.start { client.nucleus.call(third.ui).code }
        #expect(server.nucleus.receive(third.li).code == third.li)
        #expect(server.nucleus.portDelete(nil, third.li) == K_OK)
        #expect(held.result() == K_EPORTDELETED)
        #expect(server.nucleus.reply("late") == K_EUNREACHABLE)
    }

    @Test func declaredNamesNeedPrivilegeAndAreUnique() {
        let bench = Bench()
        let (server, user) = (bench.actor(), bench.actor("user", K_USERACTOR))
        var ui = bench.site.newUi(.port)
        #expect(user.nucleus.portDeclare(nil, &ui) == K_EPRIV)
        #expect(server.nucleus.portDeclare(nil, &ui) > 0)
        #expect(server.nucleus.portDeclare(nil, &ui) == K_EEXIST)
        var wrong = bench.site.newUi(.segment)
        #expect(server.nucleus.portDeclare(nil, &wrong) == K_EINVAL)
    }

    @Test func limitsHold() {
        let bench = Bench()
        let actor = bench.actor()
        actor.limits = ActorLimits(ports: 2)
        #expect(actor.nucleus.newPort().li > 0)
        #expect(actor.nucleus.newPort().li > 0)
        #expect(actor.nucleus.newPort().li == K_ENOMEM)
    }

    @Test func migrationWithTheQueue() {
        let bench = Bench()
        let (from, to, client) = (bench.actor(), bench.actor(), bench.actor())
        let port = from.nucleus.newPort()
        _ = from.nucleus.portEnable(nil, port.li, 1)
        for text in ["a", "b", "c"] { _ = client.nucleus.send(port.ui, text) }
        #expect(from.nucleus.receive(port.li).text == "a")
        var (target, sequence) = (to.cap, UInt32(0))
        let li = from.nucleus.portMigrate(K_MIGRATE_QUEUE, nil, port.li, &target, &sequence)
        #expect(li > 0)
        #expect(sequence == 2)
        #expect(from.nucleus.receive(port.li, delay: 0).code == K_EUNKNOWN)
        #expect(to.nucleus.receive(K_ANYENABLED, delay: 0).code == K_ENOMSG)  // arrives disabled
        #expect(to.nucleus.receive(li).text == "b")
        #expect(to.nucleus.receive(li).text == "c")
        _ = client.nucleus.send(port.ui, "d")
        #expect(to.nucleus.receive(li).text == "d")
    }

    @Test func migrationUnderLoadLosesNothing() {
        let bench = Bench()
        let storm = MigrationStorm(owners: [bench, bench, bench], senders: [bench, bench, bench, bench])
        #expect(storm.run(messages: 500, rounds: 50) == [])
    }

    @Test func sequenceNumbersCountWhatWasReceived() {
        let bench = Bench()
        let (from, to) = (bench.actor(), bench.actor())
        let port = from.nucleus.newPort()
        var sequence: UInt32 = 0
        #expect(from.nucleus.portGetSeqNum(nil, port.li, &sequence) == K_OK && sequence == 1)
        for _ in 0..<3 { _ = from.nucleus.send(port.ui, "x") }
        for _ in 0..<2 { _ = from.nucleus.receive(port.li) }
        #expect(from.nucleus.portGetSeqNum(nil, port.li, &sequence) == K_OK && sequence == 3)
        #expect(from.nucleus.portGetSeqNum(nil, 99, &sequence) == K_EUNKNOWN)
        #expect(from.nucleus.portGetSeqNum(nil, port.li, nil) == K_EFAULT)
        var cap = to.cap
        let li = from.nucleus.portMigrate(K_MIGRATE_QUEUE, nil, port.li, &cap, &sequence)
        #expect(sequence == 3)
        #expect(to.nucleus.portGetSeqNum(nil, li, &sequence) == K_OK && sequence == 1)
    }

    @Test func migrationWithoutTheQueueEndsCalls() {
        let bench = Bench()
        let (from, to, client) = (bench.actor(), bench.actor(), bench.actor())
        let port = from.nucleus.newPort()
        let call = bench.start { client.nucleus.call(port.ui).code }
        #expect(bench.untilBlocked(client, "ipcCall"))
        var target = to.cap
        let li = from.nucleus.portMigrate(0, nil, port.li, &target, nil)
        #expect(call.result() == K_EMIGRATED)
        #expect(to.nucleus.receive(li, delay: 0).code == K_ENOMSG)
    }

    @Test func protectionIdentifiersAreStamped() {
        let bench = Bench()
        let (server, client) = (bench.actor(), bench.actor("user", K_USERACTOR))
        let port = server.nucleus.newPort()
        var now = KnProtId(uid: 7, gid: 8, did: 9)
        #expect(client.nucleus.actorPi(nil, nil, &now) == K_EPRIV)
        var cap = client.cap
        #expect(server.nucleus.actorPi(&cap, nil, &now) == K_OK)
        now = KnProtId(uid: 1, gid: 2, did: 3)
        #expect(server.nucleus.portPi(&cap, K_DEFAULTPORT, nil, &now) == K_OK)
        _ = client.nucleus.send(port.ui, "x")
        let head = server.nucleus.receive(port.li).head
        #expect((head.actorId.uid, head.actorId.gid, head.actorId.did) == (7, 8, 9))
        #expect((head.portId.uid, head.portId.gid, head.portId.did) == (1, 2, 3))
        #expect(head.srcPort == client.defaultPort.ui)
        #expect(head.target == port.ui)
        #expect(head.transId == 0)
    }
}
