import CChorus
import Synchronization

/// All threads of a site by local identifier.
public final class ThreadTable: Sendable {
    private let threads = ShardTable<Thread>()
    private let last = Atomic<Int32>(0)

    init() {}

    public func find(_ li: KnThreadLid) -> Thread? { threads.find(UInt64(UInt32(bitPattern: li))) }

    /// A new thread of `actor`, known to the site. The machine layer calls this for guests' threads.
    public func create(_ actor: Actor, name: String = "", foreign: Bool = false) -> Thread {
        while true {
            let li = last.wrappingAdd(1, ordering: .relaxed).newValue & Int32.max
            guard li != 0 else { continue }
            let thread = Thread(li: li, actor: actor, name: name, foreign: foreign)
            guard threads.insert(UInt64(UInt32(bitPattern: li)), thread) else { continue }
            actor.state.withLock { $0.threads[li] = thread }
            return thread
        }
    }

    /// Called by the thread itself or when it runs no more.
    public func remove(_ thread: Thread) {
        thread.dropMessage()
        thread.doom()
        threads.remove(UInt64(UInt32(bitPattern: thread.li)))
        _ = thread.actor.state.withLock { $0.threads.removeValue(forKey: thread.li) }
    }

    var all: [Thread] { threads.all }
}
