import CChorus
import Synchronization

/// The other sites, as this one knows them: who is up, where ports are that are not here, which calls go there and which
/// come from there.
///
/// `announced` comes behind `Actor.room` in the lock order, `state` behind all but the shards of tables; frames are sent
/// with `state` locked, so that their order is that of their causes.
public final class Sites: Sendable {
    /// Holds this, and closes it.
    unowned(unsafe) let site: Site
    let state: Mutex<State>
    /// Groups with members here that the others know of.
    let announced = Mutex<[UInt64: KnKey]>([:])
    /// Handlers that are called from other sites: each call has a thread of its own, as those of local clients have.
    let workers = Workers(name: "kn-remote", limit: 64)
    let deliveries = Workers(name: "kn-link", limit: 1)
    private let linked = Atomic<Bool>(false)
    /// How long the other site may take for its part of a migration, and for the first frames, in milliseconds.
    public let patience = Atomic<UInt32>(10_000)

    init(_ site: Site) {
        self.site = site
        state = Mutex(State(me: site.number, incarnation: site.host.random64() | 1))
    }

    struct State: Sendable {
        let me: UInt32
        let incarnation: UInt64
        var link: (any SiteLink)?
        var peers: [UInt32: Peer] = [:]
        /// Sites by what their names show of the number.
        var hints: [UInt16: UInt32] = [:]
        /// Incarnations that were here before, so that a new one is told apart.
        var known: [UInt32: UInt64] = [:]
        var calls: [UInt64: OutgoingCall] = [:]
        var served: [WireCall: ServedCall] = [:]
        /// Of ports that have migrated: where to.
        var places: [UInt64: Place] = [:]
        var switches: [UInt64: PathSwitch] = [:]
        var heldBytes = 0
        /// Sites with members, by group.
        var members: [UInt64: [UInt32]] = [:]
        var turn: UInt = 0
        var departures: [UInt64: Departure] = [:]
        var arrivals: [ArrivalName: Arrival] = [:]
        var waiters: [(site: UInt32, thread: Thread)] = []
        var counts = SiteCounts()

        init(me: UInt32, incarnation: UInt64) { (self.me, self.incarnation) = (me, incarnation) }
    }

    struct Peer {
        /// 0 until its first frame.
        var incarnation: UInt64 = 0
        var received: UInt64 = 0
        var sent: UInt64 = 0
        var ready = false
    }

    /// False on a site that is alone: nobody needs to look for anything elsewhere.
    @inline(__always) var isLinked: Bool { linked.load(ordering: .acquiring) }

    public var counts: SiteCounts { state.withLock { $0.counts } }
    public func isUp(_ number: UInt32) -> Bool { state.withLock { $0.peers[number]?.ready == true } }

    /// K_EBUSY if there is a link. From now on that calls `siteUp`, `siteDown` and `deliver`.
    public func open(_ link: any SiteLink) throws(KnError) {
        let done = state.withLock { state in
            guard state.link == nil else { return false }
            state.link = link
            return true
        }
        guard done else { throw .busy }
        linked.store(true, ordering: .releasing)
    }

    /// Leaves the others; what goes on with them ends.
    func close() {
        guard let link = state.withLock({ $0.link }) else { return workers.stop() }
        link.close()
        linked.store(false, ordering: .releasing)
        let numbers = state.withLock { state in
            state.link = nil
            return Array(state.peers.keys)
        }
        for number in numbers { siteDown(number) }
        workers.stop()
        deliveries.stop()
    }
}

/// What came of frames and messages.
public struct SiteCounts: Sendable {
    /// Frames that make no sense; that came twice or from an earlier incarnation; gaps.
    public var malformed = 0, stale = 0, lost = 0
    /// Messages that were passed on to where their port has gone, that waited for their way to change, and ways changed.
    public var forwarded = 0, held = 0, switched = 0
    /// Asynchronous messages without a receiver.
    public var dropped = 0
}

extension Sites.State {
    /// K_OK, or why the frame has not gone: K_EUNREACHABLE, K_EFULL.
    mutating func send(_ frame: consuming Frame, to number: UInt32, pressing: Bool = true) -> Int32 {
        guard let peer = peers[number], let link else { return K_EUNREACHABLE }
        frame.address(from: me, to: number, peer.sent + 1, incarnation)
        switch link.send(frame, to: number, pressing: pressing) {
        case .sent:
            peers[number]?.sent += 1
            return K_OK
        case .full: return K_EFULL
        case .down: return K_EUNREACHABLE
        }
    }

    mutating func send<Fields: BitwiseCopyable>(_ kind: FrameKind, _ fields: Fields, to number: UInt32) {
        _ = send(Frame(kind, fields), to: number)
    }
}
