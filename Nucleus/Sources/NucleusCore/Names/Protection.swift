import CChorus
import Synchronization

/// The protection identifier that the nucleus stamps on messages. Read without a lock at every call; user and group
/// always belong together.
final class Protection: Sendable {
    private let who = Atomic<UInt64>(0)
    private let domain = Atomic<UInt32>(0)

    var id: KnProtId {
        get {
            let pair = who.load(ordering: .relaxed)
            return KnProtId(
                uid: UInt32(truncatingIfNeeded: pair), gid: UInt32(pair &>> 32), did: domain.load(ordering: .relaxed))
        }
        set {
            who.store(UInt64(newValue.gid) &<< 32 | UInt64(newValue.uid), ordering: .relaxed)
            domain.store(newValue.did, ordering: .relaxed)
        }
    }
}
