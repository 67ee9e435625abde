import CChorus
import Synchronization

extension Port {
    /// Hands the message to who waits for it, or queues it. The port's handler, if one is connected, will get it on a
    /// nucleus thread.
    func enqueue(_ message: Message) -> Int32 {
        let result = withRoom { room, actor -> Int32 in
            guard queue.count < Int(K_CPORTQUEUE), message.charge(to: actor) else { return K_EFULL }
            queue.append(message)
            if connection == .connected { schedule() } else { room.dispatch(self) }
            actor.messages.wrappingAdd(1, ordering: .relaxed)
            return K_OK
        }
        return result ?? K_EPORTDELETED
    }

    /// Room locked.
    func schedule() {
        guard !scheduled, !queue.isEmpty else { return }
        scheduled = true
        site.messageWorkers.submit(self, site.kernel)
    }
}

extension Room {
    /// Gives queued messages to waiting receivers.
    mutating func dispatch(_ port: Port) {
        guard port.connection != .connected else { return }
        while !port.queue.isEmpty {
            let index = receivers.firstIndex { $0.port === port || ($0.port == nil && port.priority != nil) }
            guard let index else { return }
            let receiver = receivers.remove(at: index)
            guard let message = take(port, receiver.thread) else {
                receivers.insert(receiver, at: index)
                return
            }
            receiver.message = message
            if !receiver.thread.complete(K_OK) { putBack(message) }
        }
    }

    /// The oldest message of the port that somebody still cares for.
    mutating func take(_ port: Port, _ thread: Thread) -> Message? {
        while let message = port.queue.popFirst() {
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
