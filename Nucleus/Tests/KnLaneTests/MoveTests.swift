import CChorus
import Glibc
import Synchronization
import Testing

@testable import KnLane

/// `chorus move`: a server goes on as another instance, in the other privilege, while it is used.
@Suite(.serialized) struct MoveTests {
    private func load(_ booted: BootedSite, _ privilege: Int32, _ options: String = "") throws -> KnCap {
        let object = try #require(Fixture.mover, "cc builds the test server")
        let (code, cap, why) = booted.load(privilege, object: object, options: options)
        try #require(code == K_OK, "\(code) \(why)")
        return cap
    }

    @Test func clientsNoticeNothing() throws {
        let booted = try BootedSite()
        let first = try load(booted, K_USERACTOR)
        let direct = try #require(booted.ports(of: first.ui).max { $0.li < $1.li })
        let running = Atomic<Bool>(true)
        let failures = Mutex<[Int32]>([])
        nonisolated(unsafe) let shared = booted  // its boot table and nucleus table may be used from any thread
        let sent = (0..<4).map { _ in Counter() }
        let threads = (0..<4).map { sender in
            startThread { [sent] in
                while running.load(ordering: .relaxed) {
                    let next = sent[sender].value.load(ordering: .relaxed) + 1
                    // Two call the group, one calls a port by name, one sends without an answer.
                    let dest = sender == 2 ? direct.ui : shared.group()
                    let code =
                        sender == 3
                        ? shared.send(dest, UInt32(sender), next) : shared.tell(dest, UInt32(sender), next).code
                    if code < 0 { failures.withLock { $0.append(code) } }
                    sent[sender].value.store(next, ordering: .relaxed)
                    if sender == 3 { usleep(200) }
                }
            }
        }
        var cap = first
        for round in 1...20 {
            let privilege = round % 2 == 1 ? K_SUPACTOR : K_USERACTOR
            let (code, now, why) = booted.move(cap, privilege)
            #expect(code == K_OK, "\(why)")
            var old = cap
            #expect(booted.boot.pointee.actorHeartbeat(booted.site, &old) == K_EUNKNOWN, "it is gone")
            cap = now
            let values = booted.tell(booted.group(), 0, 0).values
            try #require(values.count == 5)
            #expect(values[2] == UInt32(round) && values[3] == UInt32(privilege))
        }
        running.store(false, ordering: .relaxed)
        for thread in threads { pthread_join(thread, nil) }
        #expect(failures.withLock { $0 } == [])
        let total = sent.reduce(0) { $0 + $1.value.load(ordering: .relaxed) }
        for _ in 0..<10_000 where booted.tell(booted.group(), 0, 0).values.first != total { usleep(1000) }
        let values = booted.tell(booted.group(), 0, 0).values
        #expect(values.first == total, "none lost, none twice")
        #expect(values.dropFirst().first == 0, "the order of each sender is kept")
        #expect(total > 100)
    }

    @Test(arguments: ["import=no", "main=no", "export=none"]) func refusedItGoesOn(_ option: String) throws {
        let booted = try BootedSite()
        let cap = try load(booted, K_SUPACTOR, option)
        #expect(booted.tell(booted.group(), 1, 1).code == K_OK)
        let (code, _, why) = booted.move(cap, K_USERACTOR)
        let expected = ["import=no": K_EINVAL, "main=no": K_EBUSY, "export=none": K_ENOSYS][option]
        #expect(code == expected, "\(why)")
        #expect(!why.isEmpty)
        let values = booted.tell(booted.group(), 1, 2).values
        #expect(values == [2, 0, 0, UInt32(K_SUPACTOR), 2], "the same instance, with what it had")
        #expect(booted.ports(of: cap.ui).count == 3)
    }

    /// Who never answers keeps it where it is; others are served.
    @Test func doesNotComeToRest() throws {
        let booted = try BootedSite()
        let cap = try load(booted, K_USERACTOR)
        nonisolated(unsafe) let shared = booted
        let thread = startThread { _ = shared.tell(shared.group(), 7, 0xffff_ffff) }
        while booted.tell(booted.group(), 7, 0).values.last == 0 { usleep(1000) }
        #expect(booted.move(cap, K_SUPACTOR).code == K_EBUSY)
        #expect(booted.tell(booted.group(), 1, 1).code == K_OK)
        var old = cap
        _ = booted.boot.pointee.actorUnload(booted.site, &old)  // takes the thread's server away
        pthread_join(thread, nil)
    }

    @Test func wrongArguments() throws {
        let booted = try BootedSite()
        let cap = try load(booted, K_SUPACTOR)
        #expect(booted.move(cap, K_UNIXACTOR).code == K_EINVAL)
        var forged = cap
        forged.key.keyTail ^= 1
        #expect(booted.move(forged, K_USERACTOR).code == K_EPRIV)
        forged.ui.uiTail ^= 1
        #expect(booted.move(forged, K_USERACTOR).code == K_EUNKNOWN)
    }
}

private final class Counter: Sendable {
    let value = Atomic<UInt32>(0)
}

extension BootedSite {
    fileprivate func move(_ cap: KnCap, _ privilege: Int32) -> (code: Int32, now: KnCap, why: String) {
        var (cap, now) = (cap, KnCap())
        var why = [CChar](repeating: 0, count: 300)
        let code = boot.pointee.actorMove(site, &cap, privilege, &now, &why, UInt32(why.count))
        return (code, now, why.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" })
    }

    fileprivate func group() -> KnUniqueId {
        var name = KnUniqueId()
        _ = n.pointee.grpName(n.pointee.`self`, K_STAMP_FILE, &name)
        return name
    }

    fileprivate func tell(_ dest: KnUniqueId, _ sender: UInt32, _ sequence: UInt32) -> (code: Int32, values: [UInt32]) {
        var dest = KnIpcDest(target: dest, coTarget: KnUniqueId())
        var reply = [UInt32](repeating: 0, count: 5)
        var size: UInt32 = 20
        let code = n.pointee.ipcCall(
            n.pointee.`self`, K_DEFAULTPORT, &dest, K_FUNCMODE, nil, [sender, sequence], 8, nil, &reply, &size, 0,
            K_NOTIMEOUT)
        return (code, code < 0 ? [] : Array(reply.prefix(Int(size) / 4)))
    }

    fileprivate func send(_ dest: KnUniqueId, _ sender: UInt32, _ sequence: UInt32) -> Int32 {
        var dest = KnIpcDest(target: dest, coTarget: KnUniqueId())
        return n.pointee.ipcSend(n.pointee.`self`, K_DEFAULTPORT, &dest, K_FUNCMODE, nil, [sender, sequence], 8)
    }

    fileprivate func ports(of actor: KnUniqueId) -> [KnPortStat] {
        var stats = [KnPortStat](repeating: KnPortStat(), count: 64)
        var count = UInt32(stats.count)
        guard n.pointee.portStat(n.pointee.`self`, &count, &stats) >= 0 else { return [] }
        return stats.prefix(Int(count)).filter { $0.actor.uiHead == actor.uiHead && $0.actor.uiTail == actor.uiTail }
    }
}
