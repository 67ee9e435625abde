import CChorus
import Glibc
import Synchronization
import Testing

@testable import KnLane

/// Traps of a subsystem's own: raised by a server in either privilege, answered by one in either privilege.
@Suite(.serialized) struct TrapTests {
    /// A site with an owner of the traps and somebody who raises them.
    final class Site: @unchecked Sendable {  // Sendable: constants; the table may be used from any thread.
        let booted: BootedSite
        let owner: KnCap
        var n: UnsafePointer<KnNucleus> { booted.n }

        init(_ owning: Int32, _ raising: Int32) throws {
            let object = try #require(Fixture.traps, "cc builds the test server")
            booted = try BootedSite()
            let (code, cap, why) = booted.load(owning, object: object, options: "own=yes\n", stamp: K_STAMP_DEVICE)
            try #require(code == K_OK, "\(code) \(why)")
            owner = cap
            let other = booted.load(raising, object: object)
            try #require(other.code == K_OK, "\(other.code) \(other.why)")
        }

        func ask(_ letter: Character, stamp: UInt32 = K_STAMP_FILE) -> Int32 {
            let answer = booted.call([letter.asciiValue ?? 0], stamp: stamp)
            guard answer.code == K_OK else { return answer.code }
            return answer.reply.withUnsafeBytes { $0.count == 4 ? $0.loadUnaligned(as: Int32.self) : 0 }
        }

        /// By the test itself, a supervisor.
        func raise(_ number: UInt32, _ args: [UInt64] = []) -> Int32 {
            n.pointee.trapRaise(n.pointee.`self`, 0x50, number, args, nil)
        }

        func blocked(_ count: Int) -> Bool {
            let stats = UnsafeMutablePointer<KnThreadStat2>.allocate(capacity: 512)
            defer { stats.deallocate() }
            for _ in 0..<20_000 {
                var size: UInt32 = 512
                guard n.pointee.threadStat2(n.pointee.`self`, &size, stats) >= 0 else { return false }
                let waiting = (0..<Int(size)).count { index in
                    withUnsafeBytes(of: stats[index].blockedOn) { $0.starts(with: Array("threadDelay".utf8)) }
                }
                if waiting >= count { return true }
                usleep(500)
            }
            return false
        }
    }
    private static let block: UInt32 = 5

    @Test(arguments: LoadTests.privileges, LoadTests.privileges)
    func argumentsTravelBySignature(_ owning: Int32, _ raising: Int32) throws {
        let site = try Site(owning, raising)
        #expect(site.ask("r") == 0, "the line of traps.c that went wrong")
        #expect(site.raise(0, [1, 2, 3]) == 6)
        #expect(site.ask("r", stamp: K_STAMP_DEVICE) == 0, "and one's own")
    }

    /// Nobody is left in a handler whose actor has gone.
    @Test(arguments: LoadTests.privileges, LoadTests.privileges)
    func unloadedWhileCallersAreInside(_ owning: Int32, _ raising: Int32) throws {
        let site = try Site(owning, raising)
        let codes = Mutex<[Int32]>([])
        let threads = (0..<2).flatMap { _ in
            [
                startThread {
                    let code = site.ask("b"); codes.withLock { $0.append(code) }
                },
                startThread {
                    let code = site.raise(Self.block); codes.withLock { $0.append(code) }
                },
            ]
        }
        #expect(site.blocked(4))
        var cap = site.owner
        #expect(site.n.pointee.actorDelete(site.n.pointee.`self`, &cap) == K_OK)
        for thread in threads { pthread_join(thread, nil) }
        codes.withLock { #expect($0 == [Int32](repeating: K_EDEADSERVER, count: 4)) }
        #expect(site.raise(0, [1, 2, 3]) == K_EUNKNOWN)
        #expect(site.ask("b") == K_EUNKNOWN)
        #expect(site.ask("c") == K_OK, "its traps are free")
        #expect(site.ask("r") == 0)
    }

    /// A handler may disconnect its own trap; who does so from outside waits for those inside.
    @Test(arguments: LoadTests.privileges, LoadTests.privileges)
    func disconnected(_ owning: Int32, _ raising: Int32) throws {
        let site = try Site(owning, raising)
        #expect(site.n.pointee.svTrapDisConnect(site.n.pointee.`self`, 0x50) == K_EPRIV, "another's")
        #expect(site.ask("l") == K_OK)
        #expect(site.ask("b") == K_EUNKNOWN && site.ask("d", stamp: K_STAMP_DEVICE) == K_EUNKNOWN)
        #expect(site.n.pointee.svTrapDisConnect(site.n.pointee.`self`, 0x51) == K_EPRIV)
    }

    /// A table in the place of another: who knew the old signatures asks for the new ones.
    @Test(arguments: LoadTests.privileges, LoadTests.privileges)
    func anotherTable(_ owning: Int32, _ raising: Int32) throws {
        let site = try Site(owning, raising)
        #expect(site.ask("r") == 0)
        #expect(site.ask("d", stamp: K_STAMP_DEVICE) == K_OK)
        let own = site.n.pointee.`self`
        var entries = [KnTrapEntry](repeating: KnTrapEntry(), count: 9)
        let handler: @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<UInt64>?) -> Int32 = { _, value in
            Int32(truncatingIfNeeded: value?.pointee ?? 1)
        }
        for index in entries.indices {
            entries[index].handler = unsafeBitCast(handler, to: (@convention(c) () -> Void).self)
            entries[index].count = 1
            entries[index].args.0 = KnArg(type: UInt8(K_ARG_BUF), dir: UInt8(K_IN), len: 0, lenArg: 0, size: 8)
        }
        #expect(site.n.pointee.svTrapTable(own, 0x50, &entries, 9, nil) == K_OK)
        // Its first argument, a number, is no pointer to one.
        #expect(site.ask("n") == K_EHOST)
        #expect(site.n.pointee.svTrapDisConnect(own, 0x50) == K_OK)
    }

    /// Not a test of time: prints what a trap costs here.
    @Test(arguments: LoadTests.privileges, LoadTests.privileges)
    func cost(_ owning: Int32, _ raising: Int32) throws {
        let site = try Site(owning, raising)
        func name(_ privilege: Int32) -> String { privilege == K_SUPACTOR ? "supervisor" : "user" }
        for (what, letter) in [("specific handler", Character("n")), ("general handler", Character("g"))] {
            var best = UInt64.max
            for _ in 0..<20 {
                let start = clock()
                #expect(site.ask(letter) == K_OK)
                best = min(best, clock() - start)
            }
            print("trap, \(what), \(name(raising)) to \(name(owning)): \(best / 1000) ns (best of 20 x 1000)")
        }
    }

    private func clock() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
