import CChorus
import Synchronization

extension Port {
    /// From now on messages go to `handler`, those already queued too. Threads that wait in ipcReceive fail.
    func connect(_ handler: @escaping KnMsgHdl, _ cookie: UnsafeMutableRawPointer?) -> Int32 {
        let result = withRoom { room, _ -> Int32 in
            guard connection == .none else { return K_EBUSY }
            setHandler(handler, cookie)
            connection = .connected
            room.endReceivers(self, K_EINVAL)
            if !room.paused {
                gate.open()
                schedule()
            }
            return K_OK
        }
        return result ?? K_EUNKNOWN
    }

    /// Returns when the handler runs no more, but for runs that `thread` itself is inside. Of several handlers that
    /// disconnect themselves at once, the first drains and the others return at once.
    func disconnect(_ thread: Thread) -> Int32 {
        let own = thread.entries(gate)
        let before = withRoom { _, _ -> Connection in
            defer { if connection == .connected { connection = .draining } }
            return connection
        }
        guard let before else { return K_EUNKNOWN }
        switch before {
        case .none: return K_EINVAL
        case .draining: if own == 0 { gate.drain(site.host, own: 0) }
        case .connected:
            gate.close()
            gate.drain(site.host, own: own)
            _ = withRoom { room, _ in
                setHandler(nil, nil)
                connection = .none
                room.dispatch(self)?.send()
            }
        }
        return K_OK
    }

    /// Queued messages on a nucleus thread, one after the other.
    func run(_ thread: Thread) {
        let host = site.host
        // Inside before a message is taken: nobody else gets at the port's messages from then on.
        while true {
            guard gate.enter(host) else {
                if retire() { return }
                continue
            }
            let next = withRoom { room, _ -> Message? in
                if connection == .connected, let message = room.take(self, thread) { return message }
                scheduled = false
                return nil
            }
            let message = next ?? nil
            if let message { handle(message, thread) }
            gate.leave(host)
            if message == nil { return }
        }
    }

    /// The gate is shut: whoever connects a handler, or ends the pause, schedules the port again.
    private func retire() -> Bool {
        withRoom { room, _ -> Bool in
            if connection == .connected, !room.paused { return false }
            scheduled = false
            return true
        } ?? true
    }

    /// `abortable`: an abort of the thread is for the handler.
    func handle(_ message: Message, _ thread: Thread, abortable: Bool = false) {
        guard let handler else { return }
        // A body that was moved is where its receiver can keep it.
        let moved = message.moved
        let body = moved.flatMap { actor.local($0, Int(message.bodySize)) }
        if moved != nil, body == nil { message.transaction?.fail(K_ENOMEM) }
        guard moved == nil || body != nil else { return }
        message.moved = body
        defer { withExtendedLifetime(body) {} }
        let transaction = message.transaction
        let capacity = transaction?.capacity ?? 0
        let annexSize = Int(K_CMSGANNEXSIZE)
        let answer = UnsafeMutableRawPointer.allocate(byteCount: annexSize + Int(capacity), alignment: 16)
        answer.initializeMemory(as: UInt8.self, repeating: 0, count: annexSize)
        defer { answer.deallocate() }
        var size = capacity
        var head = message.head
        let began = site.trace.begin()
        let code = thread.inside(
            gate, &head, abortable: abortable, data: message.body, moved: body.map { .passUnretained($0) }
        ) {
            handler(
                cookie, &head, message.annex, message.body, message.bodySize, answer, answer + annexSize, &size)
        }
        site.trace(
            handler: K_HDL_MESSAGE, ui, message.annex.loadUnaligned(as: UInt32.self), bytes: message.bodySize, code,
            thread, since: began)
        guard let transaction else { return }
        _ = withRoom { room, _ in room.held.removeValue(forKey: transaction.id) }
        if code < 0 {
            transaction.fail(code)
        } else if size > capacity {
            transaction.fail(K_ETOOBIG)
        } else {
            _ = transaction.reply(answer, answer + annexSize, size)
        }
    }
}
