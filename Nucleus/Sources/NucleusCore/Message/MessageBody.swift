import CChorus
import Synchronization

/// Memory of a message's body that is handed from actor to actor. Freed with the last one who holds it.
public final class MessageBody: @unchecked Sendable {
    // Sendable: constants. The bytes are its one holder's; those of an arena may be changed by a user actor at any time,
    // and are copied before anybody else relies on them.
    /// In this process.
    public let address: UnsafeMutableRawPointer
    /// What its owner calls it: the address in this process, or the offset in the arena.
    public let name: UInt64
    public let capacity: Int
    /// The memory of a user actor that it lies in; nil: it was allocated in this process.
    public let arena: (any BodyArena)?
    /// A receiver has made it its own.
    let isTaken = Atomic<Bool>(false)

    /// A part of `arena`, which gets it back in the end.
    public init(_ address: UnsafeMutableRawPointer, _ capacity: Int, name: UInt64, in arena: any BodyArena) {
        self.address = address
        self.capacity = capacity
        self.name = name
        self.arena = arena
    }

    fileprivate init(_ capacity: Int) {
        address = .allocate(byteCount: max(capacity, 1), alignment: 16)
        name = UInt64(UInt(bitPattern: address))
        self.capacity = capacity
        arena = nil
    }

    deinit {
        if let arena { arena.give(name, capacity) } else { address.deallocate() }
    }
}

/// Memory that a user actor's host process shares with the nucleus, for bodies that the actor holds.
public protocol BodyArena: AnyObject, Sendable {
    /// nil: it is full.
    func take(_ size: Int) -> MessageBody?
    func give(_ name: UInt64, _ size: Int)
}

/// The bodies that one actor holds, by name.
struct HeldBodies: Sendable {
    private var bodies: [UInt64: MessageBody] = [:]
    private var bytes = 0

    mutating func add(_ body: MessageBody) -> Bool {
        guard bytes + body.capacity <= Int(K_MSG_BODIESMAX) else { return false }
        bytes += body.capacity
        bodies[body.name] = body
        return true
    }

    /// They go when nobody looks at them any more.
    mutating func removeAll() -> [MessageBody] {
        defer { self = HeldBodies() }
        return Array(bodies.values)
    }

    func find(_ name: UInt64) -> MessageBody? { bodies[name] }

    mutating func remove(_ name: UInt64) -> MessageBody? {
        guard let body = bodies.removeValue(forKey: name) else { return nil }
        bytes -= body.capacity
        return body
    }
}

extension Actor {
    /// Memory that this actor can use for a body.
    private func newBody(_ size: Int) -> MessageBody? {
        arena == nil ? MessageBody(size) : arena?.take(size)
    }

    /// `body` where this actor can use it and nobody else can change it: itself, or a copy. nil: no memory.
    func local(_ body: MessageBody, _ size: Int) -> MessageBody? {
        body.arena === arena ? body : newBody(copying: body.address, size)
    }

    private func newBody(copying bytes: UnsafeRawPointer, _ size: Int) -> MessageBody? {
        let body = newBody(size)
        body?.address.copyMemory(from: bytes, byteCount: size)
        return body
    }

    private func hold(_ body: MessageBody?) throws(KnError) -> VmAddr {
        guard let body, bodies.withLock({ $0.add(body) }) else { throw .noMemory }
        return body.name
    }

    func msgAllocate(_ size: UInt32) throws(KnError) -> VmAddr {
        if isDeleted { throw .deadActor }
        guard size > 0 else { throw .invalid }
        guard size <= K_CMSGSIZEMAX else { throw .tooBig }
        return try hold(newBody(Int(size)))
    }

    func msgFree(_ name: VmAddr) throws(KnError) {
        guard bodies.withLock({ $0.remove(name) }) != nil else { throw .unknown }
    }

    /// The body of the message in hand; 0 if it has none.
    func msgTake() throws(KnError) -> (body: VmAddr, size: UInt32) {
        let thread = Thread.current(site, in: self)
        if let frame = thread.frame { return try take(frame) }
        guard let message = thread.message, message.holder === self, !message.bodyTaken else { throw .noMessage }
        let size = Int(message.bodySize)
        if size == 0 { return (0, 0) }
        let name = try hold(message.moved.map { local($0, size) } ?? newBody(copying: message.body, size))
        message.moved?.isTaken.store(true, ordering: .relaxed)
        message.moved = nil
        message.bodyTaken = true
        return (name, message.bodySize)
    }

    private func take(_ frame: UnsafeMutablePointer<HandlerFrame>) throws(KnError) -> (body: VmAddr, size: UInt32) {
        guard let head = frame.pointee.head else { throw .noMessage }
        let size = head.pointee.bodySize
        if size == 0 { return (0, 0) }
        guard let body = frame.pointee.body else { throw .noMessage }
        let moved = frame.pointee.moved?.takeUnretainedValue()
        // A handler that calls on behalf of another actor has nothing of that one's to take.
        guard moved == nil || moved?.arena === arena else { throw .noMessage }
        let name = try hold(moved ?? newBody(copying: body, Int(size)))
        moved?.isTaken.store(true, ordering: .relaxed)
        frame.pointee.body = nil
        frame.pointee.moved = nil
        return (name, size)
    }

    /// Runs `send` with a body that this actor gives away; it keeps it if the message did not leave.
    func moving(
        _ name: VmAddr, _ size: UInt32, _ send: (MessageBody) throws(KnError) -> Int32
    ) throws(KnError) -> Int32 {
        let (body, isKnown) = bodies.withLock { bodies -> (MessageBody?, Bool) in
            guard let body = bodies.find(name) else { return (nil, false) }
            return (Int(size) <= body.capacity ? bodies.remove(name) : nil, true)
        }
        guard let body else { throw isKnown ? .invalid : .unknown }
        // Whoever takes it from now on has it for good.
        body.isTaken.store(false, ordering: .relaxed)
        do throws(KnError) {
            let code = try send(body)
            if code == K_EFULL { keep(body) }
            return code
        } catch {
            keep(body)
            throw error
        }
    }

    private func keep(_ body: MessageBody) {
        guard !body.isTaken.load(ordering: .relaxed) else { return }
        _ = bodies.withLock { $0.add(body) }
    }
}
