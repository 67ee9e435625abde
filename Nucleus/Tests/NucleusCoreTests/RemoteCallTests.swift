import ActorKit
import CChorus
import Synchronization
import Testing

@testable import NucleusCore

@Suite struct RemoteCallTests {
    @Test func throughAQueue() {
        let sites = Joined()
        let (server, client) = (sites.b.actor("server"), sites.a.actor("client"))
        let port = server.nucleus.newPort()
        #expect(port.ui.siteHint == 2)
        let serving = sites.b.serve(server, port.li, "re:")
        for i in 0..<100 {
            let got = client.nucleus.call(port.ui, "\(i)")
            #expect(got.code == K_OK && got.reply == "re:\(i)")
        }
        sites.b.site.deleteActor(server)
        #expect(serving.result() == K_EDEADACTOR)
        #expect(sites.a.remoteCalls + sites.b.remoteCalls == 0)
    }

    @Test func aHandlerHasAThreadForEachCall() {
        let sites = Joined()
        let (server, client) = (sites.b.actor("server"), sites.a.actor("client"))
        let (probe, port) = (Probe(), server.nucleus.newPort())
        let inside = Atomic<Int>(0)
        probe.action = { probe in
            probe.inside.load(ordering: .sequentiallyConsistent) > 1
                || eventually { inside.load(ordering: .relaxed) > 0 }
                ? K_OK : K_ETIMEOUT
        }
        #expect(server.nucleus.svMsgHandler(port.li, Probe.handler, probe.cookie) == K_OK)
        let first = sites.a.start { client.nucleus.call(port.ui, "1").reply == "<1>" ? 0 : -1 }
        #expect(eventually { probe.inside.load(ordering: .relaxed) == 1 })
        #expect(client.nucleus.call(port.ui, "2").reply == "<2>")
        inside.store(1, ordering: .relaxed)
        #expect(first.result() == 0)
        #expect(server.nucleus.svMsgHandler(port.li, nil, nil) == K_OK)
    }

    @Test func wholeMessagesCross() {
        let sites = Joined()
        let (server, client) = (sites.b.actor("server"), sites.a.actor("client"))
        let port = server.nucleus.newPort()
        let body = (0..<Int(K_CMSGSIZEMAX)).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        let annex = (0..<Int(K_CMSGANNEXSIZE)).map { UInt8(truncatingIfNeeded: $0 ^ 0x55) }
        let serving = sites.b.start {
            var head = KnMsgHead()
            var size = UInt32(K_CMSGSIZEMAX)
            var gotAnnex = [UInt8](repeating: 0, count: Int(K_CMSGANNEXSIZE))
            var got = [UInt8](repeating: 0, count: Int(size))
            guard server.nucleus.ipcReceive(port.li, &head, &gotAnnex, &got, &size, -1) == port.li else { return -1 }
            return server.nucleus.ipcReply(gotAnnex.reversed(), got.reversed(), size)
        }
        let got = client.nucleus.callWhole(port.ui, annex: annex, body: body, capacity: body.count)
        #expect(serving.result() == K_OK)
        #expect(got.code == K_OK && got.annex == annex.reversed() && got.body == body.reversed())
        var dest = KnIpcDest(target: port.ui, coTarget: KnUniqueId())
        #expect(client.nucleus.ipcSend(0, &dest, 1, nil, body, K_CMSGSIZEMAX + 1) == K_ETOOBIG)
    }

    @Test func theSendersNucleusStampsWhoItIs() {
        let sites = Joined()
        let (server, client) = (sites.b.actor("server"), sites.a.actor("client"))
        let port = server.nucleus.newPort()
        var (pi, portPi) = (KnProtId(uid: 7, gid: 8, did: 9), KnProtId(uid: 1, gid: 2, did: 3))
        #expect(client.nucleus.actorPi(nil, nil, &pi) == K_OK)
        #expect(client.nucleus.portPi(nil, K_DEFAULTPORT, nil, &portPi) == K_OK)
        #expect(client.nucleus.send(port.ui, "x") == K_OK)
        let head = server.nucleus.receive(port.li).head
        #expect((head.actorId.uid, head.actorId.gid, head.actorId.did) == (7, 8, 9))
        #expect((head.portId.uid, head.portId.gid, head.portId.did) == (1, 2, 3))
        #expect(head.srcPort == client.defaultPort.ui && head.target == port.ui)
        #expect(head.transId == 0 && head.flags & K_MSG_REMOTE != 0)
        // Nobody here can say that of itself.
        let local = server.nucleus
        let job = sites.b.start { local.call(port.ui, flags: K_MSG_REMOTE).code }
        #expect(server.nucleus.receive(port.li).head.flags == 0)
        #expect(server.nucleus.reply("") == K_OK && job.result() == K_OK)
    }

    @Test func sendsKeepTheirOrder() {
        let sites = Joined()
        let (server, client) = (sites.b.actor("server"), sites.a.actor("client"))
        let port = server.nucleus.newPort()
        for i in 0..<50 { #expect(client.nucleus.send(port.ui, "\(i)") == K_OK) }
        for i in 0..<50 { #expect(server.nucleus.receive(port.li).text == "\(i)") }
    }

    @Test func aTimedOutCallIsNotServed() {
        let sites = Joined()
        let (server, client) = (sites.b.actor("server"), sites.a.actor("client"))
        let port = server.nucleus.newPort()
        #expect(client.nucleus.call(port.ui, "old", delay: 20).code == K_ETIMEOUT)
        #expect(eventually { sites.a.remoteCalls + sites.b.remoteCalls == 0 })
        #expect(eventually { sites.b.site.port(port.ui, holds: 0) })
        #expect(server.nucleus.receive(port.li, delay: 0).code == K_ENOMSG)
    }

    /// Between sites a body that is moved is copied once; it stays with a sender whose message never left.
    @Test func movedBodies() {
        let sites = Joined()
        let (server, client) = (sites.b.actor("server"), sites.a.actor("client"))
        let (port, table) = (server.nucleus.newPort(), client.table.pointee)
        let serving = sites.b.serve(server, port.li, "got ")
        var body: VmAddr = 0
        #expect(table.msgAllocate(table.`self`, 5, &body) == K_OK)
        UnsafeMutableRawPointer(bitPattern: UInt(body))?.copyMemory(from: Array("moved".utf8), byteCount: 5)
        var dest = KnIpcDest(target: KnUniqueId(.port, site: 9, random: 1), coTarget: KnUniqueId())
        var reply = [UInt8](repeating: 0, count: 16)
        for (target, code) in [(dest.target, K_EUNREACHABLE), (port.ui, K_OK), (port.ui, K_EUNKNOWN)] {
            dest.target = target
            var size = UInt32(reply.count)
            let got = table.ipcCallMove(
                table.`self`, K_DEFAULTPORT, &dest, K_FUNCMODE, nil, body, 5, nil, &reply, &size, 0, 20_000)
            #expect(got == code)
            if got == K_OK { #expect(String(decoding: reply.prefix(Int(size)), as: UTF8.self) == "got moved") }
        }
        sites.b.site.deleteActor(server)
        #expect(serving.result() == K_EDEADACTOR)
    }

    @Test func anAbortReachesTheServersThread() {
        let sites = Joined()
        let (server, client) = (sites.b.actor("server"), sites.a.actor("client"))
        let port = server.nucleus.newPort()
        let serving = sites.b.start {
            guard server.nucleus.receive(port.li, delay: 20_000).code >= 0 else { return -1 }
            return server.nucleus.threadDelay(60_000)
        }
        let calling = sites.a.start { client.nucleus.call(port.ui, flags: K_ABORTABLE, delay: 60_000).code }
        #expect(sites.b.untilBlocked(server, "threadDelay") && sites.a.untilBlocked(client, "ipcCall"))
        #expect(client.nucleus.threadAbort(sites.a.blocked(client, "ipcCall")) == K_OK)
        #expect(calling.result() == K_EABORT)
        #expect(serving.result() == K_EABORT)
        #expect(eventually { sites.a.remoteCalls + sites.b.remoteCalls == 0 })
    }

    @Test func anAbortReachesAHandler() {
        let sites = Joined()
        let (server, client) = (sites.b.actor("server"), sites.a.actor("client"))
        let (probe, port) = (Probe(), server.nucleus.newPort())
        probe.action = { _ in server.nucleus.threadDelay(60_000) }
        #expect(server.nucleus.svMsgHandler(port.li, Probe.handler, probe.cookie) == K_OK)
        let calling = sites.a.start { client.nucleus.call(port.ui, flags: K_ABORTABLE, delay: 60_000).code }
        #expect(eventually { sites.b.site.threads.all.contains { $0.blockedOn == "threadDelay" } })
        #expect(sites.a.untilBlocked(client, "ipcCall"))
        #expect(client.nucleus.threadAbort(sites.a.blocked(client, "ipcCall")) == K_OK)
        #expect(calling.result() == K_EABORT)
        #expect(eventually { probe.inside.load(ordering: .sequentiallyConsistent) == 0 })
        #expect(server.nucleus.svMsgHandler(port.li, nil, nil) == K_OK)
    }

    /// Each way to lose a server has its own error.
    @Test func whatEndsACall() {
        let sites = Joined()
        let client = sites.a.actor("client")
        func lost(received: Bool, _ how: (Actor, KnPortLid) -> Void) -> Int32 {
            let server = sites.b.actor("server")
            let port = server.nucleus.newPort()
            let calling = sites.a.start { client.nucleus.call(port.ui, delay: 60_000).code }
            let came = eventually { sites.b.site.port(port.ui, holds: 1) }
            if !came { return -1 }
            if received, server.nucleus.receive(port.li).code != port.li { return -2 }
            how(server, port.li)
            return calling.result()
        }
        for received in [false, true] {
            #expect(lost(received: received) { server, _ in sites.b.site.deleteActor(server) } == K_EDEADSERVER)
            #expect(lost(received: received) { server, li in _ = server.nucleus.portDelete(nil, li) } == K_EPORTDELETED)
        }
        let other = sites.b.actor("other")
        let migrated = lost(received: false) { server, li in
            var cap = other.cap
            _ = server.nucleus.portMigrate(0, nil, li, &cap, nil)
        }
        #expect(migrated == K_EMIGRATED)
        for received in [false, true] {
            #expect(lost(received: received) { _, _ in sites.net.cut(1, 2) } == K_ELINKFAILURE)
            let port = sites.b.actor("server").nucleus.newPort()
            #expect(client.nucleus.call(port.ui).code == K_EUNREACHABLE)
            #expect(client.nucleus.send(port.ui, "lost") == K_OK)
            #expect(sites.net.heal(1, 2))
            #expect(sites.a.site.sites.awaitReady(2) == K_OK && sites.b.site.sites.awaitReady(1) == K_OK)
        }
        #expect(eventually { sites.a.remoteCalls + sites.b.remoteCalls == 0 })
    }

    @Test func aSiteThatClosesFailsItsClients() {
        let sites = Joined(3)
        let client = sites.a.actor("client")
        let gone = sites.benches[2]
        let port = gone.actor("server").nucleus.newPort()
        let calling = sites.a.start { client.nucleus.call(port.ui, delay: 60_000).code }
        #expect(eventually { gone.site.port(port.ui, holds: 1) })
        gone.site.close()
        #expect(calling.result() == K_ELINKFAILURE)
        #expect(eventually { !sites.a.site.sites.isUp(3) && !sites.b.site.sites.isUp(3) })
        let alive = sites.b.actor("server").nucleus.newPort()
        #expect(client.nucleus.call(alive.ui, delay: 20).code == K_ETIMEOUT)
    }

    /// A server whose client has gone hears of it as it does of an abort.
    @Test func aClientsSiteThatIsGoneAbortsTheServer() {
        let sites = Joined()
        let (server, client) = (sites.b.actor("server"), sites.a.actor("client"))
        let port = server.nucleus.newPort()
        let serving = sites.b.start {
            guard server.nucleus.receive(port.li, delay: 20_000).code >= 0 else { return -1 }
            return server.nucleus.threadDelay(60_000)
        }
        let calling = sites.a.start { client.nucleus.call(port.ui, delay: 60_000).code }
        #expect(sites.b.untilBlocked(server, "threadDelay"))
        sites.net.cut(1, 2)
        #expect(serving.result() == K_EABORT && calling.result() == K_ELINKFAILURE)
    }

    /// Whatever becomes of links, a call is served once if it says so, not at all if it says so, and else not twice.
    @Test func atMostOnceWhileLinksFail() {
        let sites = Joined()
        let server = sites.b.actor("server")
        let (probe, handled, queued) = (Probe(), server.nucleus.newPort(), server.nucleus.newPort())
        #expect(server.nucleus.svMsgHandler(handled.li, Probe.handler, probe.cookie) == K_OK)
        let got = Mutex<[String]>([])
        let serving = sites.b.start {
            while true {
                let request = server.nucleus.receive(queued.li)
                // It is told when the client it worked for has gone.
                if request.code == K_EABORT { continue }
                if request.code < 0 { return request.code }
                got.withLock { $0.append(request.text) }
                _ = server.nucleus.reply("<\(request.text)>")
            }
        }
        let results = Mutex<[String: Int32]>([:])
        let over = Atomic<Int>(0)
        let clients = (0..<4).map { id in
            let client = sites.a.actor("client").nucleus
            return sites.a.start {
                for i in 0..<300 {
                    let text = "\(id)/\(i)"
                    let call = client.call(id % 2 == 0 ? handled.ui : queued.ui, text, delay: 60_000)
                    results.withLock { $0[text] = call.code }
                    if call.code == K_OK, call.reply != "<\(text)>" { return -1 }
                }
                over.wrappingAdd(1, ordering: .relaxed)
                return K_OK
            }
        }
        var restarts = 0
        repeat {
            if !sites.restart(1, 2) { break }
            restarts += 1
        } while over.load(ordering: .relaxed) < clients.count
        for client in clients { #expect(client.result() == K_OK) }
        sites.b.site.deleteActor(server)
        #expect(serving.result() == K_EDEADACTOR && restarts > 0)
        var served: [String: Int] = [:]
        for text in probe.texts + got.withLock({ $0 }) { served[text, default: 0] += 1 }
        for (text, code) in results.withLock({ $0 }) {
            let times = served[text] ?? 0
            switch code {
            case K_OK: #expect(times == 1, "\(text)")
            case K_EUNREACHABLE: #expect(times == 0, "\(text)")
            case K_ELINKFAILURE: #expect(times <= 1, "\(text)")
            default: Issue.record("\(text): \(code)")
            }
        }
        #expect(eventually { sites.a.remoteCalls + sites.b.remoteCalls == 0 })
    }

    @Test func whatDoesNotExist() {
        let sites = Joined()
        let (server, client) = (sites.b.actor("server"), sites.a.actor("client"))
        let port = server.nucleus.newPort()
        #expect(server.nucleus.portDelete(nil, port.li) == K_OK)
        #expect(client.nucleus.call(port.ui).code == K_EUNKNOWN)
        #expect(client.nucleus.call(KnUniqueId(.port, site: 2, random: 5)).code == K_EUNKNOWN)
        #expect(client.nucleus.call(KnUniqueId(.port, site: 1, random: 5)).code == K_EUNKNOWN)
        #expect(client.nucleus.call(KnUniqueId(.port, site: 9, random: 5)).code == K_EUNREACHABLE)
        #expect(client.nucleus.call(KnUniqueId(.actor, site: 2, random: 5)).code == K_EINVAL)
        #expect(client.nucleus.send(KnUniqueId(.port, site: 9, random: 5), "x") == K_OK)
        let busy = server.nucleus.newPort()
        for _ in 0..<Int(K_CPORTQUEUE) { _ = server.nucleus.send(busy.ui, "x") }
        #expect(client.nucleus.call(busy.ui).code == K_EFULL)
        #expect(client.nucleus.call(port.ui, delay: 0).code < 0)
        let small = server.nucleus.newPort()
        let serving = sites.b.serve(server, small.li, "longer than that")
        #expect(client.nucleus.call(small.ui, capacity: 3).code == K_ETOOBIG)
        sites.b.site.deleteActor(server)
        #expect(serving.result() == K_EDEADACTOR)
    }

    @Test func joining() {
        let sites = Joined()
        #expect(sites.net.join(sites.a.site) == K_EEXIST)
        let same = Bench(number: 2)
        #expect(sites.net.join(same.site) == K_EEXIST)
        let alike = Bench(number: 0x1_0002)
        #expect(sites.net.join(alike.site) == K_EEXIST)
        let third = Bench(number: 3)
        #expect(sites.net.join(third.site) == K_OK && sites.a.site.sites.isUp(3) && third.site.sites.isUp(1))
        #expect(InProcessNet().join(third.site) == K_EBUSY)
    }
}

extension Site {
    /// Whether so many messages wait at a port that is here.
    func port(_ ui: KnUniqueId, holds count: Int) -> Bool {
        ports.find(ui.raw)?.withRoom { _, _ in ports.find(ui.raw)?.queue.count == count } ?? false
    }
}
