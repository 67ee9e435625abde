import CChorus
import Synchronization

/// A server's place taken by another instance of it, in the same or the other privilege, while clients go on calling:
/// their messages wait in the ports of the old instance, which the new one's ports then succeed.
extension Actor {
    /// No handler is entered and nothing is received any more; messages queue up. Who is inside goes on.
    public func pause() {
        room.withLock { room in
            room.paused = true
            for port in room.ports.values where port.connection == .connected { port.gate.close() }
        }
    }

    /// After `pause`: true when nobody is inside its message handlers and no thread of it holds a request.
    public func drain(milliseconds: Int32) -> Bool {
        let host = site.host
        let end = deadline(host, milliseconds)
        while true {
            let idle = room.withLock { room in
                room.held.isEmpty && room.ports.values.allSatisfy { !$0.gate.isOccupied(beyond: 0) }
            }
            if idle { return true }
            if let end, host.now() >= end { return false }
            nap(nanoseconds: 200_000)
        }
    }

    /// For what is rare and short: not worth a word to be woken by.
    public func nap(nanoseconds: UInt64) {
        var word: UInt32 = 0
        _ = site.host.wait(&word, 0, deadline: site.host.now() + nanoseconds)
    }

    /// What has gathered since `pause` is delivered.
    public func resume() {
        room.withLock { room in
            room.paused = false
            for port in room.ports.values {
                port.backlog = port.queue.count
                if port.connection == .connected {
                    port.gate.open()
                    port.schedule()
                } else {
                    room.dispatch(port)?.send()
                }
            }
        }
    }

    /// Actors that it made: they are bound to this instance.
    public var hasChildren: Bool { site.allActors.contains { $0.creator === self } }
}

extension Port {
    /// A paused server lets in who is inside already: its request cannot come to an end else.
    @inline(never) func enterPaused(_ thread: Thread) -> Bool {
        guard thread.entries(gate) > 0 else { return false }
        return withRoom { room, _ in
            guard room.paused, connection == .connected else { return false }
            gate.enterAgain()
            return true
        } ?? false
    }
}

extension Site {
    /// The ports of `new` succeed those of `old`: in their groups, under their names, with their queues. Both are paused.
    ///
    /// A port's successor is in the same group, or else has the same local identifier: an instance makes its ports in
    /// the order in which the one before did. Ports without one keep what they have, and end with their actor.
    public func handOverPorts(from old: Actor, to new: Actor) {
        func move(_ from: inout Room, _ to: inout Room) {
            for port in from.ports.values.sorted(by: { $0.li < $1.li }) {
                let same = to.ports.values.first { other in
                    other.groups.contains { group in port.groups.contains { $0 === group } }
                }
                guard let successor = same ?? to.ports[port.li] else { continue }
                succeed(port, successor, &from)
            }
        }
        if old.cap.ui.raw < new.cap.ui.raw {
            old.room.withLock { from in new.room.withLock { to in move(&from, &to) } }
        } else {
            new.room.withLock { to in old.room.withLock { from in move(&from, &to) } }
        }
        new.protection.id = old.protection.id
    }

    private func succeed(_ port: Port, _ successor: Port, _ from: inout Room) {
        for group in port.groups where group.replace(port, by: successor) { successor.groups.append(group) }
        port.groups = []
        port.admitLate()
        let messages = (port.queue.removeAll() + successor.queue.removeAll()).sorted { $0.order < $1.order }
        for message in messages {
            message.port = successor
            successor.queue.append(message)
        }
        successor.protection.id = port.protection.id
        from.endReceivers(port, K_EMIGRATED)
        if !port.isDefault { from.ports[port.li] = nil }
        // In this order a name is always somebody's.
        for name in port.formerNames + [port.ui.raw] {
            successors.remove(name)
            _ = successors.insert(name, successor)
        }
        successor.formerNames += port.formerNames + [port.ui.raw]
        port.formerNames = []
        ports.remove(port.ui.raw)
        port.succeeded(by: successor)
    }

    /// What is left of the segments of `old` belongs to `new`.
    public func handOverSegments(from old: Actor, to new: Actor) {
        let segments = old.state.withLock { state in
            defer { state.segments = [:] }
            return state.segments
        }
        let dead = new.state.withLock { state in
            state.segments.merge(segments) { mine, _ in mine }
            return new.isDeleted
        }
        if dead { for segment in segments.values { release(segment, new) } }
    }
}
