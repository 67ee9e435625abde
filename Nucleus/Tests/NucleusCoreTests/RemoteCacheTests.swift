import ActorKit
import CChorus
import Glibc
import MapperFixture
import Synchronization
import Testing

@testable import NucleusCore

/// A mapper that lets one site write or many read.
private final class Coherence: Sendable {
    struct State {
        /// Rights, by key of the lccap.
        var holders: [UInt64: (lccap: KnCap, rights: UInt32)] = [:]
        var busy = false
        var revoked = 0
        var failures: [Int32] = []
    }
    let state = Mutex(State())
    private let actor: Actor
    let mapper: TestMapper

    init(_ actor: Actor, _ bytes: [UInt8]) {
        self.actor = actor
        mapper = TestMapper(actor, bytes)
        mapper.sharing = { [self] in grant($0, $1) }
    }

    /// One decision at a time. Pages that are pushed out meanwhile come by other threads.
    private func grant(_ lccap: KnCap, _ access: UInt32) -> @Sendable () -> Void {
        while !state.withLock({ state in
            defer { state.busy = true }
            return !state.busy
        }) { usleep(100) }
        let others = state.withLock { $0.holders.values.filter { !($0.lccap.key == lccap.key) } }
        for other in others {
            let keep = access & K_WRITABLE != 0 ? 0 : K_READABLE
            guard other.rights & ~keep != 0 else { continue }
            let order = mapper.state.withLock { state in
                state.order += 1
                return state.order
            }
            var range = KnObjDesc(dataObject: other.lccap, startOffset: 0, size: 0)
            let code = actor.nucleus.lcSetRights(&range, keep, order)
            state.withLock { state in
                state.revoked += 1
                if code < 0 { state.failures.append(code) }
                // A site that is gone has nothing any more.
                state.holders[other.lccap.key.raw] = code < 0 || keep == 0 ? nil : (other.lccap, keep)
            }
        }
        state.withLock { $0.holders[lccap.key.raw] = (lccap, access | K_READABLE) }
        return { self.state.withLock { $0.busy = false } }
    }
}

@Suite struct RemoteCacheTests {
    private static let bytes = (0..<40_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 9) }

    private func open(_ bench: Bench, _ segment: KnCap) -> (nucleus: Nucleus, li: Int32) {
        let nucleus = bench.actor("client").nucleus
        var (li, cap) = (Int32(0), segment)
        #expect(nucleus.lcOpen(&cap, 0, &li) == K_OK)
        return (nucleus, li)
    }

    /// With the mapper on the site of one of the two, and on a third.
    @Test(arguments: [1, 2]) func whatOneSiteWritesTheOtherReads(_ at: Int) {
        let sites = Joined(3)
        let coherence = Coherence(sites.benches[at].actor("mapper"), Self.bytes)
        let segment = coherence.mapper.segment
        let (a, b) = (open(sites.a, segment), open(sites.b, segment))
        #expect(a.nucleus.read(segment, 10_000, 5000).bytes == Array(Self.bytes[10_000..<15_000]))
        #expect(b.nucleus.read(segment, 10_000, 5000).bytes == Array(Self.bytes[10_000..<15_000]))
        for i in UInt8(0)..<20 {
            let (writer, reader) = i % 2 == 0 ? (a, b) : (b, a)
            #expect(writer.nucleus.write(segment, 12_000, [i, i &+ 1, i &+ 2]) == 3)
            #expect(reader.nucleus.read(segment, 11_999, 5).bytes[1...3] == [i, i &+ 1, i &+ 2])
            // And the writer sees its own.
            #expect(writer.nucleus.read(segment, 12_000, 1).bytes == [i])
        }
        #expect(coherence.state.withLock { $0.failures } == [] && coherence.state.withLock { $0.revoked } >= 20)
    }

    /// Two sites write to neighbouring words of one page.
    @Test func noWriteIsLost() {
        let sites = Joined(3)
        let coherence = Coherence(sites.benches[2].actor("mapper"), Self.bytes)
        let segment = coherence.mapper.segment
        let clients = [open(sites.a, segment), open(sites.b, segment)]
        let rounds = UInt8(100)
        let jobs = clients.enumerated().map { i, client in
            sites.benches[i].start {
                var last: UInt8 = 0
                for round in 1...rounds {
                    let code = client.nucleus.write(segment, UInt64(8 * i), [round])
                    if code != 1 { return code < 0 ? code : -1 }
                    // What the other has written only grows.
                    let got = client.nucleus.read(segment, UInt64(8 * (1 - i)), 1)
                    guard got.code >= 0, let now = got.bytes.first else { return got.code }
                    let first = Self.bytes[8 * (1 - i)]
                    if now != first, now < last { return -2 }
                    if now != first { last = now }
                }
                return K_OK
            }
        }
        for job in jobs { #expect(job.result() == K_OK) }
        for client in clients {
            #expect(client.nucleus.read(segment, 0, 1).bytes == [rounds])
            #expect(client.nucleus.read(segment, 8, 1).bytes == [rounds])
        }
    }

    /// A site that is gone costs the mapper an error, and the others nothing but what had not been pushed out.
    @Test func aSiteThatIsGoneHoldsNobodyUp() {
        let sites = Joined(3)
        let coherence = Coherence(sites.benches[2].actor("mapper"), Self.bytes)
        let segment = coherence.mapper.segment
        let (a, b) = (open(sites.a, segment), open(sites.b, segment))
        #expect(a.nucleus.write(segment, 0, [99]) == 1)
        sites.net.cut(1, 3)
        #expect(eventually { !sites.benches[2].site.sites.isUp(1) })
        #expect(b.nucleus.read(segment, 0, 1).bytes == [Self.bytes[0]])
        #expect(coherence.state.withLock { $0.failures } == [K_EUNREACHABLE])
        #expect(a.nucleus.read(segment, 0, 1).bytes == [99])
        #expect(a.nucleus.read(segment, 39_000, 1).bytes == [Self.bytes[39_000]])  // came along
        sites.net.heal(1, 3)
        #expect(eventually { sites.a.site.sites.isUp(3) && sites.benches[2].site.sites.isUp(1) })
        var cap = segment
        #expect(a.nucleus.sgFlush(&cap) == K_OK)
        #expect(coherence.mapper.state.withLock { $0.bytes[0] } == 99)
    }
}
