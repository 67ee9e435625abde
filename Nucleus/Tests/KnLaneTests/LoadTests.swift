import CChorus
import Glibc
import MachineLinux
import Synchronization
import Testing

@testable import KnLane

private func ascii(_ text: StaticString) -> [UInt8] { text.withUTF8Buffer { Array($0) } }

@Suite(.serialized) struct LoadTests {
    static let privileges = [K_SUPACTOR, K_USERACTOR]

    @Test(arguments: privileges) func sameFileInBothPrivileges(_ privilege: Int32) throws {
        let object = try #require(Fixture.object, "cc builds the test server")
        let booted = try BootedSite()
        let (code, cap, why) = booted.load(privilege, object: object)
        try #require(code == K_OK, "\(code) \(why)")

        let annex = (0..<Int(K_CMSGANNEXSIZE)).map { UInt8(truncatingIfNeeded: $0 * 7) }
        let echo = booted.call(ascii("echo me"), annex: annex)
        #expect(echo.code == K_OK && echo.reply == ascii("echo me") && echo.annex == annex)

        let own = booted.call(ascii("u"))
        #expect(own.reply == withUnsafeBytes(of: cap.ui) { Array($0) }, "it acts as itself")

        #expect(booted.call(ascii("v")).code == K_OK)
        var state = booted.state()
        for _ in 0..<20_000 where state.count == 5 && (state[1] != 5 || state[2] != 1) {
            usleep(1000)
            state = booted.state()
        }
        try #require(state.count == 5)
        #expect(state[1] == 5, "the event's bits")
        #expect(state[2] == 1, "its server thread ran, and knew itself")
        #expect(state[3] == UInt32(privilege))
        #expect((state[4] == UInt32(getpid())) == (privilege == K_SUPACTOR), "user actors have a process of their own")

        #expect(booted.call(ascii("s")).reply == ascii("segment"), "a descriptor goes up")
        #expect(booted.call(ascii("?")).code == K_ENOSYS, "its errors arrive")

        var held = cap
        #expect(booted.boot.pointee.actorStarted(booted.site, &held) == 7)
        var size: UInt32 = 64
        var message = [UInt8](repeating: 0, count: 64)
        #expect(booted.boot.pointee.actorExport(booted.site, &held, 0, &message, &size) == K_OK)
        #expect(Array(message.prefix(Int(size))) == ascii("state"))
        #expect(booted.boot.pointee.actorExport(booted.site, &held, 1, &message, &size) == K_OK && size == 0)
        #expect(booted.boot.pointee.actorImport(booted.site, &held, 0, &message, 0) == K_ENOSYS)
        #expect(booted.boot.pointee.actorHeartbeat(booted.site, &held) == K_ENOSYS, "it has none")

        #expect(booted.boot.pointee.actorUnload(booted.site, &held) == K_OK)
        #expect(booted.call(ascii("e")).code < 0, "nobody serves the group any more")
        #expect(booted.boot.pointee.actorStarted(booted.site, &held) == K_EUNKNOWN)
    }

    /// An object built long ago: the nucleus of today serves it at the places and with the layouts of ABI 1.0.
    @Test(arguments: privileges) func objectOfABI10(_ privilege: Int32) throws {
        let object = try #require(Fixture.abi10, "cc builds the test server")
        let booted = try BootedSite()
        let (code, cap, why) = booted.load(privilege, object: object)
        try #require(code == K_OK, "\(code) \(why)")
        var held = cap
        #expect(booted.boot.pointee.actorStarted(booted.site, &held) == 10)

        let annex = (0..<256).map { UInt8(truncatingIfNeeded: $0 * 11) }
        let answer = booted.call(ascii("seven b"), annex: annex)
        try #require(answer.code == K_OK && answer.reply.count == 52)
        #expect(answer.annex == annex)
        func field<T: BitwiseCopyable>(_ offset: Int, _ type: T.Type) -> T {
            answer.reply.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: type) }
        }
        #expect(field(0, UInt32.self) == 7 && field(4, UInt32.self) == 1, "the message's head")
        #expect(field(8, UInt32.self) == cap.ui.uiHead && field(12, UInt32.self) == cap.ui.uiTail)
        #expect(field(16, Int32.self) == privilege, "its own line of actorStat")
        #expect(Array(answer.reply[20..<28]) == ascii("fixture") + [0])
        #expect(booted.boot.pointee.actorUnload(booted.site, &held) == K_OK)
    }

    @Test(arguments: privileges) func largeBodies(_ privilege: Int32) throws {
        let object = try #require(Fixture.object)
        let booted = try BootedSite()
        try #require(booted.load(privilege, object: object).code == K_OK)
        var random = Seeded()
        for size in [1, 4095, 4096, 65_537, Int(K_CMSGSIZEMAX) - 1, Int(K_CMSGSIZEMAX)] {
            var body = [UInt8](repeating: 0, count: size)
            body.withUnsafeMutableBytes { random.fill($0) }
            body[0] = UInt8(ascii: "e")
            let echo = booted.call(body, capacity: Int(K_CMSGSIZEMAX))
            #expect(echo.code == K_OK && echo.reply == body, "\(size)")
            #expect(booted.call(body, capacity: size - 1).code == K_ETOOBIG, "\(size)")
        }
    }

    @Test(arguments: privileges) func manyThreadsAtOnce(_ privilege: Int32) throws {
        let object = try #require(Fixture.object)
        let booted = try BootedSite()
        try #require(booted.load(privilege, object: object).code == K_OK)
        let wrong = Atomic<Int>(0)
        withUnsafePointer(to: wrong) { wrong in
            nonisolated(unsafe) let booted = booted
            nonisolated(unsafe) let wrong = wrong
            let threads = (0..<8).map { number in
                startThread {
                    for round in 0..<200 {
                        let body = ascii("e") + [UInt8(number), UInt8(round)]
                        if booted.call(body).reply != body { wrong.pointee.wrappingAdd(1, ordering: .relaxed) }
                    }
                }
            }
            for thread in threads { pthread_join(thread, nil) }
        }
        #expect(wrong.load(ordering: .relaxed) == 0)
        #expect(booted.state().first == 1601)
    }

    /// Servers that call each other, in every mixture of privileges; also back into the one that began.
    @Test(arguments: privileges, privileges) func serversCallEachOther(_ first: Int32, _ second: Int32) throws {
        let object = try #require(Fixture.object)
        let booted = try BootedSite()
        try #require(booted.load(first, object: object, stamp: K_STAMP_FILE).code == K_OK)
        try #require(booted.load(second, object: object, stamp: K_STAMP_DEVICE).code == K_OK)
        func via(_ stamp: UInt32, _ body: [UInt8]) -> [UInt8] {
            ascii("c") + withUnsafeBytes(of: stamp) { Array($0) } + body
        }
        let large = ascii("e") + [UInt8](repeating: 99, count: 300_000)
        for body in [ascii("echo"), large] {
            let echo = booted.call(via(K_STAMP_DEVICE, body), capacity: 400_000)
            #expect(echo.code == K_OK && echo.reply == body)
            let deep = booted.call(via(K_STAMP_DEVICE, via(K_STAMP_FILE, via(K_STAMP_DEVICE, body))), capacity: 400_000)
            #expect(deep.code == K_OK && deep.reply == body)
        }
        #expect(booted.call(via(K_STAMP_SOCKET, large)).code < 0, "nobody serves that group")
        guard second == K_USERACTOR else { return }
        #expect(booted.call(via(K_STAMP_DEVICE, ascii("d"))).code == K_EDEADSERVER, "the error comes through")
        #expect(booted.call(ascii("e")).reply == ascii("e"), "and who asked lives on")
    }

    @Test(arguments: privileges) func refusals(_ privilege: Int32) throws {
        let object = try #require(Fixture.object)
        let booted = try BootedSite()
        let refused = booted.load(privilege, object: object, options: "refuse=yes\n")
        #expect(refused.code == K_EBUSY)
        #expect(LogLines.contains(refused.why, "kn_actor_main"))
        let missing = booted.load(privilege, object: "/nowhere/lib.so")
        #expect(missing.code == K_EHOST)
        #expect(LogLines.contains(missing.why, "/nowhere/lib.so"))
        #expect(booted.load(7, object: object).code == K_EINVAL)
        #expect(booted.load(privilege, object: object).code == K_OK, "and the next one loads")
    }

    @Test func deathInAHandlerEndsTheCall() throws {
        let object = try #require(Fixture.object)
        let booted = try BootedSite()
        try #require(booted.load(K_USERACTOR, object: object).code == K_OK)
        #expect(booted.call(ascii("d")).code == K_EDEADSERVER)
        #expect(booted.log.waitFor("fixture: host process"))
        #expect(booted.log.waitFor("signal 6"))
        for _ in 0..<20_000 where booted.call(ascii("e")).code == K_EDEADSERVER { usleep(1000) }
        #expect(booted.call(ascii("e")).code != K_EDEADSERVER, "the actor is gone with its port")
        #expect(booted.load(K_USERACTOR, object: object).code == K_OK, "another takes its place")
        #expect(booted.call(ascii("e")).reply == ascii("e"))
    }

    @Test func deathFromOutside() throws {
        let object = try #require(Fixture.object)
        let booted = try BootedSite()
        try #require(booted.load(K_USERACTOR, object: object).code == K_OK)
        let state = booted.state()
        try #require(state.count == 5)
        kill(pid_t(state[4]), SIGKILL)
        #expect(booted.log.waitFor("\(state[4]) died (signal 9)"))
        #expect(booted.call(ascii("e")).code < 0)
    }

    /// A dead server posts nothing any more: who waits for it must not wait for ever.
    @Test func deathTellsWhoWaits() throws {
        let object = try #require(Fixture.object)
        let booted = try BootedSite()
        try #require(booted.load(K_SUPACTOR, object: object, stamp: K_STAMP_FILE).code == K_OK)
        try #require(booted.load(K_USERACTOR, object: object, stamp: K_STAMP_DEVICE).code == K_OK)
        try #require(booted.state().count == 5 && booted.state()[1] == 0)
        let kill = ascii("c") + withUnsafeBytes(of: K_STAMP_DEVICE) { Array($0) } + ascii("d")
        #expect(booted.call(kill).code == K_EDEADSERVER)
        for _ in 0..<20_000 where booted.state()[1] == 0 { usleep(1000) }
        #expect(booted.state()[1] == UInt32.max, "every event is posted")
        #expect(booted.call(kill).code == K_EUNREACHABLE, "and who asks again is told")
    }

    /// A TERM for the whole process group is the nucleus' to obey, in order.
    @Test func hostProcessesIgnoreTheGroupsSignals() throws {
        let object = try #require(Fixture.object)
        let booted = try BootedSite()
        try #require(booted.load(K_USERACTOR, object: object).code == K_OK)
        let pid = pid_t(try #require(booted.state().last))
        for signal in [SIGTERM, SIGINT, SIGHUP, SIGQUIT] { #expect(kill(pid, signal) == 0) }
        #expect(booted.call(ascii("e")).reply == ascii("e"))
    }

    @Test func noProcessStaysBehind() throws {
        let object = try #require(Fixture.object)
        var pid: pid_t = 0
        do {
            let booted = try BootedSite()
            try #require(booted.load(K_USERACTOR, object: object).code == K_OK)
            let state = booted.state()
            try #require(state.count == 5)
            pid = pid_t(state[4])
            #expect(kill(pid, 0) == 0)
        }
        for _ in 0..<20_000 where kill(pid, 0) == 0 { usleep(1000) }
        #expect(kill(pid, 0) != 0)
    }

    @Test func withoutClosures() throws {
        let object = try #require(Fixture.object)
        setenv("CHORUS_NO_CLOSURES", "1", 1)
        defer { unsetenv("CHORUS_NO_CLOSURES") }
        let booted = try BootedSite()
        try #require(booted.load(K_USERACTOR, object: object).code == K_OK)
        #expect(booted.call(ascii("s")).reply == ascii("segment"))
    }

    /// Not a test of time: prints what a call costs here.
    @Test(arguments: privileges) func cost(_ privilege: Int32) throws {
        let object = try #require(Fixture.object)
        let booted = try BootedSite()
        try #require(booted.load(privilege, object: object).code == K_OK)
        for (what, body) in [("null call", ascii("n")), ("call with one upcall", ascii("u"))] {
            var best = UInt64.max
            for _ in 0..<100 {
                let start = now()
                for _ in 0..<100 { _ = booted.rawCall(body) }
                best = min(best, now() - start)
            }
            print("\(what), \(privilege == K_SUPACTOR ? "supervisor" : "user"): \(best / 100) ns (best of 100 x 100)")
        }
        #expect((booted.state().first ?? 0) > 20_000)
    }

    private func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

extension BootedSite {
    /// A call without allocations around it.
    func rawCall(_ body: [UInt8]) -> Int32 {
        var dest = KnIpcDest()
        let own = n.pointee.`self`
        _ = n.pointee.grpName(own, K_STAMP_FILE, &dest.target)
        return withUnsafeTemporaryAllocation(byteCount: 64, alignment: 8) { reply in
            var size = UInt32(64)
            return n.pointee.ipcCall(
                own, K_DEFAULTPORT, &dest, K_FUNCMODE, nil, body, UInt32(body.count), nil, reply.baseAddress, &size, 0,
                K_NOTIMEOUT)
        }
    }
}

private final class Body {
    let run: () -> Void
    init(_ run: @escaping () -> Void) { self.run = run }
}

func startThread(_ run: @escaping () -> Void) -> pthread_t {
    var thread = pthread_t()
    pthread_create(
        &thread, nil,
        { argument in
            guard let argument else { return nil }
            Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
            return nil
        }, Unmanaged.passRetained(Body(run)).toOpaque())
    return thread
}
