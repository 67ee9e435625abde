import CChorus
import Glibc
import Synchronization
import Testing

@testable import Nucleus
@testable import NucleusCore

/// How calls end, from actors of either privilege to actors of either privilege. Nothing is left of any of them.
@Suite(.serialized) struct ErrorTests {
    /// As in errors.c.
    struct Ask {
        var role: UInt32 = 0
        var command: UInt32 = 0
        var stamp: UInt32 = K_STAMP_DEVICE
        var mode = UInt32(K_FUNCMODE)
        var flags: UInt32 = 0
        var delay: Int32 = K_NOTIMEOUT
        var size: UInt32 = 0
        var capacity: UInt32 = 0
        var noDest: UInt32 = 0
        var noBody: UInt32 = 0
        var source = K_DEFAULTPORT
        var target = KnUniqueId()

        /// The server's handler does `command`.
        init(_ command: Character, _ change: (inout Ask) -> Void = { _ in }) {
            self.command = UInt32(command.asciiValue ?? 0)
            change(&self)
        }

        /// To a port.
        init(to target: KnUniqueId, _ change: (inout Ask) -> Void = { _ in }) {
            (stamp, self.target) = (0, target)
            change(&self)
        }
    }

    struct Answer {
        var code: Int32 = 0
        var li: KnPortLid = 0
        var port = KnUniqueId()
    }

    /// A client, a server and a third actor to migrate to.
    final class Stage: @unchecked Sendable {  // Sendable: constants; the table may be used from any thread.
        let booted: BootedSite
        let client, server: KnCap
        var n: UnsafePointer<KnNucleus> { booted.n }
        var own: UnsafeMutableRawPointer? { n.pointee.`self` }

        init(_ first: Int32, _ second: Int32) throws {
            let object = try #require(Fixture.errors, "cc builds the test server")
            booted = try BootedSite()
            let client = booted.load(first, object: object, stamp: K_STAMP_FILE)
            let server = booted.load(second, object: object, stamp: K_STAMP_DEVICE)
            try #require(client.code == K_OK && server.code == K_OK)
            (self.client, self.server) = (client.cap, server.cap)
        }

        /// What the client's call gives, and what the call to the client itself does.
        func ask(_ ask: Ask) -> (code: Int32, answer: Answer) {
            var annex = [UInt8](repeating: 0, count: Int(K_CMSGANNEXSIZE))
            annex.withUnsafeMutableBytes { $0.storeBytes(of: ask, as: Ask.self) }
            let got = booted.call([], annex: annex, capacity: 0)
            return (got.code, got.annex.withUnsafeBytes { $0.loadUnaligned(as: Answer.self) })
        }

        func call(_ ask: Ask) -> Int32 {
            let got = self.ask(ask)
            return got.code < 0 ? got.code : got.answer.code
        }

        /// The server's port that nobody receives from.
        func queue() -> (li: KnPortLid, ui: KnUniqueId) {
            let answer = ask(Ask("q")).answer
            return (answer.li, answer.port)
        }

        /// A call on a thread of its own, when it blocks.
        func blocked(_ ask: Ask) -> Caller {
            let caller = Caller(self, ask)
            #expect(caller.untilBlocked())
            return caller
        }

        func deleteServer() {
            var cap = server
            #expect(n.pointee.actorDelete(own, &cap) == K_OK)
        }

        var site: NucleusCore.Site { Unmanaged<BootSite>.fromOpaque(booted.site).takeUnretainedValue().site }

        /// Requests in queues, or in somebody's hands, or waited for.
        var left: Int {
            site.actors.all.reduce(0) { sum, actor in
                actor.room.withLock { room in
                    room.ports.values.reduce(sum + room.held.count + room.saved.count) { $0 + $1.queue.count }
                }
            }
        }
    }

    final class Caller: @unchecked Sendable {  // Sendable: the result is read after the join.
        private var got: (code: Int32, answer: Answer) = (1, Answer())
        let li = Atomic<Int32>(0)
        private let stage: Stage
        private var thread = pthread_t()

        init(_ stage: Stage, _ ask: Ask) {
            self.stage = stage
            thread = startThread { [self] in
                li.store(stage.n.pointee.threadSelf(stage.own), ordering: .releasing)
                got = stage.ask(ask)
            }
        }

        func untilBlocked() -> Bool {
            for _ in 0..<20_000 {
                let found = stage.site.threads.find(li.load(ordering: .acquiring))
                if let found, found.blockedSince != 0, found.blockedOn != "handler" { return true }
                usleep(500)
            }
            return false
        }

        func join() -> Int32 {
            pthread_join(thread, nil)
            return got.code < 0 ? got.code : got.answer.code
        }
    }

    static let privileges = LoadTests.privileges

    /// One row a way to fail that nothing has to happen for.
    @Test(arguments: privileges, privileges) func byItself(_ first: Int32, _ second: Int32) throws {
        let stage = try Stage(first, second)
        let queue = stage.queue()
        let rows: [(String, Ask, Int32)] = [
            ("all is well", Ask("e"), K_OK),
            ("the handler waits too long", Ask("b") { $0.delay = 20 }, K_ETIMEOUT),
            ("nobody receives", Ask(to: queue.ui) { $0.delay = 20 }, K_ETIMEOUT),
            ("nor at once", Ask(to: queue.ui) { $0.delay = 0 }, K_ETIMEOUT),
            ("the handler's own error", Ask("x"), -5),
            ("no handler for that", Ask("?"), K_ENOSYS),
            ("no destination", Ask("e") { $0.noDest = 1 }, K_EFAULT),
            ("no body, but a size", Ask("e") { ($0.size, $0.noBody) = (8, 1) }, K_EFAULT),
            ("a body too long", Ask("e") { $0.size = UInt32(K_CMSGSIZEMAX) + 1 }, K_ETOOBIG),
            ("one as long as can be", Ask("e") { $0.size = UInt32(K_CMSGSIZEMAX) }, K_OK),
            ("an answer too long", Ask("l") { $0.capacity = 16 }, K_ETOOBIG),
            ("no such port", Ask(to: stage.site.newUi(.port)), K_EUNKNOWN),
            ("no such source", Ask("e") { $0.source = 77 }, K_EUNKNOWN),
            ("nobody in the group", Ask("e") { $0.stamp = 0x4e4f4e45 }, K_EUNREACHABLE),
            ("neither port nor group", Ask(to: stage.server.ui), K_EINVAL),
            ("a call to all", Ask("e") { $0.mode = UInt32(K_BROADMODE) }, K_EINVAL),
        ]
        // More often than a queue is long: what failed does not fill it.
        for round in 0..<3 {
            for (what, ask, wanted) in rows { #expect(stage.call(ask) == wanted, "\(what), round \(round)") }
        }
        for _ in 0..<K_CPORTQUEUE + 10 {
            #expect(stage.call(Ask(to: queue.ui) { $0.delay = 0 }) == K_ETIMEOUT)
        }
        #expect(stage.left == 0)
        var dest = KnIpcDest(target: queue.ui, coTarget: KnUniqueId())
        for _ in 0..<K_CPORTQUEUE {
            #expect(stage.n.pointee.ipcSend(stage.own, K_DEFAULTPORT, &dest, UInt32(K_FUNCMODE), nil, nil, 0) == K_OK)
        }
        #expect(stage.call(Ask(to: queue.ui) { $0.delay = 0 }) == K_EFULL)
    }

    @Test(arguments: privileges, privileges) func anAbort(_ first: Int32, _ second: Int32) throws {
        let stage = try Stage(first, second)
        let queue = stage.queue()
        for ask in [Ask("b") { $0.flags = K_ABORTABLE }, Ask(to: queue.ui) { $0.flags = K_ABORTABLE }] {
            let caller = stage.blocked(ask)
            #expect(stage.n.pointee.threadAbort(stage.own, caller.li.load(ordering: .acquiring)) == K_OK)
            #expect(caller.join() == K_EABORT)
        }
        #expect(stage.left == 0)
        #expect(stage.call(Ask("e")) == K_OK)
    }

    /// Where the request is when something happens to the server: in its handler, in its queue, in a thread's hands.
    enum Place: CaseIterable { case handler, queue, thread }

    private func request(_ stage: Stage, _ place: Place) -> Caller {
        if place == .handler { return stage.blocked(Ask("b")) }
        let queue = stage.queue()
        if place == .thread { #expect(stage.call(Ask("r")) >= 0) }
        let caller = stage.blocked(Ask(to: queue.ui))
        if place == .thread {
            #expect(eventually { stage.site.actors.all.contains { $0.room.withLock { !$0.held.isEmpty } } })
        }
        return caller
    }

    private func eventually(_ condition: () -> Bool) -> Bool {
        for _ in 0..<20_000 {
            if condition() { return true }
            usleep(500)
        }
        return false
    }

    @Test(arguments: privileges, privileges) func theServersDeath(_ first: Int32, _ second: Int32) throws {
        for place in Place.allCases {
            let stage = try Stage(first, second)
            let caller = request(stage, place)
            stage.deleteServer()
            #expect(caller.join() == K_EDEADSERVER, "\(place)")
            #expect(stage.left == 0)
        }
        guard second == K_USERACTOR else { return }
        let stage = try Stage(first, second)
        #expect(stage.call(Ask("d")) == K_EDEADSERVER)
    }

    @Test(arguments: privileges, privileges) func thePortsDeletion(_ first: Int32, _ second: Int32) throws {
        for place in Place.allCases {
            let stage = try Stage(first, second)
            let queue = stage.queue()
            let caller = request(stage, place)
            var cap = stage.server
            let port = stage.site.actors.find(cap.ui.raw)?.room.withLock { room in
                room.ports.values.first { $0.connection == .connected }?.li
            }
            let li = place == .handler ? try #require(port) : queue.li
            #expect(stage.n.pointee.portDelete(stage.own, &cap, li) == K_OK)
            #expect(caller.join() == K_EPORTDELETED, "\(place)")
            #expect(stage.left == 0)
        }
    }

    @Test(arguments: privileges, privileges) func migration(_ first: Int32, _ second: Int32) throws {
        let stage = try Stage(first, second)
        let queue = stage.queue()
        var (from, to) = (stage.server, stage.client)
        func migrate(_ options: UInt32, _ li: KnPortLid) -> Int32 {
            stage.n.pointee.portMigrate(stage.own, options, &from, li, &to, nil)
        }
        let dropped = stage.blocked(Ask(to: queue.ui))
        let li = migrate(0, queue.li)
        #expect(li > 0)
        #expect(dropped.join() == K_EMIGRATED)
        // Back, with what is queued, where a thread answers.
        let carried = stage.blocked(Ask(to: queue.ui))
        (from, to) = (to, from)
        #expect(migrate(K_MIGRATE_QUEUE, li) > 0)
        let back = try #require(stage.site.ports.find(queue.ui.raw)?.li)
        #expect(back > 0 && carried.untilBlocked(), "it waits on")
        var cap = stage.server
        #expect(stage.n.pointee.portDelete(stage.own, &cap, back) == K_OK)
        #expect(carried.join() == K_EPORTDELETED)
        #expect(stage.left == 0)
    }

    @Test(arguments: privileges, privileges) func noAnswer(_ first: Int32, _ second: Int32) throws {
        for then: UInt32 in [1, 2] {
            let stage = try Stage(first, second)
            let queue = stage.queue()
            #expect(stage.call(Ask("r") { $0.size = then }) >= 0)
            #expect(stage.call(Ask(to: queue.ui)) == K_EDEADSERVER, "\(then)")
            #expect(stage.left == 0)
        }
        let stage = try Stage(first, second)
        let queue = stage.queue()
        #expect(stage.call(Ask("a")) >= 0)
        for _ in 0..<50 { #expect(stage.call(Ask(to: queue.ui)) == K_OK) }
        #expect(stage.left == 0)
    }

    @Test(arguments: privileges, privileges) func theClientsDeath(_ first: Int32, _ second: Int32) throws {
        for ask in ["b", "q"] as [Character] {
            let stage = try Stage(first, second)
            let queue = stage.queue()
            let caller = stage.blocked(ask == "b" ? Ask("b") : Ask(to: queue.ui))
            var cap = stage.client
            #expect(stage.n.pointee.actorDelete(stage.own, &cap) == K_OK)
            // Who called the client sees its death; the client itself, if it is still there, its own.
            let code = caller.join()
            #expect(code == K_EDEADSERVER || code == K_EDEADACTOR, "\(code)")
            #expect(stage.left == 0)
        }
    }
}
