import CChorus
import Synchronization

extension Port {
    /// Hands the message to who waits for it, or queues it. The port's handler, if one is connected, will get it on a
    /// nucleus thread. `fresh`: nothing that has to come before can be on its way here.
    func enqueue(_ message: Message, fresh: Bool = false) -> Int32 {
        var wake: Wake?
        let result = withRoom { room, actor -> Int32 in
            // Nobody can take any while the owner is paused; who calls is bounded by the number of threads.
            let limit =
                room.paused ? message.transaction == nil ? Self.pausedQueue : Int.max : Int(K_CPORTQUEUE) + backlog
            guard queue.count + (late?.count ?? 0) < limit, message.charge(to: actor) else { return K_EFULL }
            if late != nil, !fresh {
                late?.append(.message(message))
                return K_OK
            }
            queue.append(message)
            if connection == .connected {
                if !room.paused { schedule() }
            } else {
                wake = room.dispatch(self)
            }
            actor.messages.wrappingAdd(1, ordering: .relaxed)
            return K_OK
        }
        wake?.send()
        if let result { return result }
        guard let successor else { return K_EPORTDELETED }
        message.port = successor
        return successor.enqueue(message, fresh: fresh)
    }

    /// Nobody waits for the answer to `message` any more: if it is still here, it goes. One that has gone on elsewhere is
    /// left out where it is received.
    func forget(_ message: Message) {
        _ = withRoom { [self] _, _ in
            guard !queue.remove(where: { $0 === message }).isEmpty else { return }
            if backlog > 0 { backlog -= 1 }
        }
    }

    /// Messages without an answer that a port keeps while its owner is paused.
    private static var pausedQueue: Int { 4096 }

    /// Room locked.
    func schedule() {
        guard !scheduled, !queue.isEmpty else { return }
        scheduled = true
        site.messageWorkers.submit(self, site.kernel)
    }
}

extension Room {
    /// Gives queued messages to waiting receivers. The last of them is to be told without the lock.
    mutating func dispatch(_ port: Port) -> Wake? {
        var last: Wake?
        guard port.connection != .connected, !paused else { return nil }
        while !port.queue.isEmpty {
            let index = receivers.firstIndex { $0.port === port || ($0.port == nil && port.priority != nil) }
            guard let index else { return last }
            let receiver = receivers.remove(at: index)
            guard let message = take(port, receiver.thread) else {
                receivers.insert(receiver, at: index)
                return last
            }
            receiver.message = message
            guard let wake = receiver.thread.settle(K_OK) else {
                putBack(message)
                continue
            }
            last?.send()
            last = wake
        }
        return last
    }

    /// The oldest message of the port that somebody still cares for.
    mutating func take(_ port: Port, _ thread: Thread) -> Message? {
        if paused { return nil }
        while let message = port.queue.popFirst() {
            if port.backlog > 0 { port.backlog -= 1 }
            if let transaction = message.transaction {
                guard transaction.serve(thread) else { continue }
                held[transaction.id] = message
            }
            port.received &+= 1
            message.li = port.li
            return message
        }
        return nil
    }

    /// A receiver gave up in the instant it was chosen: its message becomes the oldest again.
    mutating func putBack(_ message: Message) {
        if let transaction = message.transaction {
            held[transaction.id] = nil
            _ = transaction.serve(nil)
        }
        message.port.received &-= 1
        message.port.queue.prepend(message)
    }

    /// Of the enabled ports: best (lowest) priority first, then the oldest message.
    func bestEnabled() -> Port? {
        if paused { return nil }
        var best: (port: Port, priority: Int32, order: UInt64)?
        for port in ports.values {
            guard let priority = port.priority, port.connection != .connected, let first = port.queue.first else {
                continue
            }
            if let now = best, (now.priority, now.order) < (priority, first.order) { continue }
            best = (port, priority, first.order)
        }
        return best?.port
    }
}
