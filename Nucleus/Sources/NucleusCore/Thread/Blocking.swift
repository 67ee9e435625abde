import CChorus
import Synchronization

/// Every blocking nucleus call goes: `arm`, become findable, `sleep`, cease to be findable. The abort protocol:
/// `threadAbort` ends an abortable wait with K_EABORT; else it leaves the thread ABORTED, which the next abortable
/// wait or `threadAborted` consumes.
extension Thread {
    @inline(__always) func arm(abortable: Bool) { wait.arm(abortable: abortable) }

    /// `actor`: whose call it is; when that dies, the wait ends with K_EDEADACTOR.
    func sleep(_ actor: Actor, _ call: StaticString, abortable: Bool, deadline: UInt64?) -> Int32 {
        wait.enter(actor, waitsAs ?? call, host.now())
        if abortable, takeAborted(), !wait.complete(K_EABORT, host) {
            // Completed otherwise in the meantime: the abort stays for the next call.
            aborted.store(true, ordering: .sequentiallyConsistent)
        }
        publishGates()
        if actor.deleted.load(ordering: .sequentiallyConsistent) || doomed.load(ordering: .sequentiallyConsistent) {
            _ = wait.complete(K_EDEADACTOR, host)
        } else if isEvicted {
            _ = wait.complete(K_EABORT, host)
        }
        // In a handler: no longer than its client waits.
        let limit = frame?.pointee.limit ?? .max
        let bounded = limit < deadline ?? .max
        var code = wait.sleep(host, deadline: bounded ? limit : deadline)
        if code == K_ETIMEOUT, bounded { code = K_EABORT }
        if code == K_EABORT { abortsTaken &+= 1 }
        if held.load(ordering: .relaxed) != 0 { waitWhileHeld(in: actor) }
        wait.leave()
        return code
    }

    @discardableResult func complete(_ code: Int32) -> Bool { wait.complete(code, host) }

    /// The first half of `complete`, for who holds a lock that the thread needs next: it would wake only to wait for that.
    func settle(_ code: Int32) -> Wake? { wait.settle(code).map { Wake(thread: self, word: $0) } }

    /// Clears the ABORTED state; true if it was set.
    public func takeAborted() -> Bool {
        aborted.load(ordering: .relaxed) && aborted.exchange(false, ordering: .sequentiallyConsistent)
    }

    /// The nucleus' own part of threadAbort; false if the thread was only marked.
    @discardableResult func abort() -> Bool {
        if wait.complete(K_EABORT, host, onlyAbortable: true) { return true }
        aborted.store(true, ordering: .sequentiallyConsistent)
        // It may have armed between the two: then it may have missed the flag.
        if wait.complete(K_EABORT, host, onlyAbortable: true) {
            aborted.store(false, ordering: .sequentiallyConsistent)
            return true
        }
        return false
    }

    /// Suspended server threads stop here, at the end of nucleus calls that block: never inside somebody's lock. In a
    /// handler of `actor`, only as long as that lives: its end waits for all who are inside.
    func waitWhileHeld(in actor: Actor) {
        let word = UnsafeMutableRawPointer(heldWord).assumingMemoryBound(to: UInt32.self)
        while held.load(ordering: .sequentiallyConsistent) != 0, !doomed.load(ordering: .relaxed) {
            let seen = heldWord.pointee.load(ordering: .acquiring)
            if held.load(ordering: .sequentiallyConsistent) == 0 { return }
            if actor.deleted.load(ordering: .sequentiallyConsistent) { return }
            _ = host.wait(word, seen, deadline: nil)
        }
    }

    func suspend() { held.wrappingAdd(1, ordering: .sequentiallyConsistent) }

    /// False if it was not suspended.
    func resume() -> Bool {
        var count = held.load(ordering: .relaxed)
        while count > 0 {
            let (done, seen) = held.compareExchange(
                expected: count, desired: count - 1, ordering: .sequentiallyConsistent)
            if done {
                release()
                return true
            }
            count = seen
        }
        return false
    }

    /// The actor in whose call the thread waits or is held has been deleted.
    func end(callOf actor: Actor) {
        wait.complete(K_EDEADACTOR, callOf: actor, host)
        if held.load(ordering: .sequentiallyConsistent) != 0 { release() }
    }

    private func release() {
        heldWord.pointee.wrappingAdd(1, ordering: .releasing)
        host.wake(UnsafeMutableRawPointer(heldWord).assumingMemoryBound(to: UInt32.self), Int32.max)
    }

    /// Deleted: no wait of it ever blocks again.
    func doom() {
        doomed.store(true, ordering: .sequentiallyConsistent)
        complete(K_EDEADACTOR)
        release()
    }
}

/// A thread whose wait has ended and that is still to be told.
struct Wake: Sendable {
    fileprivate let thread: Thread
    fileprivate let word: UInt32

    func send() { thread.wait.wake(word, thread.host) }
}

/// Milliseconds of a call to a deadline; negative never ends.
func deadline(_ host: any HostServices, _ milliseconds: Int32) -> UInt64? {
    milliseconds < 0 ? nil : host.now() &+ UInt64(milliseconds) &* 1_000_000
}

extension Thread {
    /// Takes back `arm` without sleeping. An abort that came in between stays for the next call.
    func disarm() { if wait.disarm() == K_EABORT { aborted.store(true, ordering: .sequentiallyConsistent) } }
}
