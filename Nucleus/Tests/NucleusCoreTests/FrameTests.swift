import ActorKit
import CChorus
import Testing

@testable import NucleusCore

/// What comes over a link, from whoever it may be.
@Suite struct FrameTests {
    /// Makes frames as site 2 sends them to site 1.
    private final class Forger {
        let sites = Joined()
        var target: Sites { sites.a.site.sites }
        private var incarnation: UInt64 { target.state.withLock { $0.peers[2]?.incarnation ?? 0 } }
        var next: UInt64 { target.state.withLock { ($0.peers[2]?.received ?? 0) + 1 } }

        func frame(_ frame: Frame, sequence: UInt64? = nil, incarnation: UInt64? = nil, to: UInt32 = 1) -> Frame {
            var frame = frame
            frame.address(from: 2, to: to, sequence ?? next, incarnation ?? self.incarnation)
            return frame
        }

        func deliver(_ kind: FrameKind, _ fields: some BitwiseCopyable, from source: UInt32 = 2) {
            target.deliver(frame(Frame(kind, fields)), from: source)
        }

        /// Counts start anew, and all is as it should be.
        func stillWorks() -> Bool {
            let up = sites.restart(1, 2)
            let (server, client) = (sites.b.actor("server"), sites.a.actor("client"))
            let port = server.nucleus.newPort()
            let serving = sites.b.serve(server, port.li, "")
            let works = client.nucleus.call(port.ui, "x", delay: 20_000).reply == "x"
            sites.b.site.deleteActor(server)
            return serving.result() == K_EDEADACTOR && works && up
        }
    }

    /// Offsets are part of what goes over the wire.
    @Test func layout() {
        #expect(MemoryLayout<Envelope>.size == 32 && MemoryLayout<MessageFields>.size == 104)
        #expect(MemoryLayout<WireCall>.size == 16 && MemoryLayout<ReplyFields>.size == 24)
        #expect(MemoryLayout<EndFields>.size == 24 && MemoryLayout<PassedFields>.size == 24)
        #expect(MemoryLayout<PlaceFields>.size == 16 && MemoryLayout<FlushFields>.size == 32)
        #expect(MemoryLayout<GroupFields>.size == 24 && MemoryLayout<PrepareFields>.size == 32)
        #expect(MemoryLayout<MigrationFields>.size == 16 && MemoryLayout<CarriedFields>.size == 112)
        #expect(MemoryLayout<CommitFields>.size == 36)
        #expect(MemoryLayout<MessageFields>.offset(of: \.call) == 64)
        #expect(MemoryLayout<MessageFields>.offset(of: \.hops) == 100)
    }

    @Test func whatIsNoFrameIsCountedAndDropped() {
        let forger = Forger()
        let target = forger.target
        let good = forger.frame(Frame(.gone, PlaceFields(ui: KnUniqueId(), site: 2, epoch: 1)))
        var bad: [[UInt8]] = [[], [1], Array(good.bytes.prefix(31)), Array(good.bytes.dropLast()), good.bytes + [0]]
        for (offset, value) in [(0, UInt8(9)), (2, 0), (2, 200), (3, 1), (4, 3), (8, 7), (12, 1), (15, 0xff)] {
            var bytes = good.bytes
            bytes[offset] = value
            bad.append(bytes)
        }
        for bytes in bad { target.deliver(Frame(bytes: bytes), from: 2) }
        #expect(target.counts.malformed == bad.count)
        target.deliver(good, from: 3)  // it says that it is from 2
        #expect(target.counts.malformed == bad.count + 1 && target.counts.stale == 0)
        target.deliver(good, from: 2)
        #expect(target.counts.malformed == bad.count + 1)
        #expect(forger.stillWorks())
    }

    @Test func eachFrameCountsOnceAndInOrder() {
        let forger = Forger()
        let (target, server) = (forger.target, forger.sites.a.actor("server"))
        let port = server.nucleus.newPort()
        var head = KnMsgHead()
        (head.target, head.srcPort) = (port.ui, KnUniqueId(.port, site: 2, random: 9))
        var message = Frame(.message, MessageFields(head: head, port: port.ui, capacity: 0, mode: K_FUNCMODE))
        message.append(nil, Int(K_CMSGANNEXSIZE))
        let frame = forger.frame(message)
        for _ in 0..<3 { target.deliver(frame, from: 2) }
        #expect(server.nucleus.receive(port.li, delay: 0).code == port.li)
        #expect(server.nucleus.receive(port.li, delay: 0).code == K_ENOMSG)
        #expect(target.counts.stale == 2)
        target.deliver(forger.frame(message, incarnation: 12345), from: 2)
        #expect(target.counts.stale == 3)
        // What is missing may have been anything.
        let client = forger.sites.a.actor("client")
        let there = forger.sites.b.actor("there").nucleus.newPort()
        let calling = forger.sites.a.start { client.nucleus.call(there.ui, delay: 60_000).code }
        #expect(eventually { forger.sites.b.site.port(there.ui, holds: 1) })
        target.deliver(forger.frame(message, sequence: forger.next + 1), from: 2)
        #expect(calling.result() == K_ELINKFAILURE && target.counts.lost == 1)
        #expect(forger.stillWorks())
    }

    @Test func othersCallsAndPortsAreOutOfReach() {
        let forger = Forger()
        let (target, server) = (forger.target, forger.sites.a.actor("server"))
        let port = server.nucleus.newPort()
        var head = KnMsgHead()
        (head.target, head.bodySize) = (port.ui, 4)
        // A body that is not there, and a client that is another site's.
        for (call, annex) in [(WireCall(), 256), (WireCall(id: 5, origin: 7), 260), (WireCall(id: 5, origin: 1), 260)] {
            var message = Frame(
                .message, MessageFields(head: head, call: call, port: port.ui, capacity: 9, mode: K_FUNCMODE))
            message.append(nil, annex)
            target.deliver(forger.frame(message), from: 2)
        }
        #expect(target.counts.malformed == 3 && server.nucleus.receive(port.li, delay: 0).code == K_ENOMSG)
        // A call of this site's ends only by who knows its number.
        let (client, there) = (forger.sites.a.actor("client"), forger.sites.b.actor("there"))
        let far = there.nucleus.newPort()
        let calling = forger.sites.a.start { client.nucleus.call(far.ui, "x", delay: 60_000).reply == "y" ? 0 : -1 }
        #expect(eventually { forger.sites.b.site.port(far.ui, holds: 1) })
        for id in UInt64(0)..<20 {
            forger.deliver(.fail, EndFields(call: WireCall(id: id, origin: 1), code: K_EDEADSERVER))
            forger.deliver(.passed, PassedFields(call: WireCall(id: id, origin: 1), site: 9, epoch: 9))
        }
        // A port of ours does not come from elsewhere, nor does one that is here; nobody says where it is but who had it.
        let before = forger.sites.a.site.allActors.count
        for ui in [port.ui, KnUniqueId(.port, site: 1, random: 77), KnUniqueId(.actor, site: 2, random: 1)] {
            forger.deliver(.prepare, PrepareFields(id: 4, ui: ui, actor: server.cap))
            forger.deliver(.moved, PlaceFields(ui: ui, site: 2, epoch: 9))
            forger.deliver(.commit, CommitFields(id: 4, epoch: 9, protection: KnProtId(), groups: 0, trail: 0))
        }
        forger.deliver(.prepare, PrepareFields(id: 4, ui: KnUniqueId(.port, site: 2, random: 1), actor: KnCap()))
        #expect(target.state.withLock { $0.places.isEmpty && $0.arrivals.isEmpty && $0.switches.isEmpty })
        #expect(forger.sites.a.site.allActors.count == before)
        #expect(!calling.isDone && there.nucleus.receive(far.li).text == "x")
        // The answer's own number is not the next one any more: the other site is heard again after a new start.
        #expect(forger.sites.restart(1, 2) && calling.result() == -1)
        #expect(forger.stillWorks())
    }

    /// Frames of every kind with a valid envelope and anything behind it.
    @Test func randomFramesDoNoHarm() {
        let seed = UInt64.random(in: 1...UInt64.max)
        var state = seed
        func draw(_ below: UInt64) -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state % below
        }
        let forger = Forger()
        let server = forger.sites.a.actor("server")
        let port = server.nucleus.newPort()
        for _ in 0..<4000 {
            guard let kind = FrameKind(rawValue: UInt16(draw(18) + 1)) else { continue }
            var frame = Frame(kind)
            let size = draw(3) == 0 ? Int(draw(700)) : [16, 24, 32, 36, 104, 112, 360][Int(draw(7))]
            for at in stride(from: 0, to: size, by: 4) {
                // Mostly small numbers, and names that there are.
                let word = [draw(4), draw(1 << 32), 1, 2, UInt64(port.ui.uiHead), UInt64(port.ui.uiTail)][Int(draw(6))]
                for i in 0..<min(4, size - at) { frame.append(UInt8(truncatingIfNeeded: word >> (8 * UInt64(i)))) }
            }
            forger.target.deliver(forger.frame(frame), from: 2)
        }
        #expect(forger.target.counts.malformed > 100, "seed \(seed)")
        #expect(forger.target.state.withLock { $0.heldBytes } == 0)
        #expect(forger.stillWorks(), "seed \(seed)")
    }
}
