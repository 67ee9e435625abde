import CMachine
import Glibc
import Synchronization

/// The one thread that collects the deaths of this process's children. There is one a process, not one a site, since
/// the host tells a process of its children only once.
///
/// It starts with the first child and sleeps in the host otherwise. Children nobody registered are just collected.
public final class Reaper: @unchecked Sendable {  // Sendable: state behind a mutex; the condition belongs to it.
    /// The host's wait status, as `wait(2)` encodes it.
    public typealias Callback = @Sendable (_ pid: pid_t, _ status: Int32) -> Void
    public static let shared = Reaper()

    private struct State {
        var started = false
        var waiting: [pid_t: Callback] = [:]
        /// Deaths collected before anybody registered: a child may be faster than its parent.
        var early: [(pid: pid_t, status: Int32)] = []
    }
    private let state = Mutex(State())
    private let idle = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let idleLock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let kicks = Atomic<UInt64>(0)
    private static var earlyKept: Int { 256 }

    private init() {
        pthread_cond_init(idle, nil)
        pthread_mutex_init(idleLock, nil)
    }

    /// `callback` runs once on the reaper's thread when `pid`, a child of this process, has died; at once, on the
    /// calling thread, if it is already dead and collected. It must not block for long: other deaths wait behind it.
    /// False, and nothing is done, if `pid` is somebody else's already or no child of this process: a guest may lie
    /// about the number of what it has cloned.
    @discardableResult public func register(_ pid: pid_t, _ callback: @escaping Callback) -> Bool {
        var mine = true
        let dead: Int32? = state.withLock { state in
            let gone = kill(pid, 0) != 0 && errno == ESRCH
            if state.waiting[pid] != nil || (!gone && guest_is_child(pid) == 0) {
                mine = false
                return nil
            }
            let found = state.early.lastIndex { $0.pid == pid }
            let status = found.map { state.early.remove(at: $0).status }
            // A record of an earlier process of that number is stale while the number is in use.
            if gone { return status ?? SIGKILL }
            state.waiting[pid] = callback
            return nil
        }
        guard mine else { return false }
        if let dead { callback(pid, dead) } else { kick() }
        return true
    }

    /// Makes a child and registers it, with no moment between in which its death could be missed. `spawn` returns its
    /// number, or a negative number that is passed on.
    public func spawning(_ spawn: () -> pid_t, _ callback: @escaping Callback) -> pid_t {
        let pid = state.withLock { state in
            let pid = spawn()
            if pid > 0 { state.waiting[pid] = callback }
            return pid
        }
        if pid > 0 { kick() }
        return pid
    }

    /// Nobody wants to hear of `pid` any more; it is still collected.
    public func forget(_ pid: pid_t) { _ = state.withLock { $0.waiting.removeValue(forKey: pid) } }

    /// Sends `signal` to a registered child. False when it is already collected, so that a number that the host may
    /// have given to somebody else is never hit.
    @discardableResult public func signal(_ pid: pid_t, _ signal: Int32) -> Bool {
        state.withLock { $0.waiting[pid] != nil && kill(pid, signal) == 0 }
    }

    /// Those of `children` that nobody registered.
    func unknown(_ children: [pid_t]) -> [pid_t] {
        state.withLock { state in children.filter { state.waiting[$0] == nil } }
    }

    /// Kills a child that nobody registered; false if it is gone, or known by now.
    func killUnknown(_ pid: pid_t) -> Bool {
        // Under the lock nothing is collected, so the number stays its own.
        state.withLock { $0.waiting[pid] == nil && guest_is_child(pid) != 0 && kill(pid, SIGKILL) == 0 }
    }

    /// There is a child to wait for: starts the thread, or ends its rest.
    public func kick() {
        let start = state.withLock { state in
            defer { state.started = true }
            return !state.started
        }
        if start {
            var thread = pthread_t()
            let failed = pthread_create(
                &thread, nil,
                { _ in
                    Reaper.shared.run()
                    return nil
                }, nil)
            if failed == 0 { pthread_detach(thread) } else { state.withLock { $0.started = false } }
            return
        }
        pthread_mutex_lock(idleLock)
        kicks.wrappingAdd(1, ordering: .relaxed)
        pthread_cond_signal(idle)
        pthread_mutex_unlock(idleLock)
    }

    private static var everyClone: Int32 { 0x4000_0000 }  // __WALL of wait(2)

    private func run() {
        while true {
            let seen = kicks.load(ordering: .relaxed)
            var info = siginfo_t()
            // Left uncollected, the number cannot be given to another process before the callback is found.
            if waitid(P_ALL, 0, &info, WEXITED | WNOWAIT | Reaper.everyClone) != 0 {
                if errno == ECHILD { rest(seen) }
                continue
            }
            let pid = info._sifields._sigchld.si_pid
            let callback: (call: Callback, status: Int32)? = state.withLock { state in
                var status: Int32 = 0
                guard waitpid(pid, &status, WNOHANG | Reaper.everyClone) == pid else { return nil }
                if let callback = state.waiting.removeValue(forKey: pid) { return (callback, status) }
                if state.early.count >= Reaper.earlyKept { state.early.removeFirst() }
                state.early.append((pid, status))
                return nil
            }
            if let callback { callback.call(pid, callback.status) }
        }
    }

    /// No child at all: until the next one is made.
    private func rest(_ seen: UInt64) {
        pthread_mutex_lock(idleLock)
        while kicks.load(ordering: .relaxed) == seen { pthread_cond_wait(idle, idleLock) }
        pthread_mutex_unlock(idleLock)
    }
}
