import ActorKit
import CChorus
import CDriverGuard
import Glibc
import SimulatedBus
import RestartPolicy
import Synchronization

/// A driver in user privilege: its host process, and the next one when that dies.
final class DriverHost: @unchecked Sendable {
    // Sendable: constants, and state behind the lock.
    let server: DriverServer
    let path: String
    let driver: (name: String, matches: [DriverMatch])
    private let lock = Lock()
    private var state: State
    private let wake: SemaphoreHandle

    private struct State {
        var life: HostLife
        var began: UInt64
        var policy: RestartPolicy
        var restarts: UInt32 = 0
        /// It is being unloaded: a death is no news.
        var isLeaving = false
        var isEnded = false
    }

    /// A host that has opened the object; why there is none otherwise.
    init(_ path: String, _ policy: RestartPolicy, _ server: DriverServer) throws(DriverObject.Problem) {
        let life = HostLife(path, server)
        let began = monotonicNow()
        if let problem = life.begin() { throw problem }
        guard let driver = life.driver else { throw DriverObject.Problem(code: EIO, description: "its host is gone") }
        self.server = server
        self.path = path
        self.driver = driver
        state = State(life: life, began: began, policy: policy)
        wake = SemaphoreHandle(server.nucleus)
    }

    var life: HostLife { lock.with { state.life } }
    var restarts: UInt32 { lock.with { state.restarts } }
    /// Whether somebody who finds it dead now should wait for the next.
    var mayRestart: Bool {
        lock.with {
            !state.isLeaving && !state.isEnded && state.policy.restarts(after: monotonicNow() &- state.began)
        }
    }

    /// From now on deaths are noticed. False where there is no thread for it.
    func watch(_ object: DriverObject) -> Bool {
        server.nucleus.startThread("drv-keeper") { [self] in keep(object) }
    }

    func leaving(_ leaving: Bool) { lock.with { state.isLeaving = leaving } }

    /// The process goes. True: nothing of it stays.
    func end() -> Bool {
        let life = lock.with {
            state.isEnded = true
            return state.life
        }
        life.end()
        wake.signal()
        return true
    }

    private var isEnded: Bool { lock.with { state.isEnded } }

    private func keep(_ object: DriverObject) {
        while true {
            let life = self.life
            life.waitForEnd()
            if isEnded { return }
            var reason = life.epitaph
            life.end()
            repeat {
                let (delay, isLeaving, count) = lock.with { () -> (UInt32?, Bool, UInt64) in
                    let lived = monotonicNow() &- state.began
                    let delay = state.isLeaving || state.isEnded ? nil : state.policy.next(after: lived)
                    return (delay, state.isLeaving, state.policy.most)
                }
                let instances = object.instances.compactMap { $0 as? HostedInstance }
                guard let delay else {
                    let text = count == 0 || isLeaving ? reason : "given up after \(count) restarts: \(reason)"
                    for instance in instances { instance.die(text, restarts: false) }
                    server.nucleus.sysLog(0, "driver \(object.name): \(text); out of use, its devices answer EIO")
                    return
                }
                for instance in instances { instance.die("restarts in \(delay) ms: \(reason)", restarts: true) }
                server.nucleus.sysLog(1, "driver \(object.name): \(reason); it is started again in \(delay) ms")
                if wake.wait(milliseconds: Int32(delay)) || isEnded { return }
                guard let problem = server.changing.with({ isEnded ? nil : restart(object) }) else { break }
                reason = problem
            } while true
            if isEnded { return }
        }
    }

    /// A new process, and an instance in it for each of the old one. Why it could not be, otherwise.
    private func restart(_ object: DriverObject) -> String? {
        let life = HostLife(path, server)
        lock.with { state.began = monotonicNow() }
        if let problem = life.begin() { return problem.description }
        guard life.driver?.name == driver.name else {
            life.end()
            return "\(object.file) is another driver now"
        }
        lock.with {
            state.life = life
            state.restarts += 1
        }
        var problem: String?
        for old in object.instances {
            let new = object.makeInstance(old.device)
            let result = new.start()
            guard result >= 0 else {
                problem = "its init fails with \(result)" + (life.isOver ? " (\(life.epitaph))" : "")
                break
            }
            object.add(new)
            object.remove(old)
            (old as? HostedInstance)?.handOver()
        }
        guard let problem else { return nil }
        life.end()
        return problem
    }
}
