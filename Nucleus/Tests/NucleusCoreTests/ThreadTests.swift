import ActorKit
import CChorus
import Glibc
import MachineLinux
import Synchronization
import Testing

@testable import NucleusCore

@Suite struct ThreadTests {
    private func sched(_ policy: Int32, _ priority: Int32) -> KnThreadSched {
        KnThreadSched(policy: policy, priority: priority, hostPolicy: 0, hostPriority: 0)
    }

    private func stat(_ n: Nucleus, _ li: KnThreadLid) -> KnThreadStat2? {
        var count: UInt32 = 512
        var stats = [KnThreadStat2](repeating: KnThreadStat2(), count: 512)
        guard n.threadStat2(&count, &stats) >= 0 else { return nil }
        return stats.prefix(Int(count)).first { $0.li == li }
    }

    private func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }

    private func text<Field>(_ field: Field) -> String {
        withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    /// On a thread of its own, so that nothing of it stays with the test's.
    @Test func schedules() {
        let bench = Bench()
        let actor = bench.actor()
        let done = bench.start {
            let n = actor.nucleus
            var old = KnThreadSched()
            guard n.threadScheduler(K_MYSELF, &old, nil) == K_OK, old.policy == K_SCHED_OTHER,
                old.priority == K_SCHED_USUAL
            else { return 1 }
            for wrong in [(3, 0), (-1, 0), (K_SCHED_FIFO, -1), (K_SCHED_RR, 256)] as [(Int32, Int32)] {
                var wish = self.sched(wrong.0, wrong.1)
                guard n.threadScheduler(K_MYSELF, nil, &wish) == K_EINVAL else { return 2 }
            }
            var wish = self.sched(K_SCHED_OTHER, 200)
            guard n.threadScheduler(K_MYSELF, nil, &wish) == K_OK, n.threadScheduler(K_MYSELF, &old, nil) == K_OK,
                old.priority == 200, old.hostPolicy == K_SCHED_OTHER, old.hostPriority == 11,
                getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0) == 11
            else { return 3 }
            return 0
        }
        #expect(done.result() == 0)
    }

    /// What the host refuses is reported, and what it grants as well.
    @Test(arguments: [true, false]) func realTime(_ refused: Bool) {
        let bench = Bench()
        let actor = bench.actor()
        if refused { bench.host.injectFaults(nil) { _, call in call == 0 ? 0 : EPERM } }
        let done = bench.start {
            let n = actor.nucleus
            var (wish, now) = (self.sched(K_SCHED_FIFO, K_SCHED_BEST), KnThreadSched())
            guard n.threadScheduler(K_MYSELF, nil, &wish) == K_OK, n.threadScheduler(K_MYSELF, &now, nil) == K_OK
            else { return 1 }
            guard now.policy == K_SCHED_FIFO, now.priority == K_SCHED_BEST else { return 2 }
            let real = sched_getscheduler(0) & ~0x4000_0000
            guard now.hostPolicy == (real == SCHED_FIFO ? K_SCHED_FIFO : K_SCHED_OTHER) else { return 3 }
            if refused, now.hostPolicy != K_SCHED_OTHER { return 4 }
            if real == SCHED_FIFO, now.hostPriority != 90 { return 5 }
            return 0
        }
        #expect(done.result() == 0)
        bench.host.injectFaults(nil, nil)
    }

    @Test func whoMaySchedule() {
        let bench = Bench()
        let (user, other) = (bench.actor("user", K_USERACTOR), bench.actor("other"))
        let job = bench.start { other.nucleus.threadDelay(-1) }
        #expect(bench.untilBlocked(other, "threadDelay"))
        let li = bench.site.threads.all.first { $0.blockedOn == "threadDelay" }?.li ?? 0
        let done = bench.start {
            let n = user.nucleus
            var (better, worse) = (self.sched(K_SCHED_OTHER, 127), self.sched(K_SCHED_OTHER, 129))
            if n.threadScheduler(K_MYSELF, nil, &better) != K_EPRIV { return 1 }
            if n.threadScheduler(K_MYSELF, nil, &worse) != K_OK { return 2 }
            if n.threadScheduler(li, nil, &worse) != K_EPRIV { return 3 }
            if n.threadName(li, nil, "mine") != K_EPRIV { return 4 }
            if n.threadStop(li) != K_EPRIV { return 5 }
            return n.threadScheduler(0x7fff_fff0, nil, nil) == K_EUNKNOWN ? 0 : 6
        }
        #expect(done.result() == 0)
        #expect(other.nucleus.threadAbort(li) == K_OK)
        #expect(job.result() == K_EABORT)
    }

    @Test func names() {
        let bench = Bench()
        let n = bench.actor().nucleus
        let me = n.threadSelf()
        var old = [CChar](repeating: 1, count: 32)
        #expect(n.threadName(K_MYSELF, &old, "a name that is longer than thirty-one bytes") == K_OK)
        #expect(n.threadName(me, &old, nil) == K_OK)
        #expect(text(old.map(UInt8.init).prefix { $0 != 0 }) == "a name that is longer than thir")
        #expect(stat(n, me).map { text($0.name) } == "a name that is longer than thir")
    }

    @Test func stopsDoNotCount() {
        let bench = Bench()
        let actor = bench.actor()
        let n = actor.nucleus
        let (port, client) = (n.newPort(), bench.actor("client"))
        let server = bench.serve(actor, port.li, "")
        #expect(bench.untilBlocked(actor, "ipcReceive"))
        let li = bench.site.threads.all.first { $0.blockedOn == "ipcReceive" }?.li ?? 0
        for _ in 0..<2 { #expect(n.threadStop(li) == K_OK) }
        // It got the request, and goes no further.
        let call = bench.start { client.nucleus.call(port.ui, "x").code }
        #expect(bench.untilBlocked(client, "ipcCall"))
        #expect(eventually { stat(n, li)?.status == K_TH_STOPPED })
        #expect(!call.isDone)
        #expect(n.threadStart(li) == K_OK)
        #expect(call.result() == K_OK)
        #expect(n.threadStart(li) == K_OK, "it runs already")
        #expect(bench.untilBlocked(actor, "ipcReceive"))
        #expect(n.portDelete(nil, port.li) == K_OK)
        #expect(server.result() == K_EPORTDELETED)
    }

    /// A client's thread is held in the handler of an actor: the end of that actor does not wait for ever.
    @Test func deletionLetsGoWhoIsHeldInsideAHandler() {
        let bench = Bench()
        let (client, server) = (bench.actor("client"), bench.actor("server"))
        let port = server.nucleus.newPort()
        let probe = Probe()
        var sem = KnSem()
        _ = server.nucleus.semInit(&sem, 0)
        let shared = sem
        probe.action = { _ in
            var sem = shared
            return server.nucleus.semP(&sem, -1) | server.nucleus.semP(&sem, -1)
        }
        withExtendedLifetime(probe) {
            #expect(server.nucleus.svMsgHandler(port.li, Probe.handler, probe.cookie) == K_OK)
            let call = bench.start { client.nucleus.call(port.ui).code }
            #expect(bench.untilBlocked(client, "semP"))
            let li = bench.site.threads.all.first { $0.blockedOn == "semP" }?.li ?? 0
            #expect(client.nucleus.threadSuspend(li) == K_OK)
            #expect(server.nucleus.semV(&sem) == K_OK)
            #expect(eventually { bench.site.threads.find(li)?.stat().status == K_TH_STOPPED })
            #expect(bench.site.deleteActor(server) == K_OK)
            #expect(call.result() < 0)
        }
    }

    @Test func dataOfEachThread() {
        let bench = Bench()
        let (actor, other) = (bench.actor(), bench.actor("other"))
        let n = actor.nucleus
        let key = n.ptdKeyCreate()
        #expect(key > 0)
        var value: UInt64 = 9
        #expect(n.ptdGet(key, &value) == K_OK && value == 0)
        #expect(n.ptdSet(key, 77) == K_OK)
        let elsewhere = bench.start {
            var value: UInt64 = 9
            if n.ptdGet(key, &value) != K_OK || value != 0 { return 1 }
            if n.ptdSet(key, 5) != K_OK || n.ptdGet(key, &value) != K_OK || value != 5 { return 2 }
            return 0
        }
        #expect(elsewhere.result() == 0)
        #expect(n.ptdGet(key, &value) == K_OK && value == 77)
        // A key means nothing to another actor.
        #expect(other.nucleus.ptdGet(key, &value) == K_EUNKNOWN)
        #expect(other.nucleus.ptdSet(key, 1) == K_EUNKNOWN)
        #expect(n.ptdGet(key, nil) == K_EFAULT)
        #expect(n.ptdKeyDelete(key) == K_OK)
        #expect(n.ptdGet(key, &value) == K_EUNKNOWN)
        #expect(n.ptdKeyDelete(key) == K_EUNKNOWN)
        // A key made later does not see what was there.
        let next = n.ptdKeyCreate()
        #expect(n.ptdGet(next, &value) == K_OK && value == 0)
        // Keys come and go without the thread's data growing.
        for round in 0..<500 {
            let key = n.ptdKeyCreate()
            #expect(n.ptdSet(key, UInt64(round + 1)) == K_OK)
            #expect(n.ptdKeyDelete(key) == K_OK)
        }
        #expect(Thread.current(bench.site, in: actor).data.count <= Int(K_PTDKEYMAX))
        var keys = [next]
        while let key = Optional(n.ptdKeyCreate()), key > 0 { keys.append(key) }
        #expect(keys.count == Int(K_PTDKEYMAX))
        #expect(n.ptdKeyCreate() == K_ENOMEM)
    }

    /// A client waits for a server, which waits for another: each says for whom.
    @Test func onWhoseBehalf() {
        let bench = Bench()
        let (client, middle, last) = (bench.actor("client"), bench.actor("middle"), bench.actor("last"))
        let (near, far) = (middle.nucleus.newPort(), last.nucleus.newPort())
        let serving = bench.start {
            let got = middle.nucleus.receive(near.li)
            let answer = middle.nucleus.call(far.ui, got.text)
            return answer.code | middle.nucleus.reply(answer.reply)
        }
        #expect(bench.untilBlocked(middle, "ipcReceive"))
        let calling = bench.start { client.nucleus.call(near.ui, "x").code }
        #expect(bench.untilBlocked(middle, "ipcCall"))
        let threads = bench.site.threads.all
        let server = threads.first { $0.actor === middle && $0.blockedOn == "ipcCall" }?.li ?? 0
        let caller = threads.first { $0.actor === client }?.li ?? 0
        let seen = stat(client.nucleus, server)
        #expect(seen?.client == caller && seen?.status == K_TH_BLOCKED)
        #expect(seen.map { text($0.blockedOn) } == "ipcCall")
        #expect(seen.map { $0.blockedSince > 0 && $0.hostThread > 0 } == true)
        #expect(seen.map { $0.caller.raw } == middle.cap.ui.raw)
        #expect(stat(client.nucleus, caller)?.client == 0)
        let end = bench.start { last.nucleus.receive(far.li).code | last.nucleus.reply("y") }
        #expect(end.result() == K_OK || end.result() == far.li)
        #expect(serving.result() == K_OK)
        #expect(calling.result() == K_OK)
    }

    @Test func theOwnerOfAMutexIsNamed() {
        let bench = Bench()
        let actor = bench.actor()
        let n = actor.nucleus
        var mutex = KnMutex()
        _ = n.mutexInit(&mutex)
        #expect(n.mutexGet(&mutex) == K_OK)
        let shared = mutex
        let waiting = bench.start {
            var mutex = shared
            return n.mutexGet(&mutex) | n.mutexRel(&mutex)
        }
        #expect(bench.untilBlocked(actor, "mutexGet"))
        let li = bench.site.threads.all.first { $0.blockedOn == "mutexGet" }?.li ?? 0
        #expect(stat(n, li)?.mutexOwner == n.threadSelf())
        #expect(n.mutexRel(&mutex) == K_OK)
        #expect(waiting.result() == K_OK)
    }

    @Test func invokers() {
        let bench = Bench()
        let (client, server) = (bench.actor("client"), bench.actor("server"))
        let port = server.nucleus.newPort()
        let probe = Probe()
        let seen = Mutex<[UInt64]>([])
        withExtendedLifetime(probe) {
            probe.action = { _ in
                var cap = KnCap()
                let code = server.nucleus.svGetInvoker(&cap)
                seen.withLock { $0.append(code == K_OK ? cap.ui.raw : 0) }
                return K_OK
            }
            #expect(server.nucleus.svMsgHandler(port.li, Probe.handler, probe.cookie) == K_OK)
            #expect(client.nucleus.call(port.ui).code == K_OK)
            // Asynchronously, on a thread of the nucleus.
            #expect(client.nucleus.send(port.ui, "") == K_OK)
            #expect(eventually { seen.withLock { $0.count } == 2 })
            #expect(seen.withLock { $0 } == [client.cap.ui.raw, client.cap.ui.raw])
            var cap = KnCap()
            #expect(server.nucleus.svGetInvoker(&cap) == K_EINVAL, "in no handler")
            #expect(bench.actor("user", K_USERACTOR).nucleus.svGetInvoker(&cap) == K_EPRIV)
            #expect(server.nucleus.svMsgHandler(port.li, nil, nil) == K_OK)
        }
    }
}
