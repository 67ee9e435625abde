import CChorus
import Synchronization

/// A message queue with a name, attached to one actor at a time.
///
/// What says "room" is behind the room of the owner; who needs that takes `withRoom`.
final class Port: WorkItem, @unchecked Sendable {
    // Sendable: constants, atomics, locks; the handler is written only while its gate is closed and drained.
    unowned(unsafe) let site: Site
    let ui: KnUniqueId
    let isDefault: Bool
    let protection = Protection()
    let deleted = Atomic<Bool>(false)
    /// Counts the migrations between sites, and where the port has been; 0 for one that was born here.
    let epoch: UInt32
    let trail: [UInt32]
    /// Deleted here because it is at another site now.
    private let away = Atomic<Bool>(false)
    /// Messages that went straight to the handler.
    let handled = Atomic<UInt64>(0)
    /// Changed only with the rooms of both actors locked.
    let owner: Mutex<Actor>

    let gate = Gate()
    private(set) var handler: KnMsgHdl?
    private(set) var cookie: UnsafeMutableRawPointer?

    enum Connection { case none, connected, draining }
    // room:
    var li: KnPortLid = 0
    var priority: Int32?
    var queue = Fifo<Message>()
    var received: UInt32 = 0
    var connection = Connection.none
    var scheduled = false
    var groups: [Group] = []
    /// Messages that gathered during a pause: until they are taken the queue is that much longer.
    var backlog = 0
    /// Names of ports that it is the successor of.
    var formerNames: [UInt64] = []
    /// Written once, before `deleted`: who has its messages now.
    private(set) var successor: Port?
    /// After a migration from another site: what has to wait for messages that are on their way by the old one.
    var late: [Late]?

    init(_ actor: Actor, ui: KnUniqueId, isDefault: Bool = false, epoch: UInt32 = 0, trail: [UInt32] = []) {
        self.epoch = epoch
        self.trail = trail
        site = actor.site
        self.ui = ui
        self.isDefault = isDefault
        owner = Mutex(actor)
    }

    var actor: Actor { owner.withLock { $0 } }

    /// Room locked: messages received since it came to its actor, plus one.
    var sequence: UInt32 { received &+ UInt32(truncatingIfNeeded: handled.load(ordering: .relaxed)) &+ 1 }

    var isAway: Bool { away.load(ordering: .acquiring) }

    /// Room locked. The other site has it.
    func leave() {
        away.store(true, ordering: .releasing)
        deleted.store(true, ordering: .releasing)
    }

    /// Deleted: it does not hold its actor any more.
    func abandon(to kernel: Actor) {
        guard deleted.load(ordering: .acquiring) else { return }
        let old = owner.withLock { owner -> Actor in
            defer { owner = kernel }
            return owner
        }
        withExtendedLifetime(old) {}
    }

    /// The rooms of both owners are locked.
    func succeeded(by port: Port) {
        successor = port
        deleted.store(true, ordering: .releasing)
    }

    func setHandler(_ handler: KnMsgHdl?, _ cookie: UnsafeMutableRawPointer?) {
        self.handler = handler
        self.cookie = cookie
    }

    /// With the owner's room locked. nil when the port is deleted.
    func withRoom<Result>(_ body: (inout Room, Actor) -> Result) -> Result? {
        while !deleted.load(ordering: .acquiring) {
            let actor = self.actor
            nonisolated(unsafe) var result: Result?
            let right = actor.room.withLock { room in
                guard self.actor === actor, !deleted.load(ordering: .acquiring) else { return false }
                result = body(&room, actor)
                return true
            }
            if right { return result }
        }
        return nil
    }
}

/// The ports of an actor, with everything that waits in or for them, behind one lock.
struct Room: Sendable {
    var ports: [KnPortLid: Port] = [:]
    var lastLi: KnPortLid = 0
    var receivers: [Receiver] = []
    /// Requests that threads of the actor hold, by transaction: they fail when it dies.
    var held: [UInt64: Message] = [:]
    var saved: [Int32: Message] = [:]
    var lastSaved: Int32 = 0
    var closed = false
    /// Messages wait, whoever wants them (`Actor.pause`).
    var paused = false
}

/// A thread that waits in ipcReceive.
final class Receiver: @unchecked Sendable {
    // Sendable: fields change under the room's lock while the receiver is queued.
    let thread: Thread
    /// nil: any enabled port.
    let port: Port?
    var message: Message?

    init(_ thread: Thread, _ port: Port?) {
        self.thread = thread
        self.port = port
    }
}
