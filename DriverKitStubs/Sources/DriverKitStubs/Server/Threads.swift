import ActorKit
import CChorus
import CDriverGuard
import Glibc
import SimulatedBus
import Synchronization

extension Nucleus {
    /// A thread of the actor; false where the nucleus gives none.
    func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) -> Bool {
        let start = Unmanaged.passRetained(ThreadBody(body))
        var thread: KnThreadLid = 0
        let result = name.withCString { name in
            threadCreate(
                { argument in
                    guard let argument else { return }
                    Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().run()
                }, start.toOpaque(), 256 * 1024, name, &thread)
        }
        if result < 0 { start.release() }
        return result >= 0
    }
}

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

func monotonicNow() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) &* 1_000_000_000 &+ UInt64(now.tv_nsec)
}

/// Drivers' timeouts, on a thread that exists from the first one on and sleeps while none is set.
final class Timeouts: Sendable {
    private struct State {
        var due: [UInt64: (at: UInt64, run: @Sendable () -> Void)] = [:]
        var running = false
        var stopped = false
    }
    private let state = Mutex(State())
    private let nucleus: Nucleus
    private let wake: SemaphoreHandle

    init(nucleus: Nucleus) {
        self.nucleus = nucleus
        wake = SemaphoreHandle(nucleus)
    }

    func set(_ handle: UInt64, at deadline: UInt64, _ run: @escaping @Sendable () -> Void) -> Bool {
        let start = state.withLock { state -> Bool? in
            if state.stopped { return nil }
            state.due[handle] = (deadline, run)
            defer { state.running = true }
            return !state.running
        }
        guard let start else { return false }
        if !start {
            wake.signal()
            return true
        }
        return nucleus.startThread("drv-timeouts") { [self] in work() }
    }

    /// False: it has run, or is about to.
    func cancel(_ handle: UInt64) -> Bool { state.withLock { $0.due.removeValue(forKey: handle) != nil } }

    func stop() {
        state.withLock { state in
            state.stopped = true
            state.due = [:]
        }
        wake.signal()
    }

    private func work() {
        while true {
            let now = monotonicNow()
            let (over, next, stopped) = state.withLock { state in
                let over = state.due.filter { $0.value.at <= now }.sorted { $0.value.at < $1.value.at }
                for (handle, _) in over { state.due[handle] = nil }
                return (over.map(\.value.run), state.due.values.map(\.at).min(), state.stopped)
            }
            if stopped { return }
            for run in over { run() }
            if !over.isEmpty { continue }
            let wait = next.map { Int32(clamping: ($0 &- now) / 1_000_000 + 1) } ?? K_NOTIMEOUT
            wake.wait(milliseconds: wait)
        }
    }
}

/// Cuts off calls into drivers that take too long. Its thread runs while a driver is loaded.
final class Sweeper: Sendable {
    private struct State {
        var users = 0
        var running = false
    }
    private let state = Mutex(State())
    private let nucleus: Nucleus
    private static let period: Int32 = 250

    init(nucleus: Nucleus) { self.nucleus = nucleus }

    func begin() {
        let start = state.withLock { state in
            state.users += 1
            defer { state.running = true }
            return !state.running
        }
        if start, !nucleus.startThread("drv-sweeper", { [self] in work() }) { state.withLock { $0.running = false } }
    }

    func end() { state.withLock { $0.users -= 1 } }
    func stop() { state.withLock { $0.users = .min / 2 } }

    private func work() {
        while true {
            nucleus.threadDelay(Self.period)
            _ = drv_guard_sweep()
            let over = state.withLock { state in
                if state.users <= 0 { state.running = false }
                return !state.running
            }
            if over { return }
        }
    }
}
