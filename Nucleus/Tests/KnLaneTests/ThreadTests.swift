import CChorus
import Glibc
import Testing

/// Threads, mutexes and timers as a server uses them, in both privileges.
@Suite(.serialized) struct ServerThreadTests {
    private func ask(_ booted: BootedSite, _ letter: StaticString) -> UInt32? {
        let answer = booted.call(letter.withUTF8Buffer { Array($0) })
        guard answer.code == K_OK, answer.reply.count == 4 else { return nil }
        return answer.reply.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
    }

    /// The server's thread has begun, and has its mutex.
    private func load(_ privilege: Int32) throws -> BootedSite {
        let object = try #require(Fixture.threads, "cc builds the test server")
        let booted = try BootedSite()
        let (code, _, why) = booted.load(privilege, object: object)
        try #require(code == K_OK, "\(code) \(why)")
        var found = ask(booted, "w")
        for _ in 0..<20_000 where found == UInt32.max {
            usleep(1000)
            found = ask(booted, "w")
        }
        #expect(found == 0, "the line of threads.c that went wrong")
        return booted
    }

    @Test(arguments: LoadTests.privileges) func callsTravel(_ privilege: Int32) throws {
        let booted = try load(privilege)
        #expect(ask(booted, "x") == 0, "the line of threads.c that went wrong")
    }

    /// A client's thread in the server's handler waits for a mutex of the server's thread; the server dies or releases it.
    @Test(arguments: LoadTests.privileges, [false, true])
    func waitingInAHandler(_ privilege: Int32, _ dies: Bool) throws {
        let booted = try load(privilege)
        nonisolated(unsafe) let shared = booted
        nonisolated(unsafe) var code: Int32 = 1
        let client = startThread { code = shared.call([UInt8(ascii: "m")]).code }
        let (stats, n) = (UnsafeMutablePointer<KnThreadStat2>.allocate(capacity: 256), booted.n)
        defer { stats.deallocate() }
        func waiter() -> KnThreadStat2? {
            var count: UInt32 = 256
            guard n.pointee.threadStat2(n.pointee.`self`, &count, stats) >= 0 else { return nil }
            return (0..<Int(count)).lazy.map { stats[$0] }.first { $0.mutexOwner != 0 }
        }
        var found = waiter()
        for _ in 0..<20_000 where found == nil {
            usleep(1000)
            found = waiter()
        }
        let seen = try #require(found)
        #expect(seen.status == K_TH_BLOCKED)
        #expect(seen.caller.uiTail != seen.actor.uiTail, "at home in the test, in the server")
        if dies {
            var caps = [KnActorStat](repeating: KnActorStat(), count: 64)
            var count: UInt32 = 64
            _ = n.pointee.actorStat(n.pointee.`self`, &count, &caps)
            let server = caps.prefix(Int(count)).first { stat in
                stat.cap.ui.uiTail == seen.caller.uiTail && stat.cap.ui.uiHead == seen.caller.uiHead
            }
            var cap = try #require(server).cap
            #expect(n.pointee.actorDelete(n.pointee.`self`, &cap) == K_OK)
        } else {
            #expect(booted.call([UInt8(ascii: "r")]).code == K_OK)
        }
        pthread_join(client, nil)
        // The server's thread is woken first: in the nucleus' own process it may still release the mutex in time.
        #expect(dies ? code < 0 || privilege == K_SUPACTOR : code == K_OK, "\(code)")
    }
}
