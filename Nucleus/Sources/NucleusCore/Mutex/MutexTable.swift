import CChorus
import Synchronization

/// The mutexes of a site, and the lock behind which priorities are inherited.
final class MutexTable: Sendable {
    let lock = Mutex<Void>(())
    let mutexes = ShardTable<ThreadMutex>()
    private let threads: ShardTable<Thread>

    init(_ threads: ShardTable<Thread>) { self.threads = threads }

    func thread(_ li: UInt32) -> Thread? { threads.find(UInt64(li)) }

    /// What a dead thread still owned goes to those who wait for it.
    func ownerDied(_ thread: Thread) {
        guard thread.usesMutexes.load(ordering: .relaxed) else { return }
        let all = mutexes.all
        lock.withLock { _ in for mutex in all { mutex.orphan(thread) } }
    }
}

extension Site {
    func mutex(_ mutex: KnMutex) throws(KnError) -> ThreadMutex {
        guard let found = threads.mutexes.mutexes.find(UInt64(UInt32(bitPattern: mutex.li))) else { throw .unknown }
        return found
    }

    func createMutex(_ actor: Actor, byPriority: Bool) throws(KnError) -> KnMutex {
        guard actor.holdObject() else { throw .noMemory }
        while true {
            let li = sparseLi()
            let mutex = ThreadMutex(threads.mutexes, li: li, creator: actor, byPriority: byPriority)
            guard threads.mutexes.mutexes.insert(UInt64(UInt32(bitPattern: li)), mutex) else { continue }
            // Deleted in this instant: its objects may have been collected already.
            if actor.isDeleted {
                deleteMutex(mutex)
                throw .deadActor
            }
            return KnMutex(li: li)
        }
    }

    func deleteMutex(_ mutex: ThreadMutex) {
        guard threads.mutexes.mutexes.remove(UInt64(UInt32(bitPattern: mutex.li))) != nil else { return }
        threads.mutexes.lock.withLock { _ in mutex.delete() }
        mutex.creator.dropObject()
    }

    /// A name that is not guessed by counting.
    func sparseLi() -> Int32 { Int32(truncatingIfNeeded: host.random64() & 0x7fff_ffff) | 1 }
}

extension Actor {
    /// Room for one more mutex or timer; false at the limit.
    func holdObject() -> Bool {
        state.withLock { state in
            guard state.objects < K_SYNCMAX else { return false }
            state.objects += 1
            return true
        }
    }

    func dropObject() { state.withLock { $0.objects -= 1 } }
}
