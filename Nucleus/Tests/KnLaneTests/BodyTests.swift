import CChorus
import CLane
import Glibc
import Testing

@testable import KnLane
@testable import Nucleus

/// Bodies that are moved between actors of any privilege.
@Suite(.serialized) struct BodyTests {
    private func sum(_ size: UInt32) -> UInt64 {
        (0..<size).reduce(0) { $0 &* 31 &+ UInt64(UInt8(truncatingIfNeeded: $1 &* 7 &+ 1)) }
    }

    private func bytes<Value>(_ value: Value) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }

    /// The code, and the sum in the answer's annex.
    private func ask(_ booted: BootedSite, _ annex: [UInt8], body: [UInt8] = []) -> (Int32, UInt64) {
        let padded = annex + [UInt8](repeating: 0, count: Int(K_CMSGANNEXSIZE) - annex.count)
        let answer = booted.call(body, annex: padded)
        return (answer.code, answer.annex.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) })
    }

    @Test(arguments: LoadTests.privileges, LoadTests.privileges) func inEveryPairing(_ first: Int32, _ second: Int32)
        throws
    {
        let object = try #require(Fixture.bodies, "cc builds the test server")
        let booted = try BootedSite()
        try #require(booted.load(first, object: object, stamp: K_STAMP_FILE).code == K_OK)
        try #require(booted.load(second, object: object, stamp: K_STAMP_DEVICE).code == K_OK)
        let (to, back) = (bytes(K_STAMP_DEVICE), bytes(K_STAMP_FILE))
        func send(_ size: UInt32, _ rest: [UInt8]) -> (Int32, UInt64) {
            ask(booted, [UInt8(ascii: "n")] + to + bytes(size) + rest)
        }
        for size: UInt32 in [1, 4095, 4096, 4097, 100_000, UInt32(K_CMSGSIZEMAX)] {
            #expect(send(size, [UInt8(ascii: "t")]) == (K_OK, sum(size)), "\(size)")
            #expect(send(size, [UInt8(ascii: "k")]) == (K_OK, sum(size)), "\(size)")
            // There, back, and there again.
            let onward = [UInt8(ascii: "f")] + back + [UInt8(ascii: "f")] + to + [UInt8(ascii: "t")]
            #expect(send(size, onward) == (K_OK, sum(size)), "\(size)")
        }
        // Nothing is lost: more than an actor may hold goes through it.
        for _ in 0..<150 { #expect(send(UInt32(K_CMSGSIZEMAX), [UInt8(ascii: "k")]).0 == K_OK) }
        #expect(send(0, [UInt8(ascii: "k")]).0 == K_EINVAL)
        #expect(send(UInt32(K_CMSGSIZEMAX) + 1, [UInt8(ascii: "k")]).0 == K_ETOOBIG)
        #expect(send(8, [UInt8(ascii: "?")]).0 == K_ENOSYS)
    }

    @Test(arguments: LoadTests.privileges) func copiedOnesAreTakenToo(_ privilege: Int32) throws {
        let object = try #require(Fixture.bodies)
        let booted = try BootedSite()
        try #require(booted.load(privilege, object: object).code == K_OK)
        for size: UInt32 in [1, 5000, 300_000] {
            let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 1) }
            #expect(ask(booted, [UInt8(ascii: "t")], body: body) == (K_OK, sum(size)))
        }
        #expect(ask(booted, [UInt8(ascii: "t")]).0 == K_EINVAL, "an empty one is not there to take")
    }

    /// The receiver leaves the body in the nucleus at first: copied or moved, then fetched or taken.
    @Test(arguments: LoadTests.privileges, LoadTests.privileges)
    func deferredInEveryPairing(_ first: Int32, _ second: Int32) throws {
        let object = try #require(Fixture.bodies)
        let booted = try BootedSite()
        try #require(booted.load(first, object: object, stamp: K_STAMP_FILE).code == K_OK)
        try #require(booted.load(second, object: object, stamp: K_STAMP_DEVICE).code == K_OK)
        for size: UInt32 in [0, 1, 4096, 70_001, UInt32(K_CMSGSIZEMAX)] {
            for (how, then) in [("c", "g"), ("c", "t"), ("n", "g"), ("n", "t")] as [(Character, Character)] {
                // A body of no bytes is not there to move, nor to take.
                if size == 0, how == "n" || then == "t" { continue }
                let annex = [how.asciiValue ?? 0] + bytes(K_STAMP_DEVICE + 1) + bytes(size) + [then.asciiValue ?? 0]
                #expect(ask(booted, annex) == (K_OK, sum(size)), "\(how) \(then) \(size)")
            }
        }
    }

    /// The arena never gives two bodies the same bytes, and gets all of them back.
    @Test func theArena() throws {
        let arena = try #require(LaneArena { _ in true })
        var random = Seeded()
        var held: [ObjectIdentifier: (body: Range<UInt64>, keep: AnyObject)] = [:]
        for _ in 0..<3000 {
            if random.chance(60), let body = arena.take(1 + random.below(2 << 20)) {
                let part = body.name..<body.name + UInt64(body.capacity)
                #expect(body.name > 0 && part.upperBound <= UInt64(KN_LANE_ARENA))
                #expect(!held.values.contains { $0.body.overlaps(part) })
                held[ObjectIdentifier(body)] = (part, body)
            } else if let key = held.keys.randomElement(using: &random) {
                held[key] = nil
            }
        }
        held = [:]
        #expect(arena.take(Int(KN_LANE_ARENA) - 4096) != nil, "in one piece again")
    }
}
