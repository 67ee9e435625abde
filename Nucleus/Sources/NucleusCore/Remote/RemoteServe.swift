import CChorus
import Synchronization

/// A call of another site's that is here.
struct ServedCall {
    let transaction: Transaction
    /// The request, once it is at its port.
    var request: (message: Message, port: Port)?

    /// The client has gone with `code`; false if the call had ended before. A request that is still queued goes.
    func cancel(_ code: Int32) -> Bool {
        guard transaction.cancel(code) else { return false }
        if let request { request.port.forget(request.message) }
        return true
    }
}

/// Messages from other sites. They never wait here: a port queues them, or its handler gets a thread.
extension Sites {
    /// False if the frame makes no sense.
    func receive(_ frame: Frame, from source: UInt32) -> Bool {
        guard let fields = frame.fields(MessageFields.self), let target = fields.head.target.type,
            frame.holdsMessage(fields, behind: MessageFields.self), fields.hops <= MessageFields.mostHops,
            // Who has passed nothing on speaks of its own calls.
            fields.call.id == 0 || fields.hops > 0 || fields.call.origin == source
        else { return false }
        if fields.port.isNone {
            guard target.isGroup else { return false }
            forGroup(frame, fields, from: source)
        } else {
            guard fields.port.type == .port else { return false }
            forPort(frame, fields, from: source)
        }
        return true
    }

    func forPort(_ frame: Frame, _ fields: MessageFields, from source: UInt32) {
        let raw = fields.port.raw
        for _ in 0..<Self.mostTurns {
            if let port = site.port(named: raw), offer(port, frame, fields) { return }
            let code = state.withLock { $0.forward(frame, fields, raw, from: source) }
            if code == RemoteCode.here { continue }
            if code != K_OK { refuse(fields, code) }
            return
        }
        refuse(fields, K_EUNKNOWN)
    }

    private func forGroup(_ frame: Frame, _ fields: MessageFields, from source: UInt32) {
        let head = fields.head
        let dest = KnIpcDest(target: head.target, coTarget: head.coTarget)
        if fields.mode == K_BROADMODE {
            guard fields.call.id == 0 else { return refuse(fields, K_EINVAL) }
            for port in site.groups.find(head.target.raw)?.members ?? [] { _ = offer(port, frame, fields) }
            return
        }
        if fields.mode == K_FUNCUMODE, isAway(head.coTarget) {
            // The sender did not know.
            let code = state.withLock { $0.forward(frame, fields, head.coTarget.raw, from: source) }
            if code != RemoteCode.here {
                if code != K_OK { refuse(fields, code) }
                return
            }
        }
        for _ in 0..<8 {
            let port: Port
            do throws(KnError) { port = try site.resolve(dest, fields.mode) } catch {
                return refuse(fields, error.rawValue)
            }
            if offer(port, frame, fields) { return }
            guard port.isAway else { continue }
            var fields = fields
            fields.port = port.ui
            var frame = frame
            frame.set(fields)
            return forPort(frame, fields, from: source)
        }
        refuse(fields, K_EUNREACHABLE)
    }

    /// False if the port is not here any more.
    func offer(_ port: Port, _ frame: Frame, _ fields: MessageFields) -> Bool {
        var transaction: Transaction?
        if fields.call.id != 0 {
            transaction = admit(fields)
            if transaction == nil { return true }
        }
        let message = self.message(frame, fields, transaction, port, behind: MessageFields.self)
        if transaction != nil { state.withLock { $0.served[fields.call.named]?.request = (message, port) } }
        if transaction != nil, port.withRoom({ _, _ in port.connection == .connected }) == true {
            workers.submit(RemoteRun(port, message), site.kernel)
            return true
        }
        let code = port.enqueue(message, fresh: fields.believed == port.epoch)
        if code == K_OK { return true }
        if code == K_EPORTDELETED {
            if let transaction { withdraw(fields, transaction) }
            return false
        }
        if let transaction { transaction.fail(code) } else { drop(port.ui, code) }
        return true
    }

    /// The nucleus' own copy, as a receiver here sees it.
    func message<Fields: BitwiseCopyable>(
        _ frame: Frame, _ fields: MessageFields, _ transaction: Transaction?, _ port: Port, behind type: Fields.Type
    ) -> Message {
        var head = fields.head
        head.flags = head.flags & K_ABORTABLE | K_MSG_REMOTE
        head.transId = transaction?.id ?? 0
        let order = site.messageOrder.wrappingAdd(1, ordering: .relaxed).newValue
        return frame.rest(behind: type) { rest in
            let annex = rest.baseAddress.map { UnsafeRawPointer($0) }
            return Message(
                head, transaction, port, order: order, annex: annex, body: annex.map { $0 + Int(K_CMSGANNEXSIZE) })
        }
    }

    /// nil if there is nobody to answer: the call came twice, its client has gone, or there are too many.
    func admit(_ fields: MessageFields) -> Transaction? {
        let name = fields.call.named
        if name.origin == site.number {
            // One of ours comes back.
            guard let call = state.withLock({ $0.calls.removeValue(forKey: name.id) }), call.cancelled == K_OK else {
                return nil
            }
            call.transaction.goesOn(to: .none)
            return call.transaction
        }
        let transaction = Transaction(
            .site(self, name), site.lastTransaction.wrappingAdd(2, ordering: .relaxed).newValue, annex: nil, body: nil,
            capacity: min(fields.capacity, UInt32(K_CMSGSIZEMAX)))
        let code = state.withLock { state -> Int32 in
            guard state.peers[name.origin] != nil, state.served[name] == nil else { return K_EEXIST }
            guard state.served.count < Self.mostServed else { return K_EFULL }
            state.served[name] = ServedCall(transaction: transaction)
            return K_OK
        }
        if code == K_EFULL { refuse(fields, code) }
        return code == K_OK ? transaction : nil
    }

    /// Requests of other sites that are here.
    private static var mostServed: Int { 16384 }

    private func withdraw(_ fields: MessageFields, _ transaction: Transaction) {
        let name = fields.call.named
        if name.origin == site.number {
            transaction.goesOn(to: .site(self, name.id))
            state.withLock { $0.calls[name.id] = OutgoingCall(transaction: transaction) }
        } else {
            state.withLock { $0.served[name] = nil }
        }
    }

    func refuse(_ fields: MessageFields, _ code: Int32) {
        guard fields.call.id != 0 else { return drop(fields.head.target, code) }
        let end = EndFields(call: fields.call.named, code: code, tried: 0)
        if end.call.origin == site.number { return failed(end) }
        state.withLock { $0.send(.fail, end, to: end.call.origin) }
    }

    func drop(_ target: KnUniqueId, _ code: Int32) {
        state.withLock { $0.counts.dropped += 1 }
        site.traceDropped(target, code)
    }

    // MARK: to the client's site. Called with locks held.

    func answer(_ call: WireCall, failed code: Int32) {
        state.withLock { state in
            guard state.served.removeValue(forKey: call) != nil else { return }
            state.send(.fail, EndFields(call: call, code: code), to: call.origin)
        }
    }

    func answer(_ call: WireCall, _ annex: UnsafeRawPointer?, _ body: UnsafeRawPointer?, _ size: UInt32) {
        let size = body == nil ? 0 : size
        var frame = Frame(
            .reply, ReplyFields(call: call, size: size), more: Int(K_CMSGANNEXSIZE) + Int(size))
        frame.append(annex, Int(K_CMSGANNEXSIZE))
        if size > 0 { frame.append(body, Int(size)) }
        state.withLock { state in
            guard state.served.removeValue(forKey: call) != nil else { return }
            _ = state.send(frame, to: call.origin)
        }
    }

    /// The client has gone.
    func cancelled(_ fields: EndFields, from source: UInt32) {
        guard fields.call.origin == source else { return }
        let name = fields.call.named
        guard let call = state.withLock({ $0.served[name] }), call.cancel(fields.code) else { return }
        answer(name, failed: fields.code < 0 ? fields.code : K_EABORT)
    }
}

extension Sites.State {
    /// Passes a message on to where its port has gone, and says so.
    fileprivate mutating func forward(
        _ frame: Frame, _ fields: MessageFields, _ raw: UInt64, from source: UInt32
    ) -> Int32 {
        guard places[raw] != nil else { return K_EUNKNOWN }
        guard fields.hops < MessageFields.mostHops else { return K_EUNREACHABLE }
        switch way(raw) {
        case .here: return RemoteCode.here
        case .unknown: return K_EUNKNOWN
        case .unreachable: return K_EUNREACHABLE
        case .to(let number, let epoch):
            var (frame, fields) = (frame, fields)
            fields.believed = epoch
            fields.hops += 1
            frame.set(fields)
            let code = pass(frame, raw, number)
            guard code == K_OK else { return code }
            counts.forwarded += 1
            if source != number {
                send(.moved, PlaceFields(ui: KnUniqueId(raw: raw), site: number, epoch: epoch), to: source)
            }
            return K_OK
        }
    }
}

extension Frame {
    /// Annex and body are as long as the fields say.
    func holdsMessage<Fields: BitwiseCopyable>(_ fields: MessageFields, behind type: Fields.Type) -> Bool {
        fields.head.bodySize <= K_CMSGSIZEMAX
            && rest(behind: type) { $0.count == Int(K_CMSGANNEXSIZE) + Int(fields.head.bodySize) }
    }
}

/// A call from another site to a port with a handler, on a thread of its own, as a local client's would be.
private final class RemoteRun: WorkItem {
    private let port: Port
    private let message: Message

    init(_ port: Port, _ message: Message) {
        self.port = port
        self.message = message
    }

    func run(_ thread: Thread) {
        port.serve(message, thread)
        // An abort of the client that came when the handler was over.
        _ = thread.takeAborted()
    }
}

extension Port {
    fileprivate func serve(_ message: Message, _ thread: Thread) {
        guard let transaction = message.transaction else { return }
        // Disconnected in this instant, paused, or handed over to a successor: then it waits with the others.
        func queue() {
            let code = enqueue(message)
            if code != K_OK { transaction.fail(code) }
        }
        guard gate.enter(site.host) else { return queue() }
        defer { gate.leave(site.host) }
        let served = withRoom { room, _ -> Bool in
            guard transaction.serve(thread) else { return false }
            room.held[transaction.id] = message
            received &+= 1
            return true
        }
        if served == true { handle(message, thread, abortable: true) }
        if served == nil { queue() }
    }
}
