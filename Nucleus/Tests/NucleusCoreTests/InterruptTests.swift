import ActorKit
import CChorus
import Glibc
import Synchronization
import Testing

@testable import NucleusCore

/// A device with requests that its handler takes, one an interrupt or all at once.
private final class Device: @unchecked Sendable {
    // Sendable: atomics, and what is set before the handler is connected.
    let runs = Atomic<Int>(0)
    let requests = Atomic<Int>(0)
    let taken = Atomic<Int>(0)
    let hold = Atomic<Bool>(false)
    let inside = Atomic<Bool>(false)
    /// Claims only while there are requests; else always, or never.
    var claims: Bool?

    var cookie: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    static let handler: KnIntrHdl = { cookie, _ in
        guard let cookie else { return K_EFAULT }
        let device = Unmanaged<Device>.fromOpaque(cookie).takeUnretainedValue()
        device.inside.store(true, ordering: .sequentiallyConsistent)
        device.runs.wrappingAdd(1, ordering: .sequentiallyConsistent)
        while device.hold.load(ordering: .sequentiallyConsistent) { usleep(100) }
        let waiting = device.requests.exchange(0, ordering: .sequentiallyConsistent)
        device.taken.wrappingAdd(waiting, ordering: .sequentiallyConsistent)
        device.inside.store(false, ordering: .sequentiallyConsistent)
        return device.claims ?? (waiting > 0) ? K_INTR_CLAIMED : K_INTR_UNCLAIMED
    }
}

extension Nucleus {
    fileprivate func line(_ number: UInt32) -> KnIntrStat {
        var stats = [KnIntrStat](repeating: KnIntrStat(), count: 300)
        var count: UInt32 = 300
        guard svIntrStat(&count, &stats) >= 0 else { return KnIntrStat() }
        return stats.prefix(Int(count)).first { $0.line == number } ?? KnIntrStat()
    }
}

@Suite struct InterruptTests {
    @Test func handlersAreAskedInOrderUntilOneClaims() {
        let bench = Bench()
        let nucleus = bench.actor().nucleus
        let (first, second, third) = (Device(), Device(), Device())
        (first.claims, second.claims, third.claims) = (false, true, true)
        #expect(nucleus.svIntrConnect(5, 30, Device.handler, third.cookie) > 0)
        #expect(nucleus.svIntrConnect(5, 10, Device.handler, first.cookie) > 0)
        let middle = nucleus.svIntrConnect(5, 20, Device.handler, second.cookie)
        #expect(nucleus.svIntrTrigger(5) == K_OK)
        #expect(eventually { nucleus.line(5).claimed == 1 })
        #expect(first.runs.load(ordering: .relaxed) == 1 && second.runs.load(ordering: .relaxed) == 1)
        #expect(third.runs.load(ordering: .relaxed) == 0)
        #expect(nucleus.svIntrDisConnect(5, middle) == K_OK)
        #expect(nucleus.svIntrDisConnect(5, middle) == K_EUNKNOWN)
        _ = nucleus.svIntrTrigger(5)
        #expect(eventually { third.runs.load(ordering: .relaxed) == 1 })
        #expect(second.runs.load(ordering: .relaxed) == 1)
    }

    @Test func aStuckLineIsMaskedAndToldOf() {
        let bench = Bench()
        let nucleus = bench.actor().nucleus
        let (device, told) = (Device(), Device())
        device.claims = false
        var event = nucleus.newEvent(told.cookie) { cookie, bits in
            guard let cookie, bits == 4 else { return K_EINVAL }
            Unmanaged<Device>.fromOpaque(cookie).takeUnretainedValue().runs.wrappingAdd(1, ordering: .relaxed)
            return K_OK
        }
        _ = nucleus.svIntrConnect(9, 0, Device.handler, device.cookie)
        #expect(nucleus.svIntrWatch(9, 7, &event.ui, 4) == K_OK)
        #expect(nucleus.svIntrTrigger(9, K_INTR_RAISE) == K_OK)
        #expect(eventually { told.runs.load(ordering: .relaxed) == 1 })
        let line = nucleus.line(9)
        #expect(line.masked == 1 && line.pending == 1 && line.unclaimed == 7 && line.stuck == 1)
        #expect(device.runs.load(ordering: .relaxed) == 7)
        // The device behaves again: the line works on when it is unmasked.
        _ = nucleus.svIntrTrigger(9, K_INTR_LOWER)
        #expect(nucleus.svIntrUnMask(9) == K_OK)
        #expect(nucleus.line(9).pending == 0)
        device.requests.store(3, ordering: .sequentiallyConsistent)
        device.claims = nil
        _ = nucleus.svIntrTrigger(9)
        #expect(eventually { nucleus.line(9).claimed == 1 })
        #expect(device.taken.load(ordering: .relaxed) == 3)
        #expect(nucleus.eventDelete(&event) == K_OK)
    }

    @Test func whoTriggersMayRunTheHandlers() {
        let bench = Bench()
        let nucleus = bench.actor().nucleus
        let device = Device()
        device.requests.store(2, ordering: .sequentiallyConsistent)
        _ = nucleus.svIntrConnect(4, 0, Device.handler, device.cookie)
        #expect(nucleus.svIntrTrigger(4, K_INTR_EDGE | K_INTR_LATER) == K_OK)
        #expect(nucleus.line(4).pending == 1 && device.runs.load(ordering: .relaxed) == 0)
        #expect(nucleus.svIntrTrigger(4, K_INTR_RUN) == K_OK)
        #expect(device.runs.load(ordering: .relaxed) == 1 && nucleus.line(4).claimed == 1)
        // Nothing is due, or masked: nobody runs.
        #expect(nucleus.svIntrTrigger(4, K_INTR_RUN) == K_OK)
        _ = nucleus.svIntrMask(4)
        _ = nucleus.svIntrTrigger(4, K_INTR_EDGE | K_INTR_LATER)
        _ = nucleus.svIntrTrigger(4, K_INTR_RUN)
        #expect(device.runs.load(ordering: .relaxed) == 1)
        #expect(nucleus.svIntrTrigger(4, K_INTR_RUN | K_INTR_LATER) == K_EINVAL)
    }

    @Test func whatComesWhileMaskedWaits() {
        let bench = Bench()
        let nucleus = bench.actor().nucleus
        let device = Device()
        device.claims = true
        _ = nucleus.svIntrConnect(1, 0, Device.handler, device.cookie)
        _ = nucleus.svIntrMask(1)
        for _ in 0..<5 { _ = nucleus.svIntrTrigger(1) }
        #expect(nucleus.line(1).pending == 1 && device.runs.load(ordering: .relaxed) == 0)
        _ = nucleus.svIntrUnMask(1)
        #expect(eventually { nucleus.line(1).claimed == 1 })  // five edges are one interrupt
        #expect(nucleus.line(1).triggered == 5)
    }

    @Test func noTriggerIsLost() {
        let bench = Bench()
        let nucleus = bench.actor().nucleus
        let device = Device()
        _ = nucleus.svIntrWatch(2, 0, nil, 0)
        _ = nucleus.svIntrConnect(2, 0, Device.handler, device.cookie)
        let jobs = (0..<4).map { _ in
            bench.start {
                for _ in 0..<2000 {
                    device.requests.wrappingAdd(1, ordering: .sequentiallyConsistent)
                    _ = nucleus.svIntrTrigger(2)
                }
                return K_OK
            }
        }
        for job in jobs { #expect(job.result() == K_OK) }
        #expect(eventually { device.taken.load(ordering: .relaxed) == 8000 })
    }

    @Test func disconnectingWaitsForTheHandler() {
        let bench = Bench()
        let nucleus = bench.actor().nucleus
        let device = Device()
        device.hold.store(true, ordering: .sequentiallyConsistent)
        let number = nucleus.svIntrConnect(3, 0, Device.handler, device.cookie)
        _ = nucleus.svIntrTrigger(3)
        #expect(eventually { device.inside.load(ordering: .sequentiallyConsistent) })
        let job = bench.start {
            let code = nucleus.svIntrDisConnect(3, number)
            return device.inside.load(ordering: .sequentiallyConsistent) ? K_EBUSY : code
        }
        usleep(2000)
        #expect(!job.isDone)
        device.hold.store(false, ordering: .sequentiallyConsistent)
        #expect(job.result() == K_OK)
        _ = nucleus.svIntrTrigger(3)
        #expect(eventually { nucleus.line(3).unclaimed >= 1 })
        #expect(device.runs.load(ordering: .relaxed) == 1)
    }

    @Test func aDeletedActorsHandlersAreGone() {
        let bench = Bench()
        let (owner, other) = (bench.actor("owner"), bench.actor("other"))
        let device = Device()
        device.claims = true
        _ = owner.nucleus.svIntrConnect(4, 0, Device.handler, device.cookie)
        bench.site.deleteActor(owner)
        #expect(other.nucleus.line(4).handlers == 0)
        #expect(owner.nucleus.svIntrConnect(4, 0, Device.handler, device.cookie) == K_EDEADACTOR)
        _ = other.nucleus.svIntrTrigger(4)
        #expect(eventually { other.nucleus.line(4).unclaimed == 1 })
        #expect(device.runs.load(ordering: .relaxed) == 0)
    }

    @Test func linesAreForThePrivileged() {
        let bench = Bench()
        let (user, supervisor) = (bench.actor("user", K_USERACTOR).nucleus, bench.actor().nucleus)
        let device = Device()
        #expect(user.svIntrConnect(5, 0, Device.handler, device.cookie) == K_EPRIV)
        #expect(user.svIntrTrigger(5) == K_EPRIV && user.svIntrMask(5) == K_EPRIV && user.svIntrUnMask(5) == K_EPRIV)
        #expect(user.svIntrWatch(5, 1, nil, 0) == K_EPRIV && user.svIntrDisConnect(5, 1) == K_EPRIV)
        var count: UInt32 = 0
        #expect(user.svIntrStat(&count, nil) == K_EPRIV)
        #expect(supervisor.svIntrConnect(K_INTRLINES, 0, Device.handler, device.cookie) == K_EINVAL)
        #expect(supervisor.svIntrConnect(5, 0, nil, nil) == K_EFAULT)
        #expect(supervisor.svIntrTrigger(5, 9) == K_EINVAL)
        for _ in 0..<K_INTRHANDLERS { #expect(supervisor.svIntrConnect(6, 0, Device.handler, device.cookie) > 0) }
        #expect(supervisor.svIntrConnect(6, 0, Device.handler, device.cookie) == K_EFULL)
    }
}
