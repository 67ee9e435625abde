import ActorKit
import CChorus
import Glibc
import Synchronization
import Testing

@testable import NucleusCore

@Suite struct HandlerTests {
    @Test func runsOnTheCallersThread() {
        let bench = Bench()
        let (server, client, probe) = (bench.actor(), bench.actor(), Probe())
        let port = server.nucleus.newPort()
        #expect(server.nucleus.svMsgHandler(port.li, Probe.handler, probe.cookie) == K_OK)
        #expect(client.nucleus.call(port.ui, "hi").reply == "<hi>")
        probe.seen.withLock {
            #expect($0.threads.first == pthread_self())
            #expect($0.heads.first?.srcPort.raw == client.defaultPort.ui.raw)
            #expect($0.heads.first?.transId != 0)
        }
        #expect(server.nucleus.receive(port.li, delay: 0).code == K_EINVAL)
        #expect(server.nucleus.svMsgHandler(port.li, Probe.handler, probe.cookie) == K_EBUSY)
        var target = client.cap
        #expect(server.nucleus.portMigrate(0, nil, port.li, &target, nil) == K_EINVAL)
        #expect(server.nucleus.svMsgHandler(port.li, nil, nil) == K_OK)
        #expect(client.nucleus.call(port.ui, "hi", delay: 0).code == K_ETIMEOUT)
    }

    @Test func aNegativeResultFailsTheCall() {
        let bench = Bench()
        let (server, probe) = (bench.actor(), Probe())
        probe.action = { _ in K_EPRIV }
        let port = server.nucleus.newPort()
        _ = server.nucleus.svMsgHandler(port.li, Probe.handler, probe.cookie)
        #expect(server.nucleus.call(port.ui, "hi").code == K_EPRIV)
    }

    @Test func aCircleOfHandlersEndsBeforeTheStackDoes() {
        let bench = Bench()
        let (server, probe) = (bench.actor(), Probe())
        let port = server.nucleus.newPort()
        probe.action = { _ in server.nucleus.call(port.ui, "again").code }
        _ = server.nucleus.svMsgHandler(port.li, Probe.handler, probe.cookie)
        #expect(server.nucleus.call(port.ui, "hi").code == K_ENOMEM)
        #expect(probe.texts.count == Int(HandlerFrame.most))
    }

    @Test func asynchronousMessagesComeInOrderOnANucleusThread() {
        let bench = Bench()
        let (server, probe) = (bench.actor(), Probe())
        let port = server.nucleus.newPort()
        _ = server.nucleus.send(port.ui, "early")
        _ = server.nucleus.svMsgHandler(port.li, Probe.handler, probe.cookie)
        for i in 0..<50 { _ = server.nucleus.send(port.ui, "\(i)") }
        #expect(eventually { probe.texts.count == 51 })
        #expect(probe.texts == ["early"] + (0..<50).map { "\($0)" })
        probe.seen.withLock {
            #expect(!$0.threads.contains(pthread_self()))
            #expect($0.heads.allSatisfy { $0.transId == 0 })
        }
    }

    @Test func aQueuedCallIsServedWhenAHandlerIsConnected() {
        let bench = Bench()
        let (server, client, probe) = (bench.actor(), bench.actor(), Probe())
        let port = server.nucleus.newPort()
        let call = bench.start { client.nucleus.call(port.ui, "q").reply == "<q>" ? 1 : 0 }
        #expect(bench.untilBlocked(client, "ipcCall"))
        _ = server.nucleus.svMsgHandler(port.li, Probe.handler, probe.cookie)
        #expect(call.result() == 1)
    }

    @Test func disconnectWaitsForWhoIsInside() {
        let bench = Bench()
        let (server, client, probe) = (bench.actor(), bench.actor(), Probe())
        let port = server.nucleus.newPort()
        let go = Latch()
        probe.action = { _ in
            go.wait()
            return K_OK
        }
        _ = server.nucleus.svMsgHandler(port.li, Probe.handler, probe.cookie)
        let call = bench.start { client.nucleus.call(port.ui, "x").code }
        #expect(eventually { probe.inside.load(ordering: .sequentiallyConsistent) == 1 })
        let disconnect = bench.start {
            let code = server.nucleus.svMsgHandler(port.li, nil, nil)
            return probe.inside.load(ordering: .sequentiallyConsistent) == 0 ? code : -1
        }
        usleep(2000)
        #expect(!disconnect.isDone)
        go.open()
        #expect(disconnect.result() == K_OK)
        #expect(call.result() == K_OK)
    }

    @Test func handlersMayDisconnectThemselvesEvenSeveralAtOnce() {
        let bench = Bench()
        let (server, client, probe) = (bench.actor(), bench.actor(), Probe())
        let port = server.nucleus.newPort()
        probe.action = { probe in
            // Both are in before either disconnects.
            while probe.inside.load(ordering: .sequentiallyConsistent) < 2, probe.texts.count < 2 { sched_yield() }
            return server.nucleus.svMsgHandler(port.li, nil, nil)
        }
        _ = server.nucleus.svMsgHandler(port.li, Probe.handler, probe.cookie)
        let calls = (0..<2).map { i in bench.start { client.nucleus.call(port.ui, "\(i)").code } }
        for call in calls { #expect(call.result() == K_OK) }
        #expect(eventually { server.nucleus.svMsgHandler(port.li, Probe.handler, probe.cookie) == K_OK })
    }

    @Test func deletingAnActorDrainsItsHandlersAndFreesBlockedVisitors() {
        let bench = Bench()
        let (server, client, probe) = (bench.actor(), bench.actor(), Probe())
        let port = server.nucleus.newPort()
        probe.action = { _ in server.nucleus.threadDelay(-1) }
        _ = server.nucleus.svMsgHandler(port.li, Probe.handler, probe.cookie)
        let call = bench.start { client.nucleus.call(port.ui, "x").code }
        #expect(bench.untilBlocked(client, "threadDelay"))
        #expect(bench.site.deleteActor(server) == K_OK)
        #expect(probe.inside.load(ordering: .sequentiallyConsistent) == 0)
        #expect(call.result() == K_EDEADSERVER)
        #expect(client.nucleus.call(port.ui, "x").code == K_EUNKNOWN)
    }

    @Test func connectAndDisconnectUnderLoad() {
        let bench = Bench()
        let (server, probe) = (bench.actor(), Probe())
        let port = server.nucleus.newPort()
        let stop = Atomic<Bool>(false)
        let clients = (0..<3).map { id in
            let client = bench.actor()
            return bench.start {
                var served: Int32 = 0
                for i in 0..<3000 {
                    let got = client.nucleus.call(port.ui, "\(id).\(i)", delay: 1000)
                    if got.code != K_OK || got.reply != "<\(id).\(i)>" { return -1 }
                    served += 1
                }
                return served
            }
        }
        let connector = bench.start {
            while !stop.load(ordering: .relaxed) {
                _ = server.nucleus.svMsgHandler(port.li, Probe.handler, probe.cookie)
                usleep(200)
                _ = server.nucleus.svMsgHandler(port.li, nil, nil)
            }
            return server.nucleus.svMsgHandler(port.li, Probe.handler, probe.cookie)
        }
        for client in clients { #expect(client.result() == 3000) }
        stop.store(true, ordering: .relaxed)
        #expect(connector.result() == K_OK)
    }

    @Test func requestAndReplyMayShareTheirBuffers() {
        let bench = Bench()
        let server = bench.actor()
        let port = server.nucleus.newPort()
        // Writes the answer before it reads the question.
        let handler: KnMsgHdl = { _, _, annex, body, size, replyAnnex, replyBody, replySize in
            guard let annex, let body, let replyAnnex, let replyBody, let replySize else { return K_EFAULT }
            replyAnnex.storeBytes(of: 1, as: UInt8.self)
            replyBody.storeBytes(of: 2, as: UInt8.self)
            replyAnnex.storeBytes(of: annex.load(as: UInt8.self), toByteOffset: 1, as: UInt8.self)
            replyBody.storeBytes(of: body.load(as: UInt8.self), toByteOffset: 1, as: UInt8.self)
            replySize.pointee = 2
            return K_OK
        }
        _ = server.nucleus.svMsgHandler(port.li, handler, nil)
        var annex = [UInt8](repeating: 7, count: Int(K_CMSGANNEXSIZE))
        var body: [UInt8] = [8, 8]
        var dest = KnIpcDest(target: port.ui, coTarget: KnUniqueId())
        let code = annex.withUnsafeMutableBytes { annex in
            body.withUnsafeMutableBytes { body -> Int32 in
                var size: UInt32 = 2
                return server.nucleus.ipcCall(
                    0, &dest, K_FUNCMODE, annex.baseAddress, body.baseAddress, 2, annex.baseAddress, body.baseAddress,
                    &size, 0, -1)
            }
        }
        #expect(code == K_OK)
        #expect(Array(annex[0..<2]) == [1, 7])
        #expect(body == [2, 8])
    }
}

/// Opens once.
final class Latch: Sendable {
    private let state = Atomic<Bool>(false)
    func open() { state.store(true, ordering: .releasing) }
    func wait() { while !state.load(ordering: .acquiring) { usleep(100) } }
}

/// How a call ends whose handler, on the caller's own thread, waits too long.
@Suite struct HandlerBoundTests {
    /// A handler that waits for a semaphore nobody signals, and hands on what that said.
    private func waiter(_ bench: Bench) -> (server: Actor, probe: Probe, li: KnPortLid, ui: KnUniqueId) {
        let (server, probe) = (bench.actor("server"), Probe())
        let semaphore = bench.site.createSemaphore(server, 0)
        probe.action = { _ in
            var semaphore = semaphore
            return server.nucleus.semP(&semaphore, -1)
        }
        let port = server.nucleus.newPort()
        #expect(server.nucleus.svMsgHandler(port.li, Probe.handler, probe.cookie) == K_OK)
        return (server, probe, port.li, port.ui)
    }

    @Test func theCallersTimeIsTheHandlers() {
        let bench = Bench()
        let (client, server) = (bench.actor(), waiter(bench))
        #expect(client.nucleus.call(server.ui, delay: 5).code == K_ETIMEOUT)
        #expect(client.nucleus.call(server.ui, delay: 0).code == K_ETIMEOUT)
        #expect(server.probe.inside.load(ordering: .sequentiallyConsistent) == 0)
        withExtendedLifetime(server) {}
    }

    /// A server in between waits without end for the one behind it: its own client's time is what counts.
    @Test func andThatOfHandlersBehindIt() {
        let bench = Bench()
        let (client, middle, probe) = (bench.actor(), bench.actor(), Probe())
        let last = waiter(bench)
        let port = middle.nucleus.newPort()
        let queued = middle.nucleus.newPort()
        let seen = Codes()
        probe.action = { _ in
            let codes = [middle.nucleus.call(last.ui).code, middle.nucleus.call(queued.ui).code]
            seen.values.withLock { $0 = codes }
            return codes[0]
        }
        #expect(middle.nucleus.svMsgHandler(port.li, Probe.handler, probe.cookie) == K_OK)
        #expect(client.nucleus.call(port.ui, delay: 20).code == K_ETIMEOUT)
        #expect(seen.values.withLock { $0 } == [K_EABORT, K_EABORT])
        withExtendedLifetime((last, probe)) {}
    }

    final class Codes: Sendable { let values = Mutex<[Int32]>([]) }

    @Test func deletingThePortEndsIt() {
        let bench = Bench()
        let (client, server) = (bench.actor("client"), waiter(bench))
        let call = bench.start { client.nucleus.call(server.ui).code }
        #expect(eventually { server.probe.inside.load(ordering: .sequentiallyConsistent) == 1 })
        #expect(server.server.nucleus.portDelete(nil, server.li) == K_OK)
        #expect(call.result() == K_EPORTDELETED)
        withExtendedLifetime(server) {}
    }

    /// The server that is deleted is not the one that the thread waits in, but the one before.
    @Test func deletingAServerInBetween() {
        let bench = Bench()
        let (client, middle, probe) = (bench.actor(), bench.actor(), Probe())
        let last = waiter(bench)
        let port = middle.nucleus.newPort()
        probe.action = { _ in middle.nucleus.call(last.ui).code }
        #expect(middle.nucleus.svMsgHandler(port.li, Probe.handler, probe.cookie) == K_OK)
        let call = bench.start { client.nucleus.call(port.ui).code }
        #expect(eventually { last.probe.inside.load(ordering: .sequentiallyConsistent) == 1 })
        bench.site.deleteActor(middle)
        #expect(call.result() == K_EDEADSERVER)
        #expect(!last.server.isDeleted)
        withExtendedLifetime((last, probe)) {}
    }
}
