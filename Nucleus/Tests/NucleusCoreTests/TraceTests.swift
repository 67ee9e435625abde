import ActorKit
import CChorus
import Glibc
import Testing

@testable import NucleusCore

@Suite struct TraceTests {
    /// Writers as fast as they can, a reader beside them: what is read is whole, in order, and never twice.
    @Test func eventsAreWholeWhileAllWrite() {
        let bench = Bench()
        let site = bench.site
        let writers = (1...6).map { writer in
            bench.start {
                let thread = Int32(writer)
                var number: UInt64 = 0
                while number < 200_000 {
                    number += 1
                    let mark = number << 8 | UInt64(writer)
                    site.trace.add(K_TR_SERVER, mark, ~mark, mark &* 3, mark ^ 0x5555, thread: thread)
                }
                return 0
            }
        }
        var events = [KnTraceEvent](repeating: KnTraceEvent(), count: TraceRing.capacity)
        var from: UInt64 = 0
        var torn = 0
        var disordered = 0
        var found = 0
        while !writers.allSatisfy(\.isDone) {
            let count = events.withUnsafeMutableBufferPointer { site.trace.read(from: from, $0) }
            for event in events[..<count] {
                if event.sequence < from { disordered += 1 }
                from = event.sequence + 1
                guard event.kind == K_TR_SERVER else { continue }
                found += 1
                let mark = event.value.0
                let isWhole =
                    event.value.1 == ~mark && event.value.2 == mark &* 3 && event.value.3 == mark ^ 0x5555
                    && event.thread == Int32(mark & 0xff)
                if !isWhole { torn += 1 }
            }
        }
        #expect(torn == 0)
        #expect(disordered == 0)
        #expect(found > 0)
    }

    @Test func readingGoesOnWhereItEnded() {
        let bench = Bench()
        let nucleus = bench.actor().nucleus
        var room = [KnTraceEvent](repeating: KnTraceEvent(), count: 100)
        func read(_ from: UInt64) -> [KnTraceEvent] {
            var count = UInt32(room.count)
            #expect(nucleus.sysTraceRead(from, &count, &room) == K_OK)
            return Array(room.prefix(Int(count)))
        }
        let before = read(0).last?.sequence ?? 0
        for i in 0..<250 { _ = nucleus.sysTrace(K_TR_SERVER + 1, UInt64(i), 0) }
        var from = before + 1
        var seen: [UInt64] = []
        while true {
            let events = read(from)
            guard let last = events.last else { break }
            #expect(events.count <= 100)
            seen += events.filter { $0.kind == K_TR_SERVER + 1 }.map(\.value.0)
            from = last.sequence + 1
        }
        #expect(seen == Array(0..<250))
        for _ in 0..<2 * TraceRing.capacity { _ = nucleus.sysTrace(K_TR_SERVER, 0, 0) }
        #expect(read(from).first.map { $0.sequence > from } == true)  // what was overwritten is left out
        #expect(read(UInt64.max).isEmpty)
    }

    @Test func onlyThePrivilegedRead() {
        let bench = Bench()
        var count: UInt32 = 1
        var event = KnTraceEvent()
        #expect(bench.actor("user", K_USERACTOR).nucleus.sysTraceRead(0, &count, &event) == K_EPRIV)
        let nucleus = bench.actor().nucleus
        #expect(nucleus.sysTraceRead(0, nil, &event) == K_EFAULT)
        #expect(nucleus.sysTraceRead(0, &count, nil) == K_EFAULT)
        #expect(nucleus.sysTraceRead(0, &count, &event) == K_OK && count == 1)
        count = 0
        #expect(nucleus.sysTraceRead(0, &count, nil) == K_OK && count == 0)
    }

    @Test func timesAreMonotonicNanoseconds() {
        let bench = Bench()
        usleep(20_000)  // the rate of ticks is known the better the older the site is
        let before = bench.host.now()
        let began = bench.site.trace.begin()
        usleep(30_000)
        bench.site.trace.add(K_TR_SERVER, 1, 2, since: began)
        let after = bench.host.now()
        let event = bench.site.trace.entries.last
        let slack: UInt64 = 1_000_000
        #expect(event.map { $0.time + slack >= before && $0.time <= after } == true)
        #expect(event.map { $0.duration + slack >= 30_000_000 && $0.duration <= after - before + slack } == true)
    }

    @Test func callsSendsAndHandlersAreRecorded() throws {
        let bench = Bench()
        let (server, client) = (bench.actor("server").nucleus, bench.actor("client").nucleus)
        let port = server.newPort()
        let probe = Probe()
        #expect(server.svMsgHandler(port.li, Probe.handler, probe.cookie) == K_OK)
        var annex = [UInt32](repeating: 0, count: 64)
        annex[0] = 42
        var dest = KnIpcDest(target: port.ui, coTarget: KnUniqueId())
        var reply = [UInt8](repeating: 0, count: 64)
        var size: UInt32 = 64
        #expect(client.ipcCall(0, &dest, K_FUNCMODE, annex, [1, 2, 3], 3, nil, &reply, &size, 0, -1) == K_OK)
        var source = KnUniqueId()
        _ = client.portUi(&source, K_DEFAULTPORT)
        let call = try #require(bench.site.trace.entries.last { $0.kind == K_TR_CALL })
        #expect(call.value.0 == source.raw && call.value.1 == port.ui.raw)
        #expect(call.value.2 == 3 << 32 | 42)
        #expect(call.value.3 == 5 << 32 | UInt64(UInt32(bitPattern: K_OK)))  // "<" and the body and ">"
        #expect(call.thread == client.threadSelf() && call.duration > 0)

        annex[0] = 43
        #expect(client.ipcSend(0, &dest, K_FUNCMODE, annex, [1, 2], 2) == K_OK)
        #expect(eventually { probe.texts.count == 2 && bench.site.trace.entries.contains { $0.kind == K_TR_HANDLER } })
        let events = bench.site.trace.entries
        #expect(events.last { $0.kind == K_TR_SEND }?.value.2 == 2 << 32 | 43)
        let handler = try #require(events.last { $0.kind == K_TR_HANDLER })
        #expect(handler.value.0 == UInt64(K_HDL_MESSAGE) && handler.value.1 == port.ui.raw)
        #expect(handler.value.2 == 2 << 32 | 43)

        #expect(server.portDelete(nil, port.li) == K_OK)
        #expect(client.ipcSend(0, &dest, K_FUNCMODE, annex, nil, 0) == K_OK)
        let dropped = bench.site.trace.entries.last { $0.kind == K_TR_DROPPED }
        #expect(dropped?.value.0 == port.ui.raw && dropped?.value.1 == UInt64(bitPattern: Int64(K_EUNKNOWN)))
    }

    @Test func livesOfActorsAndThreadsAreRecorded() throws {
        let bench = Bench()
        let actor = bench.actor("a-name-of-more-than-sixteen")
        let ui = actor.cap.ui.raw
        var li: KnThreadLid = 0
        #expect(actor.nucleus.threadCreate({ _ in }, nil, 0, "short", &li) == K_OK)
        #expect(eventually { bench.site.trace.entries.contains { $0.kind == K_TR_THREAD_END && $0.thread == li } })
        #expect(bench.site.deleteActor(actor) == K_OK)
        let events = bench.site.trace.entries
        let born = try #require(events.last { $0.kind == K_TR_ACTOR && $0.value.0 == ui })
        #expect(born.value.1 == UInt64(K_SUPACTOR))
        #expect(Site.traceName("a-name-of-more-than-sixteen") == (born.value.2, born.value.3))
        #expect(events.contains { $0.kind == K_TR_THREAD && $0.thread == li && $0.value.3 == ui })
        #expect(events.contains { $0.kind == K_TR_ACTOR_END && $0.value.0 == ui })
    }

    /// The figure is for the log; the limit is far above it, and still far below a lock or a host call.
    @Test func anEventIsCheap() {
        let bench = Bench()
        let ring = bench.site.trace
        var best = UInt64.max
        for _ in 0..<20 {
            let begin = bench.host.now()
            for i in 0..<10_000 { ring.add(K_TR_SERVER, UInt64(i), 2, 3, 4, thread: 5) }
            best = min(best, (bench.host.now() - begin) / 10_000)
        }
        print("an event of the black box: \(best) ns")
        #expect(best < 2000)
    }
}
