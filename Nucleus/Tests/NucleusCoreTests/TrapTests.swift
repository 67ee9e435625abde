import ActorKit
import CChorus
import Glibc
import Synchronization
import Testing

@testable import NucleusCore

/// General handlers of traps; specific ones are bound by signature, which needs the lanes (KnLaneTests).
@Suite struct TrapTests {
    private final class Owner: @unchecked Sendable {  // Sendable: atomics, and what is set before it is connected.
        let inside = Atomic<Int>(0)
        let hold = Atomic<Bool>(false)
        var action: (@Sendable () -> Int32)?
        var cookie: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

        static let handler: KnTrapHdl = { cookie, frame in
            guard let cookie, let frame else { return K_EFAULT }
            let owner = Unmanaged<Owner>.fromOpaque(cookie).takeUnretainedValue()
            owner.inside.wrappingAdd(1, ordering: .sequentiallyConsistent)
            defer { owner.inside.wrappingSubtract(1, ordering: .sequentiallyConsistent) }
            while owner.hold.load(ordering: .sequentiallyConsistent) { usleep(100) }
            frame.pointee.result = Int64(frame.pointee.args.0) * 2
            return owner.action?() ?? K_OK
        }
    }
    private static let words: [UInt64] = [21, 0, 0, 0, 0, 0]

    @Test func aTrapHasOneOwner() {
        let bench = Bench()
        let (server, other, user) = (bench.actor(), bench.actor(), bench.actor("user", K_USERACTOR))
        let owner = Owner()
        var result: Int64 = 0
        #expect(user.nucleus.trapRaise(9, 0, Self.words) == K_EUNKNOWN)
        #expect(user.nucleus.svTrapConnect(9, Owner.handler, owner.cookie) == K_EPRIV)
        #expect(server.nucleus.svTrapConnect(9, Owner.handler, owner.cookie) == K_OK)
        #expect(other.nucleus.svTrapConnect(9, Owner.handler, owner.cookie) == K_EBUSY)
        #expect(other.nucleus.svTrapDisConnect(9) == K_EPRIV)
        // Anybody may raise it.
        #expect(user.nucleus.trapRaise(9, 0, Self.words, &result) == K_OK && result == 42)
        #expect(user.nucleus.trapRaise(9, 0, nil) == K_EFAULT)
        #expect(server.nucleus.svTrapDisConnect(9) == K_OK)
        #expect(server.nucleus.svTrapDisConnect(9) == K_EUNKNOWN)
        #expect(user.nucleus.trapRaise(9, 0, Self.words) == K_EUNKNOWN)
        #expect(server.nucleus.svTrapConnect(K_TRAPMAX, Owner.handler, nil) == K_EINVAL)
        #expect(server.nucleus.svTrapConnect(9, nil, nil) == K_EFAULT)
        var entry = KnTrapEntry()
        #expect(server.nucleus.svTrapTable(9, &entry, 1, nil) == K_ENOSYS, "nobody binds here")
    }

    @Test func theHandlerKnowsWhoRaisedIt() {
        let bench = Bench()
        let (server, client, owner) = (bench.actor(), bench.actor(), Owner())
        let seen = Mutex(KnCap())
        owner.action = {
            var cap = KnCap()
            let code = server.nucleus.svGetInvoker(&cap)
            seen.withLock { $0 = cap }
            return code
        }
        _ = server.nucleus.svTrapConnect(9, Owner.handler, owner.cookie)
        #expect(client.nucleus.trapRaise(9, 0, Self.words) == K_OK)
        seen.withLock { #expect($0.ui.raw == client.cap.ui.raw) }
        owner.action = { K_PARKED }
        #expect(client.nucleus.trapRaise(9, 0, Self.words) == K_EINVAL)
    }

    @Test func disconnectWaitsForWhoIsInside() {
        let bench = Bench()
        let (server, client, owner) = (bench.actor(), bench.actor(), Owner())
        owner.hold.store(true, ordering: .sequentiallyConsistent)
        _ = server.nucleus.svTrapConnect(9, Owner.handler, owner.cookie)
        let call = bench.start { client.nucleus.trapRaise(9, 0, Self.words) }
        #expect(eventually { owner.inside.load(ordering: .sequentiallyConsistent) == 1 })
        let disconnect = bench.start {
            let code = server.nucleus.svTrapDisConnect(9)
            return owner.inside.load(ordering: .sequentiallyConsistent) == 0 ? code : -1
        }
        #expect(eventually { bench.site.traps.find(9) == nil })
        #expect(!disconnect.isDone && client.nucleus.trapRaise(9, 0, Self.words) == K_EUNKNOWN)
        owner.hold.store(false, ordering: .sequentiallyConsistent)
        #expect(disconnect.result() == K_OK && call.result() == K_OK)
    }

    @Test func aHandlerMayDisconnectItself() {
        let bench = Bench()
        let (server, client, owner) = (bench.actor(), bench.actor(), Owner())
        owner.action = { server.nucleus.svTrapDisConnect(9) }
        _ = server.nucleus.svTrapConnect(9, Owner.handler, owner.cookie)
        #expect(client.nucleus.trapRaise(9, 0, Self.words) == K_OK)
        #expect(client.nucleus.trapRaise(9, 0, Self.words) == K_EUNKNOWN)
    }

    @Test func aDeletedOwnerLetsGo() {
        let bench = Bench()
        let (server, client, owner) = (bench.actor(), bench.actor(), Owner())
        owner.action = { server.nucleus.threadDelay(-1) }
        _ = server.nucleus.svTrapConnect(9, Owner.handler, owner.cookie)
        let call = bench.start { client.nucleus.trapRaise(9, 0, Self.words) }
        #expect(bench.untilBlocked(client, "threadDelay"))
        bench.site.deleteActor(server)
        #expect(call.result() == K_EDEADSERVER)
        #expect(client.nucleus.trapRaise(9, 0, Self.words) == K_EUNKNOWN)
        #expect(server.nucleus.svTrapConnect(9, Owner.handler, owner.cookie) == K_EDEADACTOR)
        #expect(bench.actor().nucleus.svTrapConnect(9, Owner.handler, owner.cookie) == K_OK)
    }

    @Test func aRaiserCanBeAborted() {
        let bench = Bench()
        let (server, client, owner) = (bench.actor(), bench.actor(), Owner())
        owner.action = { server.nucleus.threadDelay(-1) }
        _ = server.nucleus.svTrapConnect(9, Owner.handler, owner.cookie)
        let li = Mutex<KnThreadLid>(0)
        let call = bench.start {
            li.withLock { $0 = client.nucleus.threadSelf() }
            return client.nucleus.trapRaise(9, 0, Self.words)
        }
        #expect(bench.untilBlocked(client, "threadDelay"))
        #expect(client.nucleus.threadAbort(li.withLock { $0 }) == K_OK)
        #expect(call.result() == K_EABORT)
    }
}
