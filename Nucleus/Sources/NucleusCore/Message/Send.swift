import CChorus
import Synchronization

/// A request as its sender gave it; pointers are valid during the call.
struct Request {
    let source: KnPortLid
    let dest: KnIpcDest
    let mode: UInt32
    let annex: UnsafeRawPointer?
    let body: UnsafeRawPointer?
    let bodySize: UInt32
    /// The memory of the body, if that is moved. Held by who makes the request.
    var moved: Unmanaged<MessageBody>?

    /// What MiX calls the operation: how requests are told apart in the black box.
    @inline(__always) var op: UInt32 { annex?.loadUnaligned(as: UInt32.self) ?? 0 }

    @inline(__always) func check() throws(KnError) {
        if bodySize > K_CMSGSIZEMAX { throw .tooBig }
        if bodySize > 0, body == nil { throw .fault }
    }
}

extension Actor {
    @inline(__always) func sourcePort(_ li: KnPortLid) throws(KnError) -> Port {
        if deleted.load(ordering: .relaxed) { throw .deadActor }
        return li == K_DEFAULTPORT ? defaultPort : try port(li)
    }

    @inline(__always) func head(_ request: Request, _ source: Port, _ id: UInt64, flags: UInt32) -> KnMsgHead {
        KnMsgHead(
            bodySize: request.bodySize, flags: flags & ~K_MSG_REMOTE, srcPort: source.ui, target: request.dest.target,
            coTarget: request.dest.coTarget, transId: id, actorId: protection.id, portId: source.protection.id)
    }

    /// Asynchronous: no error once the destination makes sense, no flow control. Never runs a handler here.
    func ipcSend(_ request: Request) throws(KnError) -> Int32 {
        try request.check()
        let source = try sourcePort(request.source)
        guard let type = request.dest.target.type else { throw .invalid }
        let head = head(request, source, 0, flags: 0)
        if type.isGroup && request.mode == K_BROADMODE {
            for port in site.groups.find(request.dest.target.raw)?.members ?? [] { _ = post(head, port, request) }
            if site.sites.isLinked { site.sites.broadcast(head, request) }
        } else {
            var code = RemoteCode.here
            for _ in 0..<Sites.mostTurns where code == RemoteCode.here { code = try sendOne(head, request) }
            if code != K_OK {
                site.traceDropped(request.dest.target, code)
                return K_OK
            }
        }
        site.trace.add(
            K_TR_SEND, source.ui.raw, request.dest.target.raw, UInt64(request.bodySize) &<< 32 | UInt64(request.op),
            thread: Thread.current(site)?.li ?? 0)
        return K_OK
    }

    /// RemoteCode.here: the port has just come here, and is to be looked for again.
    private func sendOne(_ head: KnMsgHead, _ request: Request) throws(KnError) -> Int32 {
        let port: Port
        do throws(KnError) { port = try site.resolve(request.dest, request.mode) } catch {
            if error == .invalid { throw error }
            return sendElsewhere(error, head, request)
        }
        let code = post(head, port, request)
        return code == K_EPORTDELETED && port.isAway ? site.sites.post(.port(port.ui), head, request) : K_OK
    }

    /// The code of what was traced as dropped.
    private func post(_ head: KnMsgHead, _ port: Port, _ request: Request) -> Int32 {
        let order = site.messageOrder.wrappingAdd(1, ordering: .relaxed).newValue
        // Of many receivers each gets a copy.
        let moved = request.mode == K_BROADMODE ? nil : request.moved?.takeUnretainedValue()
        let message = Message(head, nil, port, order: order, annex: request.annex, body: request.body, moved: moved)
        let code = port.enqueue(message)
        if code != K_OK, !port.isAway { site.traceDropped(port.ui, code) }
        return code
    }
}

extension Site {
    /// The one port that a message in a mode other than broadcast goes to.
    @inline(__always) func resolve(_ dest: KnIpcDest, _ mode: UInt32) throws(KnError) -> Port {
        let target = dest.target
        if target.type == .port {
            if let port = ports.find(target.raw) { return port }
            guard let port = successors.find(target.raw) else { throw .unknown }
            return port
        }
        guard let type = target.type, type.isGroup else { throw .invalid }
        guard let group = groups.find(target.raw) else { throw .unreachable }
        switch mode {
        case K_FUNCMODE: break
        case K_FUNCUMODE: guard isHere(dest.coTarget) else { throw .unreachable }
        case K_FUNCXMODE: guard !isHere(dest.coTarget) else { throw .unreachable }
        default: throw .invalid
        }
        guard let port = group.pick() else { throw .unreachable }
        return port
    }

    /// Whether a name belongs to this site: known here, or else born here and not gone elsewhere.
    func isHere(_ ui: KnUniqueId) -> Bool {
        if port(named: ui.raw) != nil || actors.find(ui.raw) != nil { return true }
        return ui.siteHint == UInt16(truncatingIfNeeded: number) && !(sites.isLinked && sites.isAway(ui))
    }
}
