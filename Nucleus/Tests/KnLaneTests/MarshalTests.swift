import CChorus
import Glibc
import Testing

@testable import KnLane

/// What a callee was handed, checked against what the caller passed.
private func expectSame(_ caller: Arguments, _ slots: UnsafeMutablePointer<UInt64>, _ name: String) {
    let plan = caller.plan
    for index in 0..<plan.count {
        let arg = plan.argument(index)
        guard arg.type == K_ARG_BUF || arg.type == K_ARG_STR else {
            #expect(slots[index] == CallPlan.normalized(arg.type, caller.slots[index]), "\(name) \(index)")
            continue
        }
        guard let buffer = caller.buffers[index] else {
            #expect(slots[index] == 0, "\(name) \(index): NULL stays NULL")
            continue
        }
        guard let got = UnsafeRawPointer(bitPattern: UInt(slots[index])) else {
            Issue.record("\(name) \(index): became NULL")
            continue
        }
        guard arg.type == K_ARG_STR || UInt32(arg.dir) & K_IN != 0 else { continue }
        #expect(memcmp(got, buffer.start, buffer.size) == 0, "\(name) \(index): bytes")
    }
}

/// A callee's work: fills what goes back, and says what the caller must then see.
private func work(
    _ caller: Arguments, _ slots: UnsafeMutablePointer<UInt64>, _ lengths: Lengths, failed: Bool,
    _ random: inout Seeded
) -> [Int: [UInt8]] {
    let plan = caller.plan
    var expected = caller.buffers.mapValues { $0.copy }
    for variable in [false, true] {
        for index in 0..<plan.count {
            let arg = plan.argument(index)
            guard arg.type == K_ARG_BUF, UInt32(arg.dir) & K_OUT != 0, (arg.len != K_LEN_FIXED) == variable,
                let memory = UnsafeMutableRawPointer(bitPattern: UInt(slots[index])), let buffer = caller.buffers[index]
            else { continue }
            random.fill(.init(start: memory, count: buffer.size))
            if !variable, buffer.size == 4 {
                // A count: sometimes more than fits, as a call does that tells how much there is.
                memory.storeBytes(of: UInt32(random.below(700)), as: UInt32.self)
            }
            var moved = buffer.size
            if arg.len == K_LEN_REF {
                let count = UnsafeRawPointer(bitPattern: UInt(slots[Int(arg.lenArg)]))?.load(as: UInt32.self)
                moved = min(moved, count.map { Int($0) * Int(arg.size) } ?? moved)
            }
            if failed && UInt32(arg.dir) != K_INOUT { continue }
            expected[index]?.replaceSubrange(0..<moved, with: UnsafeRawBufferPointer(start: memory, count: moved))
        }
    }
    return expected
}

@Suite(.serialized) struct MarshalTests {
    @Test func everySignatureRoundTrips() throws {
        let plans = try #require(CallPlans())
        var random = Seeded()
        var scratch = try newScratch()
        let shared = Guarded(Int(CallPlan.limit))
        let slots = UnsafeMutablePointer<UInt64>.allocate(capacity: 12)
        let lengths = UnsafeMutablePointer<UInt32>.allocate(capacity: 12)
        defer {
            slots.deallocate()
            lengths.deallocate()
        }
        for (name, plan) in plans.all {
            for round in 0..<40 {
                let caller = Arguments(plan, &random)
                let size = plan.writeRequest(caller.slots, caller.lengths, to: shared.start)
                try #require(size >= plan.count * 8, "\(name)")
                guard let frame = scratch.take(size) else { throw NoMemory() }
                memcpy(frame, shared.start, size)
                let code = plan.readRequest(frame, size, &scratch, slots, lengths)
                try #require(code == K_OK, "\(name) round \(round)")
                expectSame(caller, slots, name)

                let failed = random.chance(25)
                let result = failed ? Int64(K_EINVAL) : Int64(random.below(1000))
                let expected = work(caller, slots, lengths, failed: failed, &random)
                let replySize = plan.writeReply(result, slots, lengths, to: shared.start)
                let reply = Guarded(replySize)
                memcpy(reply.start, shared.start, replySize)
                #expect(plan.readReply(reply.start, replySize, caller.slots, caller.lengths) == result, "\(name)")
                for (index, buffer) in caller.buffers {
                    #expect(buffer.copy == expected[index], "\(name) argument \(index) after the return")
                }
                scratch.release(to: 0)
            }
        }
    }

    /// Frames with every word and every size spoilt: refused or harmless, and never read beyond their end.
    @Test func hostileRequests() throws {
        let plans = try #require(CallPlans())
        var random = Seeded()
        var scratch = try newScratch()
        let shared = Guarded(Int(CallPlan.limit))
        let nasty: [UInt64] = [
            0, 1, 2, 7, 8, 255, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x1_0000_0000, 1 << 62, 1 << 63, .max, .max - 7,
            UInt64(CallPlan.limit), UInt64(CallPlan.variableLimit) + 1,
        ]
        for (name, plan) in plans.all {
            for _ in 0..<4 {
                let caller = Arguments(plan, &random)
                let size = plan.writeRequest(caller.slots, caller.lengths, to: shared.start)
                let words = min(size / 8, 64)
                for word in 0..<words {
                    for value in nasty {
                        attack(plan, shared, size, &scratch, name) {
                            $0.storeBytes(of: value, toByteOffset: word * 8, as: UInt64.self)
                        }
                    }
                }
                for cut in 0..<min(size, 200) { attack(plan, shared, cut, &scratch, name) { _ in } }
                for _ in 0..<100 {
                    let length = random.below(size + 1)
                    attack(plan, shared, length, &scratch, name) {
                        for _ in 0..<8 where length > 0 {
                            $0.storeBytes(
                                of: UInt8(random.below(256)), toByteOffset: random.below(length), as: UInt8.self)
                        }
                    }
                }
            }
        }
    }

    private func attack(
        _ plan: CallPlan, _ shared: Guarded, _ size: Int, _ scratch: inout Scratch, _ name: String,
        _ spoil: (UnsafeMutableRawPointer) -> Void
    ) {
        let frame = Guarded(size)
        memcpy(frame.start, shared.start, size)
        if size >= 512 || size >= plan.count * 8 { spoil(frame.start) }
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 24) { room in
            guard let slots = room.baseAddress else { return }
            (slots + 12).withMemoryRebound(to: UInt32.self, capacity: 12) { lengths in
                guard plan.readRequest(frame.start, size, &scratch, slots, lengths) == K_OK else { return }
                var sum = 0
                for index in 0..<plan.count {
                    let arg = plan.argument(index)
                    guard let memory = UnsafeRawPointer(bitPattern: UInt(slots[index])) else { continue }
                    if arg.type == K_ARG_STR {
                        sum += strlen(memory.assumingMemoryBound(to: CChar.self))
                    } else if arg.type == K_ARG_BUF {
                        let length = arg.len == K_LEN_FIXED ? Int(arg.size) : Int(lengths[index])
                        for byte in UnsafeRawBufferPointer(start: memory, count: length) { sum += Int(byte) }
                    }
                }
                // The reply of such a call fits as well.
                let replySize = plan.writeReply(0, slots, lengths, to: spare.start)
                #expect(replySize <= Int(CallPlan.limit), "\(name) \(sum)")
            }
        }
        scratch.release(to: 0)
    }
    private let spare = Guarded(Int(CallPlan.limit))

    /// A caller believes no length in a return but its own.
    @Test func hostileReplies() throws {
        let plans = try #require(CallPlans())
        var random = Seeded()
        let shared = Guarded(Int(CallPlan.limit))
        for (name, plan) in plans.all {
            for _ in 0..<60 {
                let caller = Arguments(plan, &random)
                try #require(plan.writeRequest(caller.slots, caller.lengths, to: shared.start) >= 0, "\(name)")
                let size = random.below(random.chance(50) ? 64 : 5000)
                let reply = Guarded(size)
                random.fill(reply.bytes)
                if size >= 8 { reply.start.storeBytes(of: random.chance(70) ? 0 : random.next(), as: UInt64.self) }
                // The caller's buffers end at inaccessible pages too.
                let result = plan.readReply(reply.start, size, caller.slots, caller.lengths)
                if size < 8 { #expect(result == nil, "\(name)") }
            }
        }
    }

    @Test func tooLongIsRefusedByTheCaller() throws {
        let plans = try #require(CallPlans())
        let op = try #require(plans.call(named: "ipcSend"))
        let plan = plans.calls[op]
        let shared = Guarded(Int(CallPlan.limit))
        let body = Guarded(2 * Int(K_CMSGSIZEMAX))
        var slots = [UInt64](repeating: 0, count: 12)
        var lengths = [UInt32](repeating: 0, count: 12)
        slots[4] = UInt64(UInt(bitPattern: body.start))
        for (size, fits) in [(K_CMSGSIZEMAX, true), (2 * K_CMSGSIZEMAX, false), (UInt32.max, false)] {
            slots[5] = UInt64(size)
            let result = plan.writeRequest(&slots, &lengths, to: shared.start)
            #expect((result >= 0) == fits)
            if !fits { #expect(result == Int(K_ETOOBIG)) }
        }
    }

    @Test func longStringsAreCut() throws {
        let plans = try #require(CallPlans())
        let plan = plans.calls[try #require(plans.call(named: "actorName"))]
        let shared = Guarded(4096)
        var scratch = try newScratch()
        var slots = [UInt64](repeating: 0, count: 12)
        var lengths = [UInt32](repeating: 0, count: 12)
        let long = [CChar](repeating: 65, count: 100) + [0]
        try long.withUnsafeBufferPointer { long in
            slots[1] = UInt64(UInt(bitPattern: long.baseAddress))
            let size = plan.writeRequest(&slots, &lengths, to: shared.start)
            let code = plan.readRequest(shared.start, size, &scratch, &slots, &lengths)
            #expect(code == K_OK)
            let name = try #require(UnsafePointer<CChar>(bitPattern: UInt(slots[1])))
            #expect(strlen(name) == 31)
        }
    }
}
