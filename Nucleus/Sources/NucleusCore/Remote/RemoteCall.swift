import CChorus
import Synchronization

/// A call of this site's that another site has, or is on its way there.
struct OutgoingCall {
    let transaction: Transaction
    /// 0: it is still here, behind others that are held.
    var site: UInt32 = 0
    /// Of the port's stay there.
    var epoch: UInt32 = 0
    /// The client has gone with this code. The entry stays until the other site has let go of the request: it may yet
    /// turn out to be elsewhere.
    var cancelled = K_OK
}

/// Where a message is sent that nobody here takes.
enum Elsewhere {
    case port(KnUniqueId)
    /// To any, or all, members of the group on a site.
    case site(UInt32)
}

/// Results that stay inside.
enum RemoteCode {
    static var inner: ClosedRange<Int32> { -1999 ... -1990 }
    /// The port has just come here.
    static var here: Int32 { -1998 }
    /// The site has no member of the group any more; nobody has had the request.
    static var noMember: Int32 { -1997 }
}

extension Actor {
    /// ipcCall where no port of this site takes the request, for which `error` is the reason.
    @inline(never)
    func callElsewhere(
        _ error: KnError, _ request: Request, _ reply: ReplyPlace, flags: UInt32, delay: Int32
    ) throws(KnError) -> Int32 {
        guard error == .unknown || error == .unreachable, site.sites.isLinked else { throw error }
        let source = try sourcePort(request.source)
        let thread = Thread.current(site, in: self)
        let began = site.trace.begin()
        let head = head(request, source, 0, flags: flags)
        let target = request.dest.target
        for _ in 0..<Sites.mostTurns {
            let code = callElsewhere(
                target.type == .port ? target : nil, head, thread, request, reply, delay: delay)
            guard code == RemoteCode.here else {
                site.trace(call: head, request.op, code, reply, thread, since: began)
                // It has not left for good: as if it had failed here.
                if code == K_EUNKNOWN || code == K_EUNREACHABLE { throw KnError(rawValue: code) }
                return code
            }
            do throws(KnError) { return try callAgain(request, reply, flags: flags, delay: delay) } catch {
                guard error == .unknown || error == .unreachable else { throw error }
            }
        }
        throw error
    }

    /// ipcSend likewise. RemoteCode.here, K_OK, or why the message is lost.
    @inline(never)
    func sendElsewhere(_ error: KnError, _ head: KnMsgHead, _ request: Request) -> Int32 {
        guard site.sites.isLinked else { return error.rawValue }
        let target = request.dest.target
        if target.type == .port { return site.sites.post(.port(target), head, request) }
        for number in site.sites.candidates(request.dest, request.mode) {
            let code = site.sites.post(.site(number), head, request)
            if code != K_EUNREACHABLE { return code }
        }
        return K_EUNREACHABLE
    }

    /// To a port that is known not to be here, or any member of a group. K_EUNKNOWN, K_EUNREACHABLE: nobody had the request.
    /// K_ELINKFAILURE: the site was lost that had it.
    @inline(never)
    func callElsewhere(
        _ port: KnUniqueId?, _ head: KnMsgHead, _ thread: Thread, _ request: Request, _ reply: ReplyPlace, delay: Int32
    ) -> Int32 {
        let until = deadline(site.host, delay)
        if let port { return call(.port(port), head, thread, request, reply, until) }
        for number in site.sites.candidates(request.dest, request.mode) {
            let code = call(.site(number), head, thread, request, reply, until)
            if code != RemoteCode.noMember { return code }
        }
        return K_EUNREACHABLE
    }

    private func call(
        _ to: Elsewhere, _ head: KnMsgHead, _ thread: Thread, _ request: Request, _ reply: ReplyPlace, _ until: UInt64?
    ) -> Int32 {
        let abortable = head.flags & K_ABORTABLE != 0
        let transaction = Transaction(
            .thread(thread), site.lastTransaction.wrappingAdd(2, ordering: .relaxed).newValue, annex: reply.annex,
            body: reply.body, capacity: reply.capacity)
        thread.arm(abortable: abortable)
        let code = site.sites.launch(transaction, to, head, request, reply.capacity)
        guard code == K_OK else {
            thread.disarm()
            return code
        }
        let woken = thread.sleep(self, "ipcCall", abortable: abortable, deadline: until)
        let result = transaction.close(woken, reply.size)
        if case .port = to, result == RemoteCode.noMember { return K_EUNREACHABLE }
        return result
    }
}

extension Sites {
    /// Calls to one site that have not ended.
    static var mostCalls: Int { 4096 }

    /// K_OK once the request is on its way.
    fileprivate func launch(
        _ transaction: Transaction, _ to: Elsewhere, _ head: KnMsgHead, _ request: Request, _ capacity: UInt32
    ) -> Int32 {
        let call = WireCall(id: site.host.random64() | 1, origin: site.number)
        let frame = message(to, call, head, request, capacity)
        transaction.goesOn(to: .site(self, call.id))
        return state.withLock { state in
            guard state.roomForCalls(to) else { return K_EFULL }
            state.calls[call.id] = OutgoingCall(transaction: transaction)
            let code = state.dispatch(frame, to)
            if code != K_OK { state.calls[call.id] = nil }
            return code
        }
    }

    /// ipcSend. K_OK once the message is on its way; no more is known of it.
    func post(_ to: Elsewhere, _ head: KnMsgHead, _ request: Request) -> Int32 {
        let frame = message(to, WireCall(), head, request, 0)
        return state.withLock { $0.dispatch(frame, to) }
    }

    private func message(
        _ to: Elsewhere, _ call: WireCall, _ head: KnMsgHead, _ request: Request, _ capacity: UInt32
    ) -> Frame {
        var port = KnUniqueId()
        if case .port(let ui) = to { port = ui }
        let fields = MessageFields(head: head, call: call, port: port, capacity: capacity, mode: request.mode)
        var frame = Frame(.message, fields, more: Int(K_CMSGANNEXSIZE) + Int(request.bodySize))
        frame.append(request.annex, Int(K_CMSGANNEXSIZE))
        if request.bodySize > 0 { frame.append(request.body, Int(request.bodySize)) }
        return frame
    }

    /// A client of ours leaves its call with `code`: whoever has the request is told.
    func cancel(_ id: UInt64, _ code: Int32) {
        state.withLock { state in
            guard let call = state.calls[id] else { return }
            state.calls[id]?.cancelled = code
            if call.site != 0 { state.sendCancel(id, code, to: call.site) }
        }
    }

    // MARK: from the server's site

    func reply(_ frame: Frame) -> Bool {
        guard let fields = frame.fields(ReplyFields.self), fields.call.origin == site.number else { return false }
        let annexSize = Int(K_CMSGANNEXSIZE)
        return frame.rest(behind: ReplyFields.self) { rest in
            guard fields.size <= K_CMSGSIZEMAX, rest.count == annexSize + Int(fields.size),
                let start = rest.baseAddress
            else { return false }
            let call = state.withLock { $0.calls.removeValue(forKey: fields.call.id) }
            _ = call?.transaction.reply(start, start + annexSize, fields.size)
            return true
        }
    }

    func failed(_ fields: EndFields) {
        guard fields.call.origin == site.number else { return }
        let call = state.withLock { $0.calls.removeValue(forKey: fields.call.id) }
        let missed = fields.tried == 0 && fields.code == K_EUNREACHABLE
        // A handler may answer with any negative code, but for those that mean something in here only.
        let code = fields.code < 0 && !RemoteCode.inner.contains(fields.code) ? fields.code : K_EHOST
        call?.transaction.fail(missed ? RemoteCode.noMember : code)
    }

    /// The newest counts, and what the site says that has the call.
    func passed(_ fields: PassedFields, from source: UInt32) {
        let lost = state.withLock { state -> Transaction? in
            let id = fields.call.id
            guard fields.call.origin == state.me, let call = state.calls[id],
                fields.epoch > call.epoch || source == call.site
            else { return nil }
            if fields.site != state.me, state.peers[fields.site] == nil {
                state.calls[id] = nil
                return call.transaction
            }
            state.calls[id]?.site = fields.site
            state.calls[id]?.epoch = max(call.epoch, fields.epoch)
            if call.cancelled != K_OK { state.sendCancel(id, call.cancelled, to: fields.site) }
            return nil
        }
        lost?.fail(K_ELINKFAILURE)
    }
}

extension Sites.State {
    func roomForCalls(_ to: Elsewhere) -> Bool {
        if calls.count < Sites.mostCalls { return true }
        let number: UInt32
        switch to {
        case .site(let site): number = site
        case .port(let ui):
            guard case .to(let site, _) = way(ui.raw) else { return true }
            number = site
        }
        return calls.values.count { $0.site == number || $0.site == 0 } < Sites.mostCalls
    }

    mutating func dispatch(_ frame: consuming Frame, _ to: Elsewhere) -> Int32 {
        switch to {
        case .site(let number):
            let call = frame.fields(MessageFields.self)?.call ?? WireCall()
            let code = send(frame, to: number, pressing: false)
            if code == K_OK, call.id != 0 { calls[call.id]?.site = number }
            return code
        case .port(let ui):
            switch way(ui.raw) {
            case .here: return RemoteCode.here
            case .unknown: return K_EUNKNOWN
            case .unreachable: return K_EUNREACHABLE
            case .to(let number, let epoch):
                if epoch != 0, var fields = frame.fields(MessageFields.self) {
                    fields.believed = epoch
                    frame.set(fields)
                }
                return pass(frame, ui.raw, number)
            }
        }
    }

    mutating func sendCancel(_ id: UInt64, _ code: Int32, to number: UInt32) {
        let fields = EndFields(call: WireCall(id: id, origin: me), code: code)
        // A site that is gone ends its calls itself.
        send(.cancel, fields, to: number)
    }
}
