import CChorus
import Synchronization

/// All threads of a site by local identifier.
public final class ThreadTable: Sendable {
    private let threads = ShardTable<Thread>()
    private let last = Atomic<Int32>(0)
    let mutexes: MutexTable

    init() { mutexes = MutexTable(threads) }

    public func find(_ li: KnThreadLid) -> Thread? { threads.find(UInt64(UInt32(bitPattern: li))) }

    /// A new thread of `actor`, known to the site. The machine layer calls this for guests' threads.
    public func create(_ actor: Actor, name: String = "", foreign: Bool = false) -> Thread {
        while true {
            let li = last.wrappingAdd(1, ordering: .relaxed).newValue & Int32.max
            guard li != 0 else { continue }
            let thread = Thread(li: li, actor: actor, name: name, foreign: foreign)
            guard threads.insert(UInt64(UInt32(bitPattern: li)), thread) else { continue }
            actor.state.withLock { $0.threads[li] = thread }
            if !foreign { actor.site.trace.add(K_TR_THREAD, 0, 0, 0, actor.cap.ui.raw, thread: li) }
            return thread
        }
    }

    /// Called by the thread itself or when it runs no more.
    public func remove(_ thread: Thread) {
        if thread.endCalls() { thread.dropMessage() }
        thread.doom()
        let known = threads.remove(UInt64(UInt32(bitPattern: thread.li))) != nil
        mutexes.ownerDied(thread)
        // A host thread that only came by may end later than the site.
        if known, !thread.isForeign {
            thread.site.trace.add(K_TR_THREAD_END, 0, 0, 0, thread.actor.cap.ui.raw, thread: thread.li)
        }
        _ = thread.actor.state.withLock { $0.threads.removeValue(forKey: thread.li) }
    }

    var all: [Thread] { threads.all }
}
