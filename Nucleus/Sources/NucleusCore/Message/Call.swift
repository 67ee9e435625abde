import CChorus
import Synchronization

/// Where the answer of a call goes.
struct ReplyPlace {
    let annex: UnsafeMutableRawPointer?
    let body: UnsafeMutableRawPointer?
    let size: UnsafeMutablePointer<UInt32>?

    @inline(__always) var capacity: UInt32 { body == nil ? 0 : size?.pointee ?? 0 }
}

extension Actor {
    /// At most once. A connected handler runs here and now, on the caller's thread, with the caller's own buffers;
    /// else the request is queued and the caller waits.
    func ipcCall(_ request: Request, _ reply: ReplyPlace, flags: UInt32, delay: Int32) throws(KnError) -> Int32 {
        do throws(KnError) { return try callHere(request, reply, flags: flags, delay: delay) } catch {
            // Apart, so that a call that ends here pays nothing for it.
            return try callElsewhere(error, request, reply, flags: flags, delay: delay)
        }
    }

    /// The port has just come here.
    @inline(never)
    func callAgain(_ request: Request, _ reply: ReplyPlace, flags: UInt32, delay: Int32) throws(KnError) -> Int32 {
        try callHere(request, reply, flags: flags, delay: delay)
    }

    @inline(__always)
    private func callHere(
        _ request: Request, _ reply: ReplyPlace, flags: UInt32, delay: Int32
    ) throws(KnError) -> Int32 {
        try request.check()
        let source = try sourcePort(request.source)
        let site = self.site
        let thread = Thread.current(site, in: self)
        if flags & K_ABORTABLE != 0, thread.takeAborted() { throw .aborted }
        let began = site.trace.begin()
        let op = request.op
        if let frame = thread.frame, frame.pointee.depth >= HandlerFrame.most { throw .noMemory }
        var tries = 0
        while true {
            let port = try site.resolve(request.dest, request.mode)
            let id = site.lastTransaction.wrappingAdd(2, ordering: .relaxed).newValue
            var head = head(request, source, id, flags: flags)
            if port.gate.enter(site.host) || port.enterPaused(thread) {
                let until = deadline(site.host, delay) ?? .max
                let result =
                    request.moved == nil
                    ? featherweight(port, &head, thread, request, reply, until: until)
                    : moving(port, &head, thread, request, reply, until: until)
                port.gate.leave(site.host)
                site.trace(call: head, op, result, reply, thread, since: began)
                return result
            }
            let result = queued(port, head, thread, request, reply, flags: flags, delay: delay)
            // A member that went away before it had the request: another one may take it.
            if result == K_EPORTDELETED, port.deleted.load(ordering: .relaxed), tries < 8 {
                if request.dest.target.type == .port { throw .unknown }
                tries += 1
                continue
            }
            let code = result == K_EREQUEUED ? K_EPORTDELETED : result
            site.trace(call: head, op, code, reply, thread, since: began)
            return code
        }
    }

    @inline(__always)
    private func featherweight(
        _ port: Port, _ head: inout KnMsgHead, _ thread: Thread, _ request: Request, _ reply: ReplyPlace,
        until: UInt64
    ) -> Int32 {
        guard let handler = port.handler else { return K_EUNKNOWN }
        let cookie = port.cookie
        port.handled.wrappingAdd(1, ordering: .relaxed)
        let capacity = reply.capacity
        var size = capacity
        let annexSize = Int(K_CMSGANNEXSIZE)
        let (abortable, caller) = (head.flags & K_ABORTABLE != 0, Unmanaged.passUnretained(self))
        // Request and reply in one buffer: the handler must not see its answer overwrite the question.
        let shared = request.annex != nil && request.annex == UnsafeRawPointer(reply.annex)
        let sharedBody = request.bodySize > 0 && request.body == UnsafeRawPointer(reply.body)
        let code = withUnsafeTemporaryAllocation(byteCount: annexSize, alignment: 16) { scratch -> Int32 in
            var annex = request.annex ?? UnsafeRawPointer(site.zeros)
            var answer = reply.annex
            if shared, let base = scratch.baseAddress {
                base.copyMemory(from: annex, byteCount: annexSize)
                annex = UnsafeRawPointer(base)
            } else if answer == nil {
                answer = scratch.baseAddress
            }
            if sharedBody {
                let copy = UnsafeMutableRawPointer.allocate(byteCount: Int(request.bodySize), alignment: 16)
                defer { copy.deallocate() }
                if let body = request.body { copy.copyMemory(from: body, byteCount: Int(request.bodySize)) }
                return thread.inside(
                    port.gate, &head, limit: until, abortable: abortable, caller: caller, data: copy
                ) {
                    handler(cookie, &head, annex, copy, request.bodySize, answer, reply.body, &size)
                }
            }
            return thread.inside(
                port.gate, &head, limit: until, abortable: abortable, caller: caller, data: request.body,
                moved: request.moved
            ) {
                handler(
                    cookie, &head, annex, request.body ?? UnsafeRawPointer(site.zeros), request.bodySize, answer,
                    reply.body, &size)
            }
        }
        if code < 0 { return failure(code, port, until) }
        if size > capacity { return reply.body == nil ? K_OK : K_ETOOBIG }
        reply.size?.pointee = size
        return K_OK
    }

    /// The body is where the server can keep it.
    @inline(never)
    private func moving(
        _ port: Port, _ head: inout KnMsgHead, _ thread: Thread, _ request: Request, _ reply: ReplyPlace,
        until: UInt64
    ) -> Int32 {
        guard let moved = request.moved?.takeUnretainedValue(),
            let body = port.actor.local(moved, Int(request.bodySize))
        else { return K_ENOMEM }
        return withExtendedLifetime(body) {
            let local = Request(
                source: request.source, dest: request.dest, mode: request.mode, annex: request.annex,
                body: UnsafeRawPointer(body.address), bodySize: request.bodySize, moved: .passUnretained(body))
            return featherweight(port, &head, thread, local, reply, until: until)
        }
    }

    /// What a handler's error means: it may have been cut short.
    @inline(never)
    private func failure(_ code: Int32, _ port: Port, _ until: UInt64) -> Int32 {
        if isDeleted { return K_EDEADACTOR }
        if port.actor.isDeleted { return K_EDEADSERVER }
        let evicted = port.gate.evicted.load(ordering: .acquiring)
        if evicted != 0 { return evicted }
        return until != .max && site.host.now() >= until ? K_ETIMEOUT : code
    }

    @inline(never)
    private func queued(
        _ port: Port, _ head: KnMsgHead, _ thread: Thread, _ request: Request, _ reply: ReplyPlace, flags: UInt32,
        delay: Int32
    ) -> Int32 {
        let abortable = flags & K_ABORTABLE != 0
        let transaction = Transaction(
            .thread(thread), head.transId, annex: reply.annex, body: reply.body, capacity: reply.capacity)
        let order = site.messageOrder.wrappingAdd(1, ordering: .relaxed).newValue
        let message = Message(
            head, transaction, port, order: order, annex: request.annex, body: request.body,
            moved: request.moved?.takeUnretainedValue())
        thread.arm(abortable: abortable)
        let sent = port.enqueue(message)
        guard sent == K_OK else {
            thread.disarm()
            guard sent == K_EPORTDELETED, port.isAway else { return sent }
            let code = callElsewhere(port.ui, head, thread, request, reply, delay: delay)
            if code == K_EPORTDELETED { return K_EREQUEUED }
            return code == RemoteCode.here ? K_EPORTDELETED : code
        }
        let code = thread.sleep(self, "ipcCall", abortable: abortable, deadline: deadline(site.host, delay))
        let result = transaction.close(code, reply.size)
        // Given up: it does not fill the queue.
        if code != K_OK { port.forget(message) }
        // Told apart from a port that was gone before the request reached it.
        if result == K_EPORTDELETED { return K_EREQUEUED }
        return result == RemoteCode.noMember ? K_EUNREACHABLE : result
    }
}

/// Inside `ipcCall` only: the port was deleted with the request in it, which must not be sent again.
private let K_EREQUEUED: Int32 = -1999
