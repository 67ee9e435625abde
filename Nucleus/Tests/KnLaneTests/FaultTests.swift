import CChorus
import Glibc
import Synchronization
import Testing

@testable import KnLane

/// Exceptions of servers in user privilege: somebody decides, or the host process dies and the log says of what.
@Suite(.serialized) struct FaultTests {
    /// A site with `faults.c`.
    final class Site: @unchecked Sendable {  // Sendable: constants; the table may be used from any thread.
        let booted: BootedSite
        let cap: KnCap
        let cookie = UnsafeMutablePointer<Seen>.allocate(capacity: 1)
        var n: UnsafePointer<KnNucleus> { booted.n }
        var own: UnsafeMutableRawPointer? { n.pointee.`self` }

        /// What the test's own handler saw, and what it is to say.
        struct Seen {
            var last = KnException()
            var answer = K_CONTEXT
            var mayReturn = true
            var n: UnsafePointer<KnNucleus>
        }

        init() throws {
            let object = try #require(Fixture.faults, "cc builds the test server")
            booted = try BootedSite()
            let (code, cap, why) = booted.load(K_USERACTOR, object: object)
            try #require(code == K_OK, "\(code) \(why)")
            self.cap = cap
            cookie.initialize(to: Seen(n: booted.n))
        }

        func ask(_ letter: Character) -> Int32 {
            let answer = booted.call([letter.asciiValue ?? 0])
            guard answer.code == K_OK else { return answer.code }
            return answer.reply.withUnsafeBytes { $0.count == 4 ? $0.loadUnaligned(as: Int32.self) : 0 }
        }

        func connect() -> Int32 {
            var cap = cap
            return n.pointee.svActorExcHandlerConnect(own, &cap, FaultTests.handler, UnsafeMutableRawPointer(cookie))
        }

        func disconnect() -> Int32 {
            var cap = cap
            return n.pointee.svActorExcHandlerDisconnect(own, &cap)
        }

        func newPort() -> (li: KnPortLid, ui: KnUniqueId) {
            var ui = KnUniqueId()
            return (n.pointee.portCreate(own, nil, &ui), ui)
        }

        func setPort(_ ui: KnUniqueId?) -> Int32 {
            var cap = cap
            guard var ui else { return n.pointee.actorExcPort(own, &cap, nil) }
            return n.pointee.actorExcPort(own, &cap, &ui)
        }

        /// The next request to an exception port.
        func receive(_ li: KnPortLid) -> KnException {
            var head = KnMsgHead()
            var size: UInt32 = 0
            var annex = [UInt8](repeating: 0, count: Int(K_CMSGANNEXSIZE))
            let code = n.pointee.ipcReceive(own, li, &head, &annex, nil, &size, 30_000)
            guard code >= 0 else { return KnException() }
            return annex.withUnsafeBytes { $0.loadUnaligned(as: KnException.self) }
        }

        func reply(_ exception: KnException) {
            var annex = [UInt8](repeating: 0, count: Int(K_CMSGANNEXSIZE))
            annex.withUnsafeMutableBytes { $0.storeBytes(of: exception, as: KnException.self) }
            _ = n.pointee.ipcReply(own, &annex, nil, 0)
        }

        func waits(for call: StaticString) -> Bool {
            let stats = UnsafeMutablePointer<KnThreadStat2>.allocate(capacity: 256)
            defer { stats.deallocate() }
            let wanted = call.withUTF8Buffer { Array($0) } + [0]
            for _ in 0..<20_000 {
                var count: UInt32 = 256
                guard n.pointee.threadStat2(own, &count, stats) >= 0 else { return false }
                let found = (0..<Int(count)).contains { index in
                    withUnsafeBytes(of: stats[index].blockedOn) { $0.starts(with: wanted) }
                }
                if found { return true }
                usleep(500)
            }
            return false
        }

        deinit { cookie.deallocate() }
    }

    /// Skips the instruction.
    static func goOn(_ exception: inout KnException) {
        if exception.number != SIGTRAP { exception.context.rip += 2 }
        exception.context.rcx = 815
    }

    static let handler: KnActorExcHdl = { cookie, exception in
        guard let seen = cookie?.assumingMemoryBound(to: Site.Seen.self), let exception else { return K_EFAULT }
        seen.pointee.last = exception.pointee
        goOn(&exception.pointee)
        while !seen.pointee.mayReturn {
            let n = seen.pointee.n
            if n.pointee.threadDelay(n.pointee.`self`, 1) != K_OK { return K_EABORT }
        }
        return seen.pointee.answer
    }

    @Test func itsOwnHandler() throws {
        let site = try Site()
        #expect(site.ask("h") == K_OK && site.ask("h") == K_EBUSY)
        for letter in "sift" { #expect(site.ask(letter) == 4711, "\(letter)") }
        #expect(site.ask("w") == 4711, "in a thread of its own")
        let wrong = Atomic<Int>(0)
        withUnsafePointer(to: wrong) { wrong in
            nonisolated(unsafe) let wrong = wrong
            let threads = (0..<6).map { number in
                startThread {
                    for _ in 0..<50 where site.ask(Array("sift")[number % 4]) != 4711 {
                        wrong.pointee.wrappingAdd(1, ordering: .relaxed)
                    }
                }
            }
            for thread in threads { pthread_join(thread, nil) }
        }
        #expect(wrong.load(ordering: .relaxed) == 0)
        #expect(site.ask("x") == K_OK && site.ask("x") == K_EUNKNOWN)
        #expect(site.ask("s") == K_EDEADSERVER)
    }

    @Test func anothersHandler() throws {
        let site = try Site()
        #expect(site.connect() == K_OK && site.connect() == K_EBUSY)
        #expect(site.ask("x") == K_EPRIV, "not the actor's own")
        #expect(site.ask("s") == 815)
        let seen = site.cookie.pointee.last
        #expect(seen.service == KN_EXCEPTION && seen.number == SIGSEGV && seen.code == 1 && seen.address == 0x10)
        #expect(seen.actor.uiTail == site.cap.ui.uiTail && seen.thread > 0)
        #expect(seen.context.rax == 0x10 && seen.context.rip != 0 && seen.context.rsp != 0)
        #expect(site.ask("f") == 815 && site.cookie.pointee.last.number == SIGFPE)
        site.cookie.pointee.answer = K_OK
        #expect(site.ask("i") == K_EDEADSERVER)
        #expect(site.booted.log.waitFor("fixture: SIGILL at address 0x"))
        #expect(site.booted.log.waitFor("died (signal 4)"))
    }

    @Test func aPortIsAsked() throws {
        let site = try Site()
        let port = site.newPort()
        #expect(site.setPort(port.ui) == K_OK)
        nonisolated(unsafe) var code: Int32 = 0
        var client = startThread { code = site.ask("s") }
        var request = site.receive(port.li)
        #expect(request.service == KN_EXCEPTION && request.number == SIGSEGV && request.address == 0x10)
        #expect(site.waits(for: "exception"))
        Self.goOn(&request)
        request.answer = K_CONTEXT
        site.reply(request)
        pthread_join(client, nil)
        #expect(code == 815)
        // A handler comes before the port.
        #expect(site.connect() == K_OK && site.ask("t") == 815 && site.disconnect() == K_OK)
        client = startThread { code = site.ask("f") }
        request = site.receive(port.li)
        site.reply(request)
        pthread_join(client, nil)
        #expect(code == K_EDEADSERVER)
        #expect(site.booted.log.waitFor("fixture: SIGFPE at address 0x"))
    }

    @Test func aPortThatGoes() throws {
        let site = try Site()
        let port = site.newPort()
        #expect(site.setPort(port.ui) == K_OK)
        nonisolated(unsafe) var code: Int32 = 0
        let client = startThread { code = site.ask("s") }
        #expect(site.receive(port.li).number == SIGSEGV)
        #expect(site.n.pointee.portDelete(site.own, nil, port.li) == K_OK)
        pthread_join(client, nil)
        #expect(code == K_EDEADSERVER)
        #expect(site.booted.log.waitFor("the exception port does not answer"))
    }

    @Test func nobodyDecides() throws {
        let site = try Site()
        #expect(site.ask("w") == K_EDEADSERVER)
        #expect(site.booted.log.waitFor("fixture: SIGSEGV at address 0x10, thread"))
        #expect(site.booted.log.waitFor("(worker), in kn-faults"))
        #expect(site.booted.log.waitFor("fault_here+0x"))
        #expect(site.booted.log.waitFor("died (signal 11)"))
    }

    /// The handler that says so does not run on the stack that is full.
    @Test func stackOverflow() throws {
        let site = try Site()
        #expect(site.ask("o") == K_EDEADSERVER)
        #expect(site.booted.log.waitFor("overflow+0x"))
    }

    @Test func aBadArgumentOfACallIsTheActorsEnd() throws {
        let site = try Site()
        #expect(site.connect() == K_OK)
        #expect(site.ask("a") == K_EDEADSERVER)
        #expect(site.booted.log.waitFor("died (signal 11)"))
    }

    /// Who is asked goes away, or the actor does: nobody is left waiting.
    @Test func deletedWhileSomebodyDecides() throws {
        let site = try Site()
        #expect(site.connect() == K_OK)
        site.cookie.pointee.mayReturn = false
        nonisolated(unsafe) var code: Int32 = 0
        let client = startThread { code = site.ask("s") }
        #expect(site.waits(for: "exception"))
        var cap = site.cap
        #expect(site.n.pointee.actorDelete(site.own, &cap) == K_OK)
        pthread_join(client, nil)
        #expect(code == K_EDEADSERVER)
        #expect(site.disconnect() == K_EUNKNOWN)
    }

    @Test func whoHasNoExceptions() throws {
        let site = try Site()
        #expect(
            site.n.pointee.svActorExcHandlerConnect(site.own, nil, Self.handler, nil) == K_EINVAL, "a supervisor")
        #expect(site.n.pointee.actorExcPort(site.own, nil, nil) == K_EINVAL)
        var cap = site.cap
        #expect(site.n.pointee.svActorExcHandlerConnect(site.own, &cap, nil, nil) == K_EFAULT)
        cap.key.keyHead ^= 1
        #expect(site.n.pointee.svActorExcHandlerConnect(site.own, &cap, Self.handler, nil) == K_EPRIV)
        var ui = KnUniqueId(uiHead: 1, uiTail: 2)
        #expect(site.n.pointee.actorExcPort(site.own, &cap, &ui) == K_EPRIV)
        #expect(site.setPort(ui) == K_EINVAL)
        #expect(site.setPort(site.newPort().ui) == K_OK && site.setPort(nil) == K_OK)
        #expect(site.ask("s") == K_EDEADSERVER)
    }
}
