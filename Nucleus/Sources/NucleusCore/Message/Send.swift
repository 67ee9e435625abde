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
            bodySize: request.bodySize, flags: flags, srcPort: source.ui, target: request.dest.target,
            coTarget: request.dest.coTarget, transId: id, actorId: protection.id, portId: source.protection.id)
    }

    /// Asynchronous: no error once the destination makes sense, no flow control. Never runs a handler here.
    func ipcSend(_ request: Request) throws(KnError) -> Int32 {
        try request.check()
        let source = try sourcePort(request.source)
        guard let type = request.dest.target.type else { throw .invalid }
        let head = head(request, source, 0, flags: 0)
        if type.isGroup && request.mode == K_BROADMODE {
            guard let group = site.groups.find(request.dest.target.raw) else { return K_OK }
            for port in group.members { post(head, port, request) }
        } else {
            do throws(KnError) { post(head, try site.resolve(request.dest, request.mode), request) } catch {
                if error == .invalid { throw error }
                site.traceDropped(request.dest.target, error.rawValue)
                return K_OK
            }
        }
        site.trace.add(
            K_TR_SEND, source.ui.raw, request.dest.target.raw, UInt64(request.bodySize) &<< 32 | UInt64(request.op),
            thread: Thread.current(site)?.li ?? 0)
        return K_OK
    }

    private func post(_ head: KnMsgHead, _ port: Port, _ request: Request) {
        let order = site.messageOrder.wrappingAdd(1, ordering: .relaxed).newValue
        let message = Message(head, nil, port, order: order, annex: request.annex, body: request.body)
        let code = port.enqueue(message)
        if code != K_OK { site.traceDropped(port.ui, code) }
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

    /// Whether a name belongs to this site: known here, or else born here.
    func isHere(_ ui: KnUniqueId) -> Bool {
        ports.find(ui.raw) != nil || actors.find(ui.raw) != nil || successors.find(ui.raw) != nil
            || ui.siteHint == UInt16(truncatingIfNeeded: number)
    }
}
