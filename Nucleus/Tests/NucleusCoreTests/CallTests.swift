import ActorKit
import CChorus
import Glibc
import Testing

@testable import NucleusCore

@Suite struct CallTests {
    @Test func throughAQueue() {
        let bench = Bench()
        let (server, client) = (bench.actor(), bench.actor())
        let port = server.nucleus.newPort()
        let serving = bench.serve(server, port.li, "re:")
        for i in 0..<200 {
            let got = client.nucleus.call(port.ui, "\(i)")
            #expect(got.code == K_OK)
            #expect(got.reply == "re:\(i)")
        }
        bench.site.deleteActor(server)
        #expect(serving.result() == K_EDEADACTOR)
    }

    @Test func manyClientsGetTheirOwnAnswers() {
        let bench = Bench()
        let server = bench.actor()
        let port = server.nucleus.newPort()
        let servers = (0..<3).map { _ in bench.serve(server, port.li, "") }
        let clients = (0..<6).map { id in
            let client = bench.actor()
            return bench.start {
                for i in 0..<300 {
                    let text = "\(id)/\(i)"
                    if client.nucleus.call(port.ui, text).reply != text { return -1 }
                }
                return 0
            }
        }
        for client in clients { #expect(client.result() == 0) }
        bench.site.deleteActor(server)
        for server in servers { #expect(server.result() == K_EDEADACTOR) }
    }

    @Test func aTimedOutCallIsNeverServed() {
        let bench = Bench()
        let (server, client) = (bench.actor(), bench.actor())
        let port = server.nucleus.newPort()
        #expect(client.nucleus.call(port.ui, "old", delay: 5).code == K_ETIMEOUT)
        #expect(client.nucleus.call(port.ui, "poll", delay: 0).code == K_ETIMEOUT)
        #expect(server.nucleus.receive(port.li, delay: 0).code == K_ENOMSG)
    }

    @Test func anAnswerThatComesLateReachesNobody() {
        let bench = Bench()
        let (server, client) = (bench.actor(), bench.actor())
        let port = server.nucleus.newPort()
        let call = bench.start { client.nucleus.call(port.ui, "a", flags: K_ABORTABLE).code }
        #expect(server.nucleus.receive(port.li).text == "a")
        #expect(bench.untilBlocked(client, "ipcCall"))
        let thread = bench.site.threads.all.first { $0.blockedOn == "ipcCall" }
        #expect(client.nucleus.threadAbort(thread?.li ?? -1) == K_OK)
        #expect(call.result() == K_EABORT)
        // The abort went on to the thread that serves, which is this one.
        #expect(server.nucleus.threadAborted() == 1)
        #expect(server.nucleus.reply("late") == K_EUNREACHABLE)
        #expect(server.nucleus.reply("again") == K_ENOMSG)
    }

    @Test func anAbortGoesOnToTheServer() {
        let bench = Bench()
        let (server, client) = (bench.actor(), bench.actor())
        let port = server.nucleus.newPort()
        let serving = bench.start {
            guard server.nucleus.receive(port.li).code >= 0 else { return -1 }
            return server.nucleus.threadDelay(-1)
        }
        let calling = bench.start { client.nucleus.call(port.ui, flags: K_ABORTABLE).code }
        #expect(bench.untilBlocked(server, "threadDelay") && bench.untilBlocked(client, "ipcCall"))
        let thread = bench.site.threads.all.first { $0.blockedOn == "ipcCall" }
        #expect(client.nucleus.threadAbort(thread?.li ?? -1) == K_OK)
        #expect(calling.result() == K_EABORT)
        #expect(serving.result() == K_EABORT)
    }

    @Test func withoutTheFlagACallIsNotAbortable() {
        let bench = Bench()
        let (server, client) = (bench.actor(), bench.actor())
        let port = server.nucleus.newPort()
        let calling = bench.start {
            let code = client.nucleus.call(port.ui).code
            return code == K_OK ? client.nucleus.threadAborted() : code
        }
        #expect(bench.untilBlocked(client, "ipcCall"))
        let thread = bench.site.threads.all.first { $0.blockedOn == "ipcCall" }
        #expect(client.nucleus.threadAbort(thread?.li ?? -1) == K_OK)
        #expect(server.nucleus.receive(port.li).code >= 0)
        #expect(server.nucleus.reply("") == K_OK)
        #expect(calling.result() == 1)  // the ABORTED state was kept
    }

    @Test func deadServersAreErrors() {
        let bench = Bench()
        let (server, client) = (bench.actor(), bench.actor())
        let port = server.nucleus.newPort()
        let queued = bench.start { client.nucleus.call(port.ui, "1").code }
        #expect(bench.untilBlocked(client, "ipcCall"))
        #expect(server.nucleus.receive(port.li).code == port.li)
        let second = bench.start { client.nucleus.call(port.ui, "2").code }
        #expect(bench.untilBlocked(client, "ipcCall", count: 2))
        bench.site.deleteActor(server)
        #expect(queued.result() == K_EDEADSERVER)
        #expect(second.result() == K_EDEADSERVER)
    }

    @Test func aServerThreadThatEndsWithARequestFailsIt() {
        let bench = Bench()
        let (server, client) = (bench.actor(), bench.actor())
        let port = server.nucleus.newPort()
        let calling = bench.start { client.nucleus.call(port.ui).code }
        let serving = bench.start { server.nucleus.receive(port.li).code }
        #expect(serving.result() == port.li)
        #expect(calling.result() == K_EDEADSERVER)
    }

    @Test func savedMessagesAreAnsweredOutOfOrder() {
        let bench = Bench()
        let (server, client) = (bench.actor(), bench.actor())
        let (port, nucleus) = (server.nucleus.newPort(), server.nucleus)
        let first = bench.start { client.nucleus.call(port.ui, "1").reply == "one" ? 1 : 0 }
        #expect(nucleus.receive(port.li).text == "1")
        let saved = nucleus.ipcSave()
        #expect(saved > 0)
        #expect(nucleus.ipcSave() == K_ENOMSG)
        let second = bench.start { client.nucleus.call(port.ui, "2").reply == "two" ? 1 : 0 }
        #expect(nucleus.receive(port.li).text == "2")
        #expect(nucleus.reply("two") == K_OK)
        #expect(second.result() == 1)
        #expect(!first.isDone)
        #expect(nucleus.ipcRestore(saved + 1) == K_EUNKNOWN)
        #expect(nucleus.ipcRestore(saved) == K_OK)
        var head = KnMsgHead()
        #expect(nucleus.ipcSysInfo(&head) == K_OK)
        #expect(head.srcPort == client.defaultPort.ui)
        #expect(nucleus.reply("one") == K_OK)
        #expect(first.result() == 1)
    }

    @Test func deferredBodies() {
        let bench = Bench()
        let nucleus = bench.actor().nucleus
        let port = nucleus.newPort()
        _ = nucleus.send(port.ui, "body")
        var (head, size) = (KnMsgHead(), UInt32(0))
        #expect(nucleus.ipcReceive(port.li, &head, nil, nil, &size, 0) == port.li)
        #expect(size == 4)
        var bytes = [UInt8](repeating: 0, count: 4)
        size = 2
        #expect(nucleus.ipcGetData(&bytes, &size) == K_ETOOBIG)
        #expect(size == 4)
        #expect(nucleus.ipcGetData(&bytes, &size) == 4)
        #expect(String(decoding: bytes, as: UTF8.self) == "body")
        #expect(nucleus.ipcGetData(&bytes, &size) == K_ENOMSG)
    }

    @Test func badArguments() {
        let bench = Bench()
        let nucleus = bench.actor().nucleus
        let port = nucleus.newPort()
        var dest = KnIpcDest(target: port.ui, coTarget: KnUniqueId())
        var byte: UInt8 = 0
        #expect(nucleus.ipcSend(0, nil, 1, nil, nil, 0) == K_EFAULT)
        #expect(nucleus.ipcSend(0, &dest, 1, nil, nil, 1) == K_EFAULT)
        #expect(nucleus.ipcSend(0, &dest, 1, nil, &byte, K_CMSGSIZEMAX + 1) == K_ETOOBIG)
        #expect(nucleus.ipcSend(99, &dest, 1, nil, nil, 0) == K_EUNKNOWN)
        #expect(nucleus.call(KnUniqueId()).code == K_EINVAL)
        #expect(nucleus.call(bench.site.newUi(.port)).code == K_EUNKNOWN)
        #expect(nucleus.reply("") == K_ENOMSG)
        #expect(nucleus.receive(99, delay: 0).code == K_EUNKNOWN)
        #expect(nucleus.call(bench.site.staticCap(.staticSystemGroup, 1).ui).code == K_EUNREACHABLE)
    }

    @Test func anAnswerTooLargeForTheClient() {
        let bench = Bench()
        let (server, client) = (bench.actor(), bench.actor())
        let port = server.nucleus.newPort()
        let calling = bench.start { client.nucleus.call(port.ui, capacity: 3).code }
        #expect(server.nucleus.receive(port.li).code >= 0)
        #expect(server.nucleus.reply("four") == K_OK)
        #expect(calling.result() == K_ETOOBIG)
    }
}
