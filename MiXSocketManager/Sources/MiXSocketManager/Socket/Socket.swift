import ActorKit
import CMiXFile
import CMiXSocket

/// What socket(2) makes. Everything that changes is in `state`; no two sockets' locks are ever held at a time: what is done to the other
/// end is done behind one's own lock.
final class Socket: Sendable {
    enum Kind: UInt32 {
        case stream = 1
        case datagram = 2
        case sequence = 5
    }

    unowned let manager: SocketManager
    let number: UInt64  // MixKey.object
    let secret: UInt64  // MixKey.tag
    let family: Family
    let kind: Kind
    let transport: Int32
    let state: Guarded<State>

    struct State {
        var phase: Phase = .idle
        var local: Address = .unnamed
        var remote: Address = .unnamed
        var queue = ReceiveQueue()
        /// shutdown(2), by either end.
        var receiveShut = false
        var sendShut = false
        /// SO_ERROR: told once, by whatever asks first.
        var error: Int32 = 0
        var watches = WatchList()
        var options: Options
        var credentials: Credentials
        var peerCredentials = Credentials.nobody
        var urgent = Urgent()
        var binding: PortBinding?
        /// bind(2) said which address; else connect(2) chooses.
        var isHostGiven = false
        var memberships: [Membership] = []
        var peekOffset: Int = -1  // SO_PEEK_OFF; negative: off
        /// What the queue may hold, when the other end found it full; 0: nobody waits.
        var blockedAt = 0
        /// Not connected to us, and found the queue of our datagrams full.
        var strangers: [Socket] = []
        /// Connected since connect(2) said EINPROGRESS; the next one is told so once.
        var isFresh = false
    }

    /// What a connection-oriented socket is about; a datagram socket is `idle` or `connected` without a peer.
    enum Phase {
        case idle
        case listening(Backlog)
        /// A listener has no room yet.
        case connecting(Socket)
        case connected(Socket)
        /// The other end is gone. `resets`: TCP's first write afterwards succeeds and brings a reset.
        case disconnected(resets: Bool)
        case closed
    }

    /// `cred`: who made it.
    init(_ manager: SocketManager, _ family: Family, _ kind: Kind, _ transport: Int32, _ credentials: Credentials)
        throws(Errno)
    {
        self.manager = manager
        number = manager.sockets.nextNumber()
        secret = (number &* 0x9e37_79b9_7f4a_7c15) ^ manager.seed
        self.family = family
        self.kind = kind
        self.transport = transport
        state = Guarded(State(options: Options(family, kind), credentials: credentials))
        try manager.sockets.add(self)
    }

    var key: MixKey { MixKey(object: number, tag: secret) }
    /// One number space of inodes for all sockets.
    var inode: UInt64 { number + 0x10000 }
    var isStream: Bool { kind == .stream }
    var isDatagram: Bool { kind == .datagram }
    var isTcp: Bool { family.isInet && kind == .stream }

    /// Runs `body` under the lock, then carries out what it led to.
    @discardableResult
    func change<Result, Failure: Error>(
        _ body: (inout State, inout Effects) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var effects = Effects()
        defer { manager.carryOut(effects) }
        return try state.withLock { (state) throws(Failure) in try body(&state, &effects) }
    }

    /// Wakes whoever waits for one of `bits`.
    func fire(_ bits: UInt32) {
        change { state, effects in state.watches.fire(bits, &effects.postings) }
    }
}

extension Socket.State {
    /// SO_ERROR, which is told once.
    mutating func takeError() throws(Errno) {
        if error != 0 {
            let told = Errno(error)
            error = 0
            throw told
        }
    }
}

/// Connections that wait for accept(2), and those that wait for a place.
struct Backlog {
    var limit: Int
    var waiting: [Socket] = []
    var hopeful: [Socket] = []

    /// Linux keeps one more than was asked for (inet(7), unix(7)).
    var isFull: Bool { waiting.count > limit }
}
