import ActorKit
import CChorus
import Glibc
import Synchronization
import Testing

@testable import NucleusCore

/// Bodies that are moved, between actors of one process.
@Suite struct MoveBodyTests {
    private func body(_ nucleus: Nucleus, _ text: String) -> VmAddr {
        var body: VmAddr = 0
        #expect(nucleus.msgAllocate(UInt32(text.utf8.count), &body) == K_OK)
        UnsafeMutableRawPointer(bitPattern: UInt(body))?.copyMemory(from: Array(text.utf8), byteCount: text.utf8.count)
        return body
    }

    private func text(_ body: VmAddr, _ size: UInt32) -> String {
        String(
            decoding: UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: UInt(body)), count: Int(size)),
            as: UTF8.self)
    }

    private func call(
        _ nucleus: Nucleus, _ target: KnUniqueId, _ body: VmAddr, _ size: UInt32, delay: Int32 = -1
    ) -> Int32 {
        var dest = KnIpcDest(target: target, coTarget: KnUniqueId())
        return nucleus.ipcCallMove(0, &dest, K_FUNCMODE, nil, body, size, nil, nil, nil, 0, delay)
    }

    private func send(
        _ nucleus: Nucleus, _ target: KnUniqueId, _ body: VmAddr, _ size: UInt32, mode: UInt32 = K_FUNCMODE
    ) -> Int32 {
        var dest = KnIpcDest(target: target, coTarget: KnUniqueId())
        return nucleus.ipcSendMove(0, &dest, mode, nil, body, size)
    }

    /// What a handler took.
    private final class Taken: Sendable {
        let last = Mutex<(code: Int32, body: VmAddr, size: UInt32, again: Int32)>((1, 0, 0, 0))
    }

    private func taker(_ bench: Bench, _ result: Int32 = K_OK) -> (Actor, KnUniqueId, Taken, Probe) {
        let (server, probe, taken) = (bench.actor("server"), Probe(), Taken())
        probe.action = { _ in
            var (body, size): (VmAddr, UInt32) = (1, 1)
            let code = server.nucleus.msgTake(&body, &size)
            let seen = (code, body, size, server.nucleus.msgTake(&body, &size))
            taken.last.withLock { $0 = seen }
            return result
        }
        let port = server.nucleus.newPort()
        #expect(server.nucleus.svMsgHandler(port.li, Probe.handler, probe.cookie) == K_OK)
        return (server, port.ui, taken, probe)
    }

    @Test func theHandlerGetsTheVeryMemory() {
        let bench = Bench()
        let (client, (server, port, taken, probe)) = (bench.actor(), taker(bench))
        let moved = body(client.nucleus, "moved")
        #expect(call(client.nucleus, port, moved, 5) == K_OK)
        taken.last.withLock { #expect($0 == (K_OK, moved, 5, K_ENOMSG)) }
        #expect(probe.texts == ["moved"])
        #expect(client.nucleus.msgFree(moved) == K_EUNKNOWN, "it is the server's")
        #expect(call(client.nucleus, port, moved, 5) == K_EUNKNOWN)
        #expect(text(moved, 5) == "moved")
        #expect(server.nucleus.msgFree(moved) == K_OK)
        #expect(server.nucleus.msgFree(moved) == K_EUNKNOWN)
    }

    @Test func aCopiedBodyCanBeTakenToo() {
        let bench = Bench()
        let (client, (server, port, taken, probe)) = (bench.actor(), taker(bench))
        #expect(client.nucleus.call(port, "copied").code == K_OK)
        let got = taken.last.withLock { $0 }
        #expect(got.code == K_OK && text(got.body, got.size) == "copied")
        #expect(server.nucleus.msgFree(got.body) == K_OK)
        #expect(client.nucleus.call(port, "").code == K_OK)
        taken.last.withLock { #expect($0 == (K_OK, 0, 0, K_OK)) }
        withExtendedLifetime(probe) {}
    }

    @Test func untakenItIsFreedAndTakenItIsNotSentTwice() {
        let bench = Bench()
        let (client, (server, port, taken, probe)) = (bench.actor(), taker(bench, K_EFULL))
        let moved = body(client.nucleus, "x")
        #expect(call(client.nucleus, port, moved, 1) == K_EFULL, "of the handler, which has taken it")
        #expect(taken.last.withLock { $0.body } == moved)
        #expect(client.nucleus.msgFree(moved) == K_EUNKNOWN)
        #expect(server.nucleus.msgFree(moved) == K_OK)
        withExtendedLifetime(probe) {}
    }

    @Test func throughAQueueToo() {
        let bench = Bench()
        let (server, client) = (bench.actor(), bench.actor())
        let (n, port) = (server.nucleus, server.nucleus.newPort())
        let moved = body(client.nucleus, "queued")
        #expect(send(client.nucleus, port.ui, moved, 6) == K_OK)
        #expect(client.nucleus.msgFree(moved) == K_EUNKNOWN)
        var (size, address): (UInt32, VmAddr) = (0, 0)
        #expect(n.ipcReceive(port.li, nil, nil, nil, &size, 0) == port.li && size == 6)
        #expect(n.msgTake(&address, &size) == K_OK)
        #expect(address == moved && size == 6 && text(address, size) == "queued")
        #expect(n.msgTake(&address, &size) == K_ENOMSG)
        #expect(n.ipcGetData(nil, &size) == K_ENOMSG)
        // On to somebody who receives as ever.
        #expect(send(n, port.ui, address, 6) == K_OK)
        #expect(n.receive(port.li).text == "queued")
        #expect(n.msgTake(&address, &size) == K_ENOMSG)
        // And left for ipcGetData.
        #expect(send(n, port.ui, body(n, "later"), 5) == K_OK)
        #expect(n.ipcReceive(port.li, nil, nil, nil, &size, 0) == port.li)
        var bytes = [UInt8](repeating: 0, count: 5)
        #expect(n.ipcGetData(&bytes, &size) == 5 && String(decoding: bytes, as: UTF8.self) == "later")
    }

    @Test func eachReceiverOfABroadcastHasItsOwn() {
        let bench = Bench()
        let (server, client) = (bench.actor(), bench.actor())
        let n = server.nucleus
        var group = KnCap()
        #expect(n.grpAllocate(K_DYNAMIC, &group, 0) == K_OK)
        let ports = (0..<3).map { _ in n.newPort() }
        for port in ports {
            var ui = port.ui
            #expect(n.grpPortInsert(&group, &ui) == K_OK)
        }
        #expect(send(client.nucleus, group.ui, body(client.nucleus, "all"), 3, mode: K_BROADMODE) == K_OK)
        var seen: Set<VmAddr> = []
        for port in ports {
            var (size, address): (UInt32, VmAddr) = (0, 0)
            #expect(n.ipcReceive(port.li, nil, nil, nil, &size, 0) == port.li)
            #expect(n.msgTake(&address, &size) == K_OK && text(address, size) == "all")
            seen.insert(address)
        }
        #expect(seen.count == 3)
    }

    @Test func whatNeverLeftStays() {
        let bench = Bench()
        let (server, client) = (bench.actor(), bench.actor())
        let (n, port) = (client.nucleus, server.nucleus.newPort())
        let moved = body(n, "stay")
        #expect(call(n, bench.site.newUi(.port), moved, 4) == K_EUNKNOWN)
        #expect(call(n, KnUniqueId(), moved, 4) == K_EINVAL)
        #expect(call(n, port.ui, moved, 5) == K_EINVAL, "it is not so large")
        #expect(n.ipcCallMove(0, nil, K_FUNCMODE, nil, moved, 4, nil, nil, nil, 0, 0) == K_EFAULT)
        for _ in 0..<K_CPORTQUEUE { #expect(n.send(port.ui, "") == K_OK) }
        #expect(call(n, port.ui, moved, 4, delay: 0) == K_EFULL)
        #expect(server.nucleus.msgFree(moved) == K_EUNKNOWN, "another's")
        #expect(n.msgFree(moved) == K_OK)
        let timed = body(n, "timed")
        let other = server.nucleus.newPort()
        #expect(call(n, other.ui, timed, 5, delay: 0) == K_ETIMEOUT)
        #expect(n.msgFree(timed) == K_EUNKNOWN, "it had left")
    }

    @Test func bounds() {
        let bench = Bench()
        let n = bench.actor().nucleus
        var body: VmAddr = 0
        #expect(n.msgAllocate(0, &body) == K_EINVAL)
        #expect(n.msgAllocate(K_CMSGSIZEMAX + 1, &body) == K_ETOOBIG)
        #expect(n.msgAllocate(1, nil) == K_EFAULT)
        var all: [VmAddr] = []
        while n.msgAllocate(K_CMSGSIZEMAX, &body) == K_OK { all.append(body) }
        #expect(all.count == Int(K_MSG_BODIESMAX / K_CMSGSIZEMAX))
        #expect(n.msgAllocate(1, &body) == K_ENOMEM)
        for body in all { #expect(n.msgFree(body) == K_OK) }
        #expect(n.msgAllocate(1, &body) == K_OK)
        #expect(n.msgFree(body + 1) == K_EUNKNOWN && n.msgFree(0) == K_EUNKNOWN && n.msgFree(.max) == K_EUNKNOWN)
        var size: UInt32 = 0
        #expect(n.msgTake(&body, &size) == K_ENOMSG)
    }
}
