import ActorKit
import CChorus
import Glibc
import MachineLinux
import Synchronization
import Testing

@testable import NucleusCore

@Suite struct ActorTests {
    @Test func capabilitiesAreChecked() {
        let bench = Bench()
        let (one, two) = (bench.actor("one"), bench.actor("two"))
        var mine = KnCap()
        #expect(one.nucleus.actorSelf(&mine) == K_OK)
        #expect(mine.ui == one.cap.ui && mine.key == one.cap.key)
        var forged = KnCap(ui: one.cap.ui, key: two.cap.key)
        #expect(two.nucleus.actorDelete(&forged) == K_EPRIV)
        #expect(two.nucleus.portCreate(&forged, nil) == K_EPRIV)
        forged.ui = bench.site.newUi(.actor)
        #expect(two.nucleus.actorDelete(&forged) == K_EUNKNOWN)
        #expect(two.nucleus.actorDelete(&mine) == K_OK)
        #expect(two.nucleus.actorDelete(&mine) == K_EUNKNOWN)
        #expect(one.nucleus.newPort().li == K_EDEADACTOR)
        #expect(one.nucleus.call(two.defaultPort.ui).code == K_EDEADACTOR)
    }

    @Test func privilegeIsNeeded() {
        let bench = Bench()
        let user = bench.actor("user", K_USERACTOR)
        var cap = KnCap()
        #expect(user.nucleus.actorCreate(nil, &cap, K_SUPACTOR, K_ACTIVE, "x") == K_EPRIV)
        #expect(user.nucleus.actorCreate(nil, &cap, K_UNIXACTOR, K_ACTIVE, "x") == K_EPRIV)
        #expect(user.nucleus.actorCreate(nil, &cap, K_USERACTOR, K_ACTIVE, "x") == K_OK)
        #expect(user.nucleus.actorCreate(nil, &cap, 17, K_ACTIVE, "x") == K_EINVAL)
        #expect(user.nucleus.sysShutdown(0) == K_EPRIV)
        #expect(user.nucleus.svTrapConnect(0x80, nil, nil) == K_EPRIV)
        #expect(user.nucleus.svMsgHandler(0, Probe.handler, nil) == K_EPRIV)
        // No machine layer here.
        let supervisor = bench.actor()
        #expect(supervisor.nucleus.actorCreate(nil, &cap, K_UNIXACTOR, K_ACTIVE, "x") == K_ENOSYS)
        #expect(supervisor.nucleus.svTrapDisConnect(0x80) == K_ENOSYS)
    }

    @Test func deletionFreesEverything() {
        let bench = Bench()
        let (actor, other) = (bench.actor(), bench.actor())
        let nucleus = actor.nucleus
        let port = nucleus.newPort()
        var (sem, segment) = (KnSem(), KnCap())
        _ = nucleus.semInit(&sem, 0)
        _ = nucleus.sgCreate("s", 10, &segment)
        var event = nucleus.newEvent(nil) { _, _ in K_OK }
        bench.site.deleteActor(actor)
        #expect(other.nucleus.call(port.ui).code == K_EUNKNOWN)
        #expect(other.nucleus.semV(&sem) == K_EUNKNOWN)
        #expect(other.nucleus.eventPost(&event.ui, 1) == K_EUNKNOWN)
        var stat = KnSgStat()
        #expect(other.nucleus.sgStat(&segment, &stat) == K_EUNKNOWN)
    }

    @Test func serverThreads() {
        let bench = Bench()
        let actor = bench.actor()
        let note = Note()
        var li: KnThreadLid = 0
        let entry: KnThreadHdl = { argument in
            guard let argument else { return }
            let note = Unmanaged<Note>.fromOpaque(argument).takeUnretainedValue()
            note.value.store(1, ordering: .releasing)
        }
        let argument = Unmanaged.passUnretained(note).toOpaque()
        #expect(actor.nucleus.threadCreate(entry, argument, 0, "worker", &li) == K_OK)
        #expect(li > 0)
        #expect(eventually { note.value.load(ordering: .acquiring) == 1 })
        #expect(eventually { bench.site.threads.find(li) == nil })
        // A stopped actor's thread waits until the actor is started.
        note.value.store(0, ordering: .releasing)
        #expect(actor.nucleus.actorStop(nil) == K_OK)
        #expect(actor.nucleus.threadCreate(entry, argument, 0, "worker", &li) == K_OK)
        usleep(2000)
        #expect(note.value.load(ordering: .acquiring) == 0)
        #expect(actor.nucleus.actorStart(nil) == K_OK)
        #expect(eventually { note.value.load(ordering: .acquiring) == 1 })
        #expect(actor.nucleus.threadCreate(nil, nil, 0, "x", &li) == K_EFAULT)
        actor.limits = ActorLimits(threads: 1)
        _ = actor.nucleus.threadSelf()
        bench.host.injectFaults(nil) { _, call in call == 0 ? EAGAIN : 0 }
        actor.limits = ActorLimits()
        #expect(actor.nucleus.threadCreate(entry, argument, 0, "x", &li) == K_ENOMEM)
        bench.host.injectFaults(nil, nil)
    }

    final class Note: Sendable { let value = Atomic<Int>(0) }

    @Test func listings() {
        let bench = Bench()
        let actor = bench.actor("lister")
        let port = actor.nucleus.newPort()
        var actors = [KnActorStat](repeating: KnActorStat(), count: 8)
        var count: UInt32 = 8
        #expect(actor.nucleus.actorStat(&count, &actors) == 2)
        #expect(count == 2)
        let mine = actors.prefix(2).first { $0.cap.ui == actor.cap.ui }
        #expect(mine?.ports == 2)
        #expect(mine?.name.0 == CChar(UInt8(ascii: "l")))
        var ports = [KnPortStat](repeating: KnPortStat(), count: 1)
        count = 1
        #expect(actor.nucleus.portStat(&count, &ports) == 4)  // with the nucleus' own two
        #expect(count == 1)
        _ = actor.nucleus.send(port.ui, "x")
        ports = [KnPortStat](repeating: KnPortStat(), count: 8)
        count = 8
        _ = actor.nucleus.portStat(&count, &ports)
        #expect(ports.first { $0.ui == port.ui }?.queued == 1)
        // Keys are not shown to everyone.
        count = 8
        _ = bench.actor("user", K_USERACTOR).nucleus.actorStat(&count, &actors)
        #expect(actors.first { $0.cap.ui == actor.cap.ui }?.cap.key.raw == 0)
        #expect(actor.nucleus.actorStat(nil, nil) == K_EFAULT)
    }

    @Test func shutdownEndsTheWait() {
        let bench = Bench()
        let waiting = bench.start { bench.site.waitShutdown() }
        #expect(bench.actor().nucleus.sysShutdown(42) == K_OK)
        #expect(bench.actor().nucleus.sysShutdown(43) == K_OK)
        #expect(waiting.result() == 42)
    }

    @Test func blackBoxKeepsTheLastEvents() {
        let bench = Bench()
        let nucleus = bench.actor().nucleus
        for i in 0..<5000 { _ = nucleus.sysTrace(0x1000, UInt64(i), 7) }
        let entries = bench.site.trace.entries
        #expect(entries.count == TraceRing.capacity)
        #expect(entries.last?.value.0 == 4999)
        #expect(entries.allSatisfy { $0.kind == 0x1000 && $0.value.1 == 7 })
        #expect(zip(entries, entries.dropFirst()).allSatisfy { $0.value.0 + 1 == $1.value.0 && $0.time <= $1.time })
    }

    @Test func twoSitesInOneProcess() {
        let (one, two) = (Bench(number: 1), Bench(number: 2))
        let (a, b) = (one.actor(), two.actor())
        #expect(a.nucleus.threadSelf() > 0)
        #expect(b.nucleus.threadSelf() > 0)
        #expect(Thread.current(one.site) !== Thread.current(two.site))
        #expect(a.nucleus.call(b.defaultPort.ui).code == K_EUNKNOWN)
    }

    @Test func foreignThreadsAreForgottenWhenTheyEnd() {
        let bench = Bench()
        let actor = bench.actor()
        let li = bench.start { actor.nucleus.threadSelf() }.result()
        #expect(li > 0)
        #expect(eventually { bench.site.threads.find(li) == nil })
    }
}

@Suite struct PrivilegeTests {
    @Test func userAndSystemChangePlaces() {
        let bench = Bench()
        let (chief, user) = (bench.actor("chief"), bench.actor("user", K_USERACTOR))
        var (cap, old, system, usual, supervisor) = (user.cap, Int32(-1), K_SYSACTOR, K_USERACTOR, K_SUPACTOR)
        #expect(user.nucleus.actorPrivilege(nil, nil, &system) == K_EPRIV)
        #expect(chief.nucleus.actorPrivilege(&cap, &old, nil) == K_OK && old == K_USERACTOR)
        #expect(chief.nucleus.actorPrivilege(&cap, nil, &supervisor) == K_EINVAL)
        #expect(chief.nucleus.actorPrivilege(nil, nil, &usual) == K_EINVAL, "a supervisor stays one")
        #expect(chief.nucleus.actorPrivilege(&cap, &old, &system) == K_OK && old == K_USERACTOR)
        #expect(user.isPrivileged && user.privilege == K_SYSACTOR)
        #expect(user.nucleus.actorPrivilege(nil, &old, &usual) == K_OK && old == K_SYSACTOR)
        #expect(!user.isPrivileged)
        var wrong = KnCap(ui: cap.ui, key: KnKey())
        #expect(chief.nucleus.actorPrivilege(&wrong, &old, nil) == K_EPRIV)
    }
}
