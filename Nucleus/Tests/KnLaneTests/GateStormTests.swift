import CChorus
import Glibc
import Synchronization
import Testing

@testable import KnLane

/// Handlers of all kinds that are connected, disconnected and at last unloaded while others are in them all the time.
/// KN_STORM_MS prolongs it.
@Suite(.serialized) struct GateStormTests {
    private enum Kind: Int, CaseIterable { case message, trap, interrupt, event, exception }

    private final class Storm: @unchecked Sendable {
        // Sendable: constants, atomics; the table may be used from any thread.
        let booted: BootedSite
        let owner: KnCap
        let stop = Atomic<Bool>(false)
        /// Nobody asks the decider any more.
        let decided = Atomic<Bool>(false)
        let unexpected = Mutex<[String]>([])
        let fallback: (li: KnPortLid, ui: KnUniqueId)
        let started: UInt64
        var n: UnsafePointer<KnNucleus> { booted.n }
        var own: UnsafeMutableRawPointer? { n.pointee.`self` }

        init(_ privilege: Int32, _ seed: UInt64) throws {
            let gates = try #require(Fixture.gates, "cc builds the test server")
            let faults = try #require(Fixture.faults, "cc builds the test server")
            booted = try BootedSite()
            let loaded = booted.load(privilege, object: gates, stamp: K_STAMP_DEVICE)
            try #require(loaded.code == K_OK, "\(loaded.code) \(loaded.why)")
            owner = loaded.cap
            var victim = booted.load(K_USERACTOR, object: faults)
            try #require(victim.code == K_OK, "\(victim.code) \(victim.why)")
            // Where no handler is connected, the test has its faults go on.
            var ui = KnUniqueId()
            let own = booted.n.pointee.`self`
            fallback = (booted.n.pointee.portCreate(own, nil, &ui), ui)
            try #require(booted.n.pointee.actorExcPort(own, &victim.cap, &ui) == K_OK)
            started = Storm.clock()
            let body =
                [UInt8(ascii: "g")] + withUnsafeBytes(of: victim.cap) { Array($0) }
                + withUnsafeBytes(of: seed) { Array($0) }
            try #require(booted.call(body, stamp: K_STAMP_DEVICE).code == K_OK)
        }

        static func clock() -> UInt64 {
            var time = timespec()
            clock_gettime(CLOCK_MONOTONIC, &time)
            return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
        }

        /// Runs, violations, the port's and the event's name, threads left.
        func state() -> [UInt32] {
            booted.call([UInt8(ascii: "p")], stamp: K_STAMP_DEVICE).reply.withUnsafeBytes { bytes in
                (0..<bytes.count / 4).map { bytes.load(fromByteOffset: $0 * 4, as: UInt32.self) }
            }
        }

        func expect(_ kind: Kind, _ code: Int32, among allowed: [Int32]) {
            if !allowed.contains(code) { unexpected.withLock { $0.append("\(kind): \(code)") } }
        }

        /// Until it is told to stop.
        func caller(_ kind: Kind) -> pthread_t {
            let state = state()
            guard state.count == 15 else { return startThread {} }
            var port = KnIpcDest()
            port.target = KnUniqueId(uiHead: state[10], uiTail: state[11])
            return startThread { [self] in
                while !stop.load(ordering: .relaxed) {
                    switch kind {
                    case .message:
                        var size: UInt32 = 0
                        let code = n.pointee.ipcCall(
                            own, K_DEFAULTPORT, &port, K_FUNCMODE, nil, nil, 0, nil, nil, &size, 0, 20)
                        expect(
                            kind, code, among: [K_OK, K_ETIMEOUT, K_EFULL, K_EUNKNOWN, K_EDEADSERVER, K_EPORTDELETED])
                    case .trap:
                        var result: Int64 = 0
                        let args: [UInt64] = [0, 0, 0, 0, 0, 0]
                        let code = n.pointee.trapRaise(own, 0x70, 1, args, &result)
                        expect(kind, code, among: [K_OK, K_EUNKNOWN, K_EDEADSERVER])
                        if code == K_OK, result != 5 { expect(kind, 0, among: []) }
                    case .interrupt:
                        expect(kind, n.pointee.svIntrTrigger(own, 9, K_INTR_EDGE), among: [K_OK])
                        usleep(20)
                    case .event:
                        let now = self.state()
                        guard now.count == 15 else { break }
                        var event = KnUniqueId(uiHead: now[12], uiTail: now[13])
                        for _ in 0..<20 {
                            expect(kind, n.pointee.eventPost(own, &event, 1), among: [K_OK, K_EUNKNOWN])
                        }
                    case .exception:
                        let answer = booted.call([UInt8(ascii: "s")])
                        expect(kind, answer.code, among: [K_OK])
                        let rcx = answer.reply.withUnsafeBytes { $0.count == 4 ? $0.loadUnaligned(as: Int32.self) : 0 }
                        expect(kind, rcx, among: [815])
                    }
                }
            }
        }

        /// Answers for faults that nobody is connected for.
        func decider() -> pthread_t {
            startThread { [self] in
                while !decided.load(ordering: .relaxed) {
                    var head = KnMsgHead()
                    var size: UInt32 = 0
                    var annex = [UInt8](repeating: 0, count: Int(K_CMSGANNEXSIZE))
                    guard n.pointee.ipcReceive(own, fallback.li, &head, &annex, nil, &size, 50) >= 0 else { continue }
                    var exception = annex.withUnsafeBytes { $0.loadUnaligned(as: KnException.self) }
                    FaultTests.goOn(&exception)
                    exception.answer = K_CONTEXT
                    annex.withUnsafeMutableBytes { $0.storeBytes(of: exception, as: KnException.self) }
                    _ = n.pointee.ipcReply(own, &annex, nil, 0)
                }
            }
        }
    }

    @Test(arguments: LoadTests.privileges) func comeAndGo(_ privilege: Int32) throws {
        var random = Seeded()
        let storm = try Storm(privilege, random.next())
        let milliseconds = getenv("KN_STORM_MS").flatMap { UInt64(String(cString: $0)) } ?? 1500
        // Whoever watches has gone when the line is given up: it never is.
        #expect(storm.n.pointee.svIntrWatch(storm.own, 9, 0, nil, 0) == K_OK)
        let decider = storm.decider()
        let callers = Kind.allCases.flatMap { kind in [storm.caller(kind), storm.caller(kind)] }
        func isThrough() -> Bool {
            let state = storm.state()
            return state.count == 15 && state[0..<5].allSatisfy { $0 >= 50 }
                && Storm.clock() - storm.started > milliseconds * 1_000_000
        }
        var through = false
        for _ in 0..<6000 where !through {
            usleep(10_000)
            through = isThrough()
        }
        let state = storm.state()
        #expect(state.count == 15)
        print("runs \(state.prefix(5))")
        #expect(through, "every kind ran")
        #expect(state.dropFirst(5).prefix(5).allSatisfy { $0 == 0 }, "violations \(state.dropFirst(5).prefix(5))")
        // Unloaded under the same load.
        var cap = storm.owner
        #expect(storm.booted.boot.pointee.actorUnload(storm.booted.site, &cap) == K_OK)
        usleep(20_000)
        storm.stop.store(true, ordering: .relaxed)
        for thread in callers { pthread_join(thread, nil) }
        storm.decided.store(true, ordering: .relaxed)
        pthread_join(decider, nil)
        storm.unexpected.withLock { #expect($0 == []) }
        #expect(storm.booted.call([UInt8(ascii: "n")]).code == K_ENOSYS, "the other server lives")
    }
}
