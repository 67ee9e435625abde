import ActorKit
import CChorus
import Testing

@testable import NucleusCore

/// What is kept for actors that nobody trusts goes away again.
@Suite struct ProcessTests {
    @Test func aGroupIsThereWhileItHasMembers() throws {
        let bench = Bench()
        let actor = bench.actor("user", K_USERACTOR)
        let cap = bench.site.newGroupCap()
        let port = try bench.site.createPort(actor)
        try bench.site.join(port, cap)
        #expect(throws: KnError.exists) { try bench.site.join(port, cap) }
        #expect(bench.site.groups.find(cap.ui.raw) != nil)
        var forged = cap
        forged.key.keyTail ^= 1
        #expect(throws: KnError.privilege) { try bench.site.join(port, forged) }
        forged.ui.uiTail ^= 1
        #expect(throws: KnError.unknown) { try bench.site.join(port, forged) }
        try bench.site.remove(port, bench.site.group(cap))
        #expect(bench.site.groups.all.isEmpty)
        try bench.site.join(port, cap)
        #expect(bench.site.deleteActor(actor) == K_OK)
        #expect(bench.site.groups.all.isEmpty)
    }

    @Test func aPortIsInSoManyGroups() throws {
        let bench = Bench()
        let port = try bench.site.createPort(bench.actor("user", K_USERACTOR))
        for _ in 0..<K_USR_GRPMAX { try bench.site.join(port, bench.site.newGroupCap()) }
        #expect(throws: KnError.noMemory) { try bench.site.join(port, bench.site.newGroupCap()) }
        #expect(bench.site.groups.all.count == Int(K_USR_GRPMAX))
    }

    @Test func groupsComeAndGoAtOnce() {
        let bench = Bench()
        let cap = bench.site.newGroupCap()
        let jobs = (0..<4).map { _ in
            bench.start {
                let actor = bench.actor("user", K_USERACTOR)
                guard let port = try? bench.site.createPort(actor) else { return -1 }
                for _ in 0..<2000 {
                    do throws(KnError) {
                        try bench.site.join(port, cap)
                        try bench.site.remove(port, bench.site.group(cap))
                    } catch {
                        return error.rawValue
                    }
                }
                return bench.site.deleteActor(actor)
            }
        }
        for job in jobs { #expect(job.result() == K_OK) }
        #expect(bench.site.groups.all.isEmpty)
    }

    @Test func aProcessKeepsOnlySoMuchMail() throws {
        let bench = Bench()
        let process = bench.actor("process", K_UNIXACTOR)
        let client = bench.actor().nucleus
        let body = [UInt8](repeating: 1, count: Int(K_CMSGSIZEMAX))
        var dest = KnIpcDest(target: process.defaultPort.ui, coTarget: KnUniqueId())
        for _ in 0..<40 { _ = client.ipcSend(0, &dest, 0, nil, body, UInt32(body.count)) }
        let kept = process.defaultPort.queue.count
        #expect(kept == 15)  // with their annexes sixteen are more than may be kept
        #expect(process.mail.now <= Int(K_USR_MSGMAX))
        bench.site.renounce(process, bench.site.threads.create(process))
        #expect(process.defaultPort.queue.isEmpty)
        #expect(process.mail.now == 0)
    }

    @Test func execKeepsTheDefaultPortOnly() throws {
        let bench = Bench()
        let process = bench.actor("process", K_UNIXACTOR)
        let port = try bench.site.createPort(process)
        let client = bench.actor()
        let waiting = bench.start { client.nucleus.call(port.ui).code }
        #expect(bench.untilBlocked(client, "ipcCall"))
        bench.site.renounce(process, bench.site.threads.create(process))
        #expect(waiting.result() == K_EPORTDELETED)
        #expect(client.nucleus.send(process.defaultPort.ui, "new program") == K_OK)
        #expect(process.defaultPort.queue.count == 1)
    }
}
