import CChorus
import Synchronization

/// A counting semaphore with first-in-first-out wake-up.
final class Semaphore: Sendable {
    let li: Int32
    let owner: KnUniqueId
    private let state: Mutex<State>

    private struct State {
        var count: UInt32
        var waiters = Fifo<Thread>()
        var deleted = false
    }

    init(li: Int32, owner: KnUniqueId, count: UInt32) {
        self.li = li
        self.owner = owner
        state = Mutex(State(count: count))
    }

    func wait(_ thread: Thread, _ actor: Actor, _ delay: Int32) -> Int32 {
        if delay != 0 { thread.arm(abortable: true) }
        let now = state.withLock { state -> Int32? in
            if state.deleted { return K_EUNKNOWN }
            if state.count > 0 {
                state.count -= 1
                return K_OK
            }
            if delay == 0 { return K_ETIMEOUT }
            state.waiters.append(thread)
            return nil
        }
        if let now {
            // Nobody could find the thread: take it out of the armed state again.
            if delay != 0 { thread.disarm() }
            return now
        }
        let code = thread.sleep(actor, "semP", abortable: true, deadline: deadline(actor.site.host, delay))
        if code != K_OK { state.withLock { _ = $0.waiters.remove { $0 === thread } } }
        return code
    }

    func signal() -> Int32 {
        let (code, wake) = state.withLock { state -> (Int32, Wake?) in
            if state.deleted { return (K_EUNKNOWN, nil) }
            // A waiter that has given up in this instant does not count.
            while let thread = state.waiters.popFirst() { if let wake = thread.settle(K_OK) { return (K_OK, wake) } }
            guard state.count < UInt32.max else { return (K_EINVAL, nil) }
            state.count += 1
            return (K_OK, nil)
        }
        wake?.send()
        return code
    }

    func delete() {
        state.withLock { state in
            state.deleted = true
            for thread in state.waiters.removeAll() { thread.complete(K_EUNKNOWN) }
        }
    }
}

extension Site {
    func semaphore(_ sem: KnSem) throws(KnError) -> Semaphore {
        guard let semaphore = semaphores.find(UInt64(UInt32(bitPattern: sem.li))) else { throw .unknown }
        return semaphore
    }

    func createSemaphore(_ actor: Actor, _ count: UInt32) -> KnSem {
        while true {
            let li = lastSemaphore.wrappingAdd(1, ordering: .relaxed).newValue & Int32.max
            guard li != 0 else { continue }
            let semaphore = Semaphore(li: li, owner: actor.cap.ui, count: count)
            guard semaphores.insert(UInt64(UInt32(bitPattern: li)), semaphore) else { continue }
            // Deleted in this instant: its objects may have been collected already.
            if actor.isDeleted { deleteSemaphore(semaphore) }
            return KnSem(li: li)
        }
    }

    func deleteSemaphore(_ semaphore: Semaphore) {
        semaphores.remove(UInt64(UInt32(bitPattern: semaphore.li)))
        semaphore.delete()
    }
}
