import ActorKit
import CChorus
import Testing

@testable import NucleusCore

/// A user actor without privileges does nothing to what it holds no capability of, and makes only so much.
@Suite struct UnprivilegedTests {
    @Test func anothersSemaphoreIsNotItsOwn() {
        let bench = Bench()
        let (server, user) = (bench.actor().nucleus, bench.actor("user", K_USERACTOR).nucleus)
        var sem = KnSem()
        #expect(server.semInit(&sem, 1) == K_OK)
        #expect(user.semP(&sem, 0) == K_EPRIV)
        #expect(user.semV(&sem) == K_EPRIV)
        #expect(user.semDelete(&sem) == K_EPRIV)
        #expect(server.semP(&sem, 0) == K_OK)
    }

    @Test func noNameOfAServerIsTold() {
        let bench = Bench()
        let (server, user) = (bench.actor().nucleus, bench.actor("user", K_USERACTOR).nucleus)
        var group = KnCap()
        #expect(server.grpAllocate(K_STATSYS, &group, 7) == K_OK)
        var ui = KnUniqueId()
        #expect(user.grpName(7, &ui) == K_OK)
        #expect(ui.raw != group.ui.raw)
        var stats = [KnPortStat](repeating: KnPortStat(), count: 64)
        var count: UInt32 = 64
        #expect(user.portStat(&count, &stats) == 1)
        #expect(user.grpAllocate(K_STATSYS, &group, 7) == K_EPRIV)
    }

    @Test func groupsTakeItsOwnPortsOnly() {
        let bench = Bench()
        let (server, user) = (bench.actor().nucleus, bench.actor("user", K_USERACTOR).nucleus)
        var (theirs, own, group) = (server.newPort().ui, user.newPort().ui, KnCap())
        #expect(user.grpAllocate(K_STATUSER, &group, 7) == K_OK)
        #expect(user.grpPortInsert(&group, &theirs) == K_EPRIV)
        #expect(user.grpPortInsert(&group, &own) == K_OK)
        #expect(server.grpPortInsert(&group, &theirs) == K_OK)
        #expect(user.grpPortRemove(&group, &theirs) == K_EPRIV)
    }

    @Test func theThreadItRunsOnIsNotItsOwn() {
        let bench = Bench()
        let (server, user) = (bench.actor(), bench.actor("user", K_USERACTOR))
        // This host thread is at home in the server, as a client's is when a user actor's handler runs on it.
        #expect(server.nucleus.threadSelf() > 0)
        #expect(user.nucleus.threadSuspend(K_MYSELF) == K_EPRIV)
        #expect(user.nucleus.threadDelete(K_MYSELF) == K_EPRIV)
        #expect(server.nucleus.send(server.defaultPort.ui, "mine") == K_OK)
        #expect(server.nucleus.receive(K_DEFAULTPORT, delay: 0).text == "mine")
        #expect(user.nucleus.reply("not mine") == K_ENOMSG)
        #expect(user.nucleus.ipcSave() == K_ENOMSG)
    }

    @Test func whatItMakesIsBoundedAndGoesWithIt() {
        let bench = Bench()
        let user = bench.actor("user", K_USERACTOR)
        let nucleus = user.nucleus
        func most(_ make: () -> Int32) -> Int {
            var count = 0
            while count < 10_000, make() >= 0 { count += 1 }
            return count
        }
        var (cap, sem) = (KnCap(), KnSem())
        #expect(most { nucleus.actorCreate(nil, &cap, K_USERACTOR, K_ACTIVE, "child") } == Bound.actors)
        var child = cap
        #expect(nucleus.actorDelete(&child) == K_OK)
        #expect(nucleus.actorCreate(nil, &cap, K_USERACTOR, K_ACTIVE, "child") == K_ENOMEM)
        #expect(most { nucleus.sgCreate("s", 0, &cap) } == Bound.segments)
        #expect(most { nucleus.semInit(&sem, 0) } == Bound.semaphores)
        #expect(most { nucleus.eventCreate({ _, _ in K_OK }, nil, &cap) } == Bound.events)
        #expect(bench.site.deleteActor(user) == K_OK)
        #expect(bench.site.semaphores.all.isEmpty)
        #expect(bench.site.events.all.isEmpty)
        #expect(bench.site.segments.all.isEmpty)
        #expect(bench.site.allActors.allSatisfy { $0.privilege == K_SUPACTOR })
    }

    @Test func itsTraceIsNotTheNucleus() {
        let bench = Bench()
        let user = bench.actor("user", K_USERACTOR).nucleus
        #expect(user.sysTrace(K_TR_CALL, 0, 0) == K_EPRIV)
        #expect(user.sysTrace(K_TR_SERVER, 0, 0) == K_OK)
    }
}
