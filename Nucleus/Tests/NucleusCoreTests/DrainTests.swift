import ActorKit
import CChorus
import Glibc
import Synchronization
import Testing

@testable import NucleusCore

/// Handlers that disconnect each other: nobody waits for ever.
@Suite struct DrainTests {
    /// A handler of any kind that meets others inside and then does something.
    final class Meeting: @unchecked Sendable {  // Sendable: atomics, and what is set before it is connected.
        let inside: Atomic<Int>
        let code = Atomic<Int32>(1)
        let runs = Atomic<Int>(0)
        var action: (@Sendable () -> Int32)?
        let group: Meeting?
        var cookie: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

        init(with group: Meeting? = nil) {
            inside = Atomic(0)
            self.group = group
        }

        func run(_ expected: Int) {
            if runs.wrappingAdd(1, ordering: .sequentiallyConsistent).newValue > 1 { return }
            let counter = group ?? self
            counter.inside.wrappingAdd(1, ordering: .sequentiallyConsistent)
            while counter.inside.load(ordering: .sequentiallyConsistent) < expected { usleep(100) }
            code.store(action?() ?? K_OK, ordering: .sequentiallyConsistent)
        }

        static let trap: KnTrapHdl = { cookie, frame in
            guard let cookie, let frame else { return K_EFAULT }
            Unmanaged<Meeting>.fromOpaque(cookie).takeUnretainedValue().run(Int(frame.pointee.args.0))
            return K_OK
        }
        static let interrupt: KnIntrHdl = { cookie, _ in
            guard let cookie else { return K_EFAULT }
            Unmanaged<Meeting>.fromOpaque(cookie).takeUnretainedValue().run(2)
            return K_INTR_CLAIMED
        }
    }

    private static func words(_ count: Int) -> [UInt64] { [UInt64(count), 0, 0, 0, 0, 0] }

    @Test(arguments: [2, 3, 5]) func aCircleIsTold(_ count: Int) {
        let bench = Bench()
        let (server, client) = (bench.actor(), bench.actor())
        let first = Meeting()
        let all = [first] + (1..<count).map { _ in Meeting(with: first) }
        for (number, meeting) in all.enumerated() {
            let next = UInt32((number + 1) % count)
            meeting.action = { server.nucleus.svTrapDisConnect(next) }
            #expect(server.nucleus.svTrapConnect(UInt32(number), Meeting.trap, meeting.cookie) == K_OK)
        }
        let jobs = all.indices.map { number in
            bench.start { client.nucleus.trapRaise(UInt32(number), 0, Self.words(count)) }
        }
        for job in jobs { #expect(job.result() == K_OK) }
        let codes = all.map { $0.code.load(ordering: .sequentiallyConsistent) }
        #expect(codes.count { $0 == K_EBUSY } == 1, "who came last: \(codes)")
        #expect(codes.count { $0 == K_OK } == count - 1)
        // The one that was not disconnected still is.
        let left = (0..<UInt32(count)).filter { client.nucleus.trapRaise($0, 0, Self.words(1)) == K_OK }
        #expect(left.count == 1)
        for number in left { #expect(server.nucleus.svTrapDisConnect(number) == K_OK) }
    }

    @Test func aTrapAndAnInterruptHandler() {
        let bench = Bench()
        let (server, client) = (bench.actor(), bench.actor())
        let trap = Meeting()
        let interrupt = Meeting(with: trap)
        let number = server.nucleus.svIntrConnect(3, 0, Meeting.interrupt, interrupt.cookie)
        trap.action = { server.nucleus.svIntrDisConnect(3, number) }
        interrupt.action = { server.nucleus.svTrapDisConnect(9) }
        #expect(server.nucleus.svTrapConnect(9, Meeting.trap, trap.cookie) == K_OK)
        let job = bench.start { client.nucleus.trapRaise(9, 0, Self.words(2)) }
        #expect(server.nucleus.svIntrTrigger(3) == K_OK)
        #expect(job.result() == K_OK)
        #expect(eventually { interrupt.code.load(ordering: .sequentiallyConsistent) != 1 })
        let codes = [trap, interrupt].map { $0.code.load(ordering: .sequentiallyConsistent) }
        #expect(codes.sorted() == [K_EBUSY, K_OK].sorted(), "\(codes)")
    }

    /// In a row there is somebody who can leave first.
    @Test func aRowIsNone() {
        let bench = Bench()
        let (server, client) = (bench.actor(), bench.actor())
        let first = Meeting()
        let second = Meeting(with: first)
        first.action = { server.nucleus.svTrapDisConnect(1) }
        #expect(server.nucleus.svTrapConnect(0, Meeting.trap, first.cookie) == K_OK)
        #expect(server.nucleus.svTrapConnect(1, Meeting.trap, second.cookie) == K_OK)
        let jobs = [0, 1].map { number in bench.start { client.nucleus.trapRaise(number, 0, Self.words(2)) } }
        for job in jobs { #expect(job.result() == K_OK) }
        #expect(first.code.load(ordering: .sequentiallyConsistent) == K_OK)
        #expect(client.nucleus.trapRaise(1, 0, Self.words(1)) == K_EUNKNOWN)
    }
}
