import CChorus
import Glibc
import Synchronization
import Testing

/// Handlers that do not answer: who called them is not held, and their late answers reach nobody.
@Suite(.serialized) struct StuckTests {
    /// A site with `stuck.c`, and what to do with it.
    final class Site: @unchecked Sendable {  // Sendable: constants; the table may be used from any thread.
        let booted: BootedSite
        let cap: KnCap
        var n: UnsafePointer<KnNucleus> { booted.n }

        init(_ privilege: Int32) throws {
            let object = try #require(Fixture.stuck, "cc builds the test server")
            booted = try BootedSite()
            let (code, cap, why) = booted.load(privilege, object: object)
            try #require(code == K_OK, "\(code) \(why)")
            self.cap = cap
        }

        func call(_ command: Character, delay: Int32 = K_NOTIMEOUT, flags: UInt32 = 0) -> (code: Int32, reply: [UInt8])
        {
            var dest = KnIpcDest()
            let own = n.pointee.`self`
            _ = n.pointee.grpName(own, K_STAMP_FILE, &dest.target)
            var reply = [UInt8](repeating: 0, count: 64)
            var size: UInt32 = 64
            let body = [command.asciiValue ?? 0]
            let code = n.pointee.ipcCall(
                own, K_DEFAULTPORT, &dest, K_FUNCMODE, nil, body, 1, nil, &reply, &size, flags, delay)
            return (code, code < 0 ? [] : Array(reply.prefix(Int(size))))
        }

        /// stuck, began, noticed an abort
        func state() -> [UInt32] {
            call("p").reply.withUnsafeBytes { bytes in
                (0..<bytes.count / 4).map { bytes.load(fromByteOffset: $0 * 4, as: UInt32.self) }
            }
        }

        func until(_ condition: ([UInt32]) -> Bool) -> Bool {
            for _ in 0..<20_000 {
                let state = state()
                if state.count == 3, condition(state) { return true }
                usleep(500)
            }
            return false
        }

        /// The event that lets handlers go on, and the port's LI.
        func names() -> (event: KnUniqueId, li: KnPortLid) {
            call("q").reply.withUnsafeBytes { bytes in
                guard bytes.count == 20 else { return (KnUniqueId(), 0) }
                return (
                    bytes.loadUnaligned(as: KnUniqueId.self),
                    bytes.loadUnaligned(fromByteOffset: 16, as: KnPortLid.self)
                )
            }
        }

        /// Until the client waits in the nucleus.
        func untilBlocked(_ client: Client) -> Bool {
            let stats = UnsafeMutablePointer<KnThreadStat2>.allocate(capacity: 512)
            defer { stats.deallocate() }
            for _ in 0..<20_000 {
                var count: UInt32 = 512
                guard n.pointee.threadStat2(n.pointee.`self`, &count, stats) >= 0 else { return false }
                let li = client.li.load(ordering: .acquiring)
                if (0..<Int(count)).contains(where: { stats[$0].li == li && stats[$0].status == K_TH_BLOCKED }) {
                    return true
                }
                usleep(500)
            }
            return false
        }

        func release(_ event: KnUniqueId) {
            var event = event
            #expect(n.pointee.eventPost(n.pointee.`self`, &event, 1) == K_OK)
        }
    }

    /// A client on a thread of its own.
    final class Client: @unchecked Sendable {  // Sendable: the results are read after the join.
        private(set) var code: Int32 = 1
        private(set) var reply: [UInt8] = []
        let li = Atomic<Int32>(0)
        private var thread = pthread_t()

        init(_ site: Site, _ command: Character, delay: Int32 = K_NOTIMEOUT, flags: UInt32 = 0) {
            thread = startThread { [self] in
                li.store(site.n.pointee.threadSelf(site.n.pointee.`self`), ordering: .releasing)
                let got = site.call(command, delay: delay, flags: flags)
                (code, reply) = (got.code, got.reply)
            }
        }

        func join() -> Int32 {
            pthread_join(thread, nil)
            return code
        }
    }

    @Test func aTimeoutEndsTheCallAndTheLateAnswerReachesNobody() throws {
        let site = try Site(K_USERACTOR)
        let event = site.names().event
        for _ in 0..<3 { #expect(site.call("h", delay: 20).code == K_ETIMEOUT) }
        #expect(site.until { $0[0] == 3 && $0[1] == 3 }, "they are still at it")
        for _ in 0..<100 { #expect(site.call("e").reply == [UInt8(ascii: "e")]) }
        site.release(event)
        // Their answers come while others call: each gets its own.
        while let state = Optional(site.state()), state.count == 3, state[0] > 0 {
            #expect(site.call("e").reply == [UInt8(ascii: "e")])
        }
        for _ in 0..<1000 { #expect(site.call("e").reply == [UInt8(ascii: "e")]) }
    }

    /// All lanes are with handlers that do not return: the next caller waits for one, and not longer than it says.
    @Test func noFreeLane() throws {
        let site = try Site(K_USERACTOR)
        let event = site.names().event
        for _ in 0..<255 { #expect(site.call("h", delay: 1).code == K_ETIMEOUT) }
        #expect(site.until { $0[0] == 255 })
        #expect(site.call("h", delay: 1).code == K_ETIMEOUT)
        #expect(site.call("e", delay: 20).code == K_ETIMEOUT)
        let aborted = Client(site, "e", flags: K_ABORTABLE)
        let patient = Client(site, "e")
        #expect(site.untilBlocked(aborted) && site.untilBlocked(patient))
        #expect(site.n.pointee.threadAbort(site.n.pointee.`self`, aborted.li.load(ordering: .acquiring)) == K_OK)
        #expect(aborted.join() == K_EABORT)
        // The event's handler needs a lane too.
        var cap = site.cap
        #expect(site.n.pointee.actorDelete(site.n.pointee.`self`, &cap) == K_OK)
        #expect(patient.join() == K_EDEADSERVER)
        _ = event
    }

    @Test func lanesComeBack() throws {
        let site = try Site(K_USERACTOR)
        let event = site.names().event
        for _ in 0..<200 { #expect(site.call("h", delay: 1).code == K_ETIMEOUT) }
        #expect(site.until { $0[0] == 200 })
        site.release(event)
        #expect(site.until { $0[0] == 0 })
        for _ in 0..<200 { #expect(site.call("h", delay: 1).code == K_ETIMEOUT) }
        #expect(site.until { $0[0] == 200 && $0[1] == 400 })
        #expect(site.call("e", delay: 10_000).code == K_OK)
    }

    /// The handler is in host code, where no abort reaches it: the client goes, and the handler finds out later.
    @Test func anAbortEndsTheCall() throws {
        let site = try Site(K_USERACTOR)
        let event = site.names().event
        let client = Client(site, "u", flags: K_ABORTABLE)
        #expect(site.until { $0[0] == 1 })
        #expect(site.n.pointee.threadAbort(site.n.pointee.`self`, client.li.load(ordering: .acquiring)) == K_OK)
        #expect(client.join() == K_EABORT)
        site.release(event)
        #expect(site.until { $0[0] == 0 && $0[2] == 1 }, "its next wait was aborted")
    }

    @Test func withoutTheFlagItDoesNot() throws {
        let site = try Site(K_USERACTOR)
        let event = site.names().event
        let client = Client(site, "h")
        #expect(site.until { $0[0] == 1 })
        #expect(site.n.pointee.threadAbort(site.n.pointee.`self`, client.li.load(ordering: .acquiring)) == K_OK)
        site.release(event)
        #expect(client.join() == K_OK)
    }

    /// The handler waits in the nucleus: it is that wait which ends, and the handler answers.
    @Test(arguments: LoadTests.privileges) func anAbortReachesTheHandler(_ privilege: Int32) throws {
        let site = try Site(privilege)
        let client = Client(site, "b", flags: K_ABORTABLE)
        #expect(site.until { $0[1] == 1 })
        #expect(site.n.pointee.threadAbort(site.n.pointee.`self`, client.li.load(ordering: .acquiring)) == K_OK)
        #expect(client.join() == K_OK)
        #expect(client.reply == [UInt8(ascii: "a")])
        #expect(site.state() == [0, 1, 1])
    }

    @Test(arguments: LoadTests.privileges) func aTimeoutEndsAWaitOfTheHandler(_ privilege: Int32) throws {
        let site = try Site(privilege)
        // Its answer is that of an aborted wait, and in time for nobody.
        let got = site.call("b", delay: 20)
        #expect(got.code == K_OK && got.reply == [UInt8(ascii: "a")] || got.code == K_ETIMEOUT)
        #expect(site.until { $0[2] == 1 })
    }

    @Test func deletionOfThePort() throws {
        let site = try Site(K_USERACTOR)
        let (event, li) = site.names()
        let clients = ["h", "b"].map { Client(site, $0) }
        #expect(site.until { $0[1] == 2 && $0[0] == 1 })
        nonisolated(unsafe) var deleted: Int32 = 1
        let deleter = startThread {
            var cap = site.cap
            deleted = site.n.pointee.portDelete(site.n.pointee.`self`, &cap, li)
        }
        #expect(clients[0].join() == K_EPORTDELETED)
        let second = clients[1].join()
        #expect(second == K_EPORTDELETED || second == K_OK, "its handler may have answered yet: \(second)")
        site.release(event)
        pthread_join(deleter, nil)
        #expect(deleted == K_OK, "when the last handler was back")
    }

    @Test func deletionOfTheActor() throws {
        let site = try Site(K_USERACTOR)
        let clients = ["h", "b"].map { Client(site, $0) }
        #expect(site.until { $0[1] == 2 && $0[0] == 1 })
        #expect(site.call("h", delay: 5).code == K_ETIMEOUT)
        var cap = site.cap
        #expect(site.n.pointee.actorDelete(site.n.pointee.`self`, &cap) == K_OK)
        for client in clients { #expect(client.join() == K_EDEADSERVER) }
    }

    @Test func deletionOfTheClientsThread() throws {
        let site = try Site(K_USERACTOR)
        let client = Client(site, "h")
        #expect(site.until { $0[0] == 1 })
        #expect(site.n.pointee.threadDelete(site.n.pointee.`self`, client.li.load(ordering: .acquiring)) == K_OK)
        #expect(client.join() == K_EDEADACTOR)
        #expect(site.call("e").code == K_OK)
    }

    @Test func theSiteEnds() throws {
        var clients: [Client] = []
        do {
            let site = try Site(K_USERACTOR)
            let boot = site.booted
            clients = ["h", "b"].map { Client(site, $0) }
            #expect(site.until { $0[1] == 2 && $0[0] == 1 })
            #expect(site.call("h", delay: 5).code == K_ETIMEOUT)
            boot.delete()
        }
        for client in clients { #expect(client.join() == K_EDEADSERVER) }
    }
}
