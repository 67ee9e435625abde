import ActorKit
import CChorus
import Glibc
import Synchronization
import Testing

@testable import NucleusCore

/// What threads are blocked on, since when, in whose code and for whom.
@Suite struct WaitTests {
    private static func stat(_ n: Nucleus, _ li: KnThreadLid) -> KnThreadStat2? {
        var count: UInt32 = 512
        var stats = [KnThreadStat2](repeating: KnThreadStat2(), count: 512)
        guard n.threadStat2(&count, &stats) >= 0 else { return nil }
        return stats.prefix(Int(count)).first { $0.li == li }
    }

    private static func text<Field>(_ field: Field) -> String {
        withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    /// Starts `body` on a thread; what is said of that thread once it blocks in `call`, and how to wait for its end.
    private static func blocked(
        _ bench: Bench, _ actor: Actor, _ call: String, _ body: @escaping @Sendable () -> Int32
    ) -> (stat: KnThreadStat2?, job: Job) {
        let box = Box(0)
        let before = bench.host.now()
        let job = bench.start {
            box.value.store(actor.nucleus.threadSelf(), ordering: .sequentiallyConsistent)
            return body()
        }
        var found: KnThreadStat2?
        let came = eventually {
            let li = box.value.load(ordering: .sequentiallyConsistent)
            guard li != 0, let stat = stat(actor.nucleus, li), text(stat.blockedOn) == call else { return false }
            found = stat
            return true
        }
        #expect(came, "\(call)")
        if let found {
            #expect(found.status == K_TH_BLOCKED, "\(call)")
            #expect(found.blockedSince >= before && found.blockedSince <= bench.host.now(), "\(call)")
            #expect(found.caller.raw == actor.cap.ui.raw, "\(call)")
        }
        return (found, job)
    }

    private final class Box: Sendable {
        let value: Atomic<KnThreadLid>
        init(_ value: KnThreadLid) { self.value = Atomic(value) }
    }

    @Test func everyWaitSaysWhatItIs() {
        let bench = Bench()
        let (server, actor) = (bench.actor("server"), bench.actor("waiter"))
        let n = actor.nucleus
        var jobs: [Job] = []
        func wait(_ call: String, _ body: @escaping @Sendable () -> Int32) -> KnThreadStat2? {
            let (stat, job) = Self.blocked(bench, actor, call, body)
            jobs.append(job)
            return stat
        }
        var sem = KnSem()
        #expect(n.semInit(&sem, 0) == K_OK)
        let semaphore = sem
        _ = wait("semP") {
            var sem = semaphore
            return n.semP(&sem, -1)
        }
        _ = wait("threadDelay") { n.threadDelay(-1) }
        _ = wait("threadDelayNs") { n.threadDelayNs(1 << 60) }
        let idle = n.newPort()
        _ = wait("ipcReceive") { n.receive(idle.li).code }
        // On whose behalf: the server's thread works on the request of the one that waits for it.
        let port = server.nucleus.newPort()
        let worker = Box(0)
        let serving = bench.start {
            worker.value.store(server.nucleus.threadSelf(), ordering: .sequentiallyConsistent)
            guard server.nucleus.receive(port.li).code >= 0 else { return -1 }
            return server.nucleus.threadDelay(-1)
        }
        let client = wait("ipcCall") { n.call(port.ui, "x").code }
        #expect(bench.untilBlocked(server, "threadDelay"))
        let busy = Self.stat(n, worker.value.load(ordering: .sequentiallyConsistent))
        #expect(busy?.client == client?.li && busy.map { Self.text($0.blockedOn) } == "threadDelay")
        // Who has what it waits for.
        var made = KnMutex()
        #expect(n.mutexInit(&made) == K_OK)
        let mutex = made
        let owner = Box(0)
        let owning = bench.start {
            owner.value.store(n.threadSelf(), ordering: .sequentiallyConsistent)
            var mutex = mutex
            guard n.mutexGet(&mutex) == K_OK else { return -1 }
            return n.threadDelayNs(1 << 61)
        }
        #expect(bench.untilBlocked(actor, "threadDelayNs", count: 2))
        let waiter = wait("mutexGet") {
            var mutex = mutex
            return n.mutexGet(&mutex)
        }
        #expect(waiter?.mutexOwner == owner.value.load(ordering: .sequentiallyConsistent))
        // In a handler: at home here, in the code of the server.
        #expect(
            server.nucleus.svTrapConnect(
                9,
                { cookie, _ in
                    guard let cookie else { return K_EFAULT }
                    let actor = Unmanaged<Actor>.fromOpaque(cookie).takeUnretainedValue()
                    return actor.nucleus.threadDelay(-1)
                }, Unmanaged.passUnretained(server).toOpaque()) == K_OK)
        let raiser = Box(0)
        let raising = bench.start {
            raiser.value.store(n.threadSelf(), ordering: .sequentiallyConsistent)
            return n.trapRaise(9, 0, [0, 0, 0, 0, 0, 0])
        }
        #expect(
            eventually {
                let stat = Self.stat(n, raiser.value.load(ordering: .sequentiallyConsistent))
                return stat?.caller.raw == server.cap.ui.raw && stat?.actor.raw == actor.cap.ui.raw
            })
        // Nucleus threads that have nothing to do say so.
        _ = actor.nucleus.svIntrTrigger(3)
        #expect(eventually { bench.site.threads.all.contains { $0.name == "kn-interrupt" && $0.blockedOn == "idle" } })
        bench.site.deleteActor(server)
        bench.site.deleteActor(actor)
        // The mutex has come to who waited for it: its owner has gone.
        for job in jobs { #expect(job.result() != K_OK) }
        for job in [serving, owning, raising] { #expect(job.result() < 0) }
    }

    @Test func newThreadsHaveTheirMakersSchedule() {
        let bench = Bench()
        let actor = bench.actor()
        let n = actor.nucleus
        var usual = KnThreadSched()
        #expect(n.threadScheduler(K_MYSELF, &usual, nil) == K_OK)
        let wished = KnThreadSched(policy: K_SCHED_OTHER, priority: 200, hostPolicy: 0, hostPriority: 0)
        let job = bench.start {
            var wish = wished
            guard n.threadScheduler(K_MYSELF, nil, &wish) == K_OK else { return -1 }
            var li: KnThreadLid = 0
            let started = n.threadCreate(
                { cookie in
                    guard let cookie else { return }
                    let actor = Unmanaged<Actor>.fromOpaque(cookie).takeUnretainedValue()
                    _ = actor.nucleus.threadDelay(-1)
                }, Unmanaged.passUnretained(actor).toOpaque(), 0, "child", &li)
            return started < 0 ? started : li
        }
        let child = job.result()
        #expect(child > 0)
        #expect(bench.untilBlocked(actor, "threadDelay"))
        var now = KnThreadSched()
        #expect(n.threadScheduler(child, &now, nil) == K_OK)
        #expect(now.policy == K_SCHED_OTHER && now.priority == 200 && now.hostPriority > 0)
        bench.site.deleteActor(actor)
    }

    @Test func interruptsRunAtARealTimePriorityWhereTheHostAllows() {
        let bench = Bench()
        let n = bench.actor().nucleus
        let handler: KnIntrHdl = { _, _ in K_INTR_CLAIMED }
        #expect(n.svIntrConnect(3, 0, handler, nil) > 0 && n.svIntrTrigger(3) == K_OK)
        #expect(eventually { bench.site.threads.all.contains { $0.name == "kn-interrupt" && $0.blockedOn == "idle" } })
        let thread = bench.site.threads.all.first { $0.name == "kn-interrupt" }
        let schedule = thread?.schedule()
        #expect(schedule?.policy == K_SCHED_FIFO)
        #expect(schedule?.hostPolicy == K_SCHED_FIFO || schedule?.hostPolicy == K_SCHED_OTHER)
        print("interrupt threads: host policy \(schedule?.hostPolicy ?? -1), priority \(schedule?.hostPriority ?? -1)")
    }
}
