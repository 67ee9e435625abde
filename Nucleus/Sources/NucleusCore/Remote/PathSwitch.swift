import CChorus
import Synchronization

/// A port has moved on, and what this site has sent it goes the old way still. Before anything goes the new way, a flush
/// has to have gone the old one to its end: until then messages are held, so that none overtakes another. No flush waits
/// for itself: along an old way the epochs that sites believe in only grow.
struct PathSwitch {
    let token: UInt64
    var held: [Frame] = []
    /// The port has arrived here, and holds on to what comes by newer ways.
    var arrived = false

    static var mostBytes: Int { 64 << 20 }
    static var mostFrames: Int { 4096 }
}

extension Sites {
    /// The site that messages to a port went to says that it has passed one on.
    func moved(_ fields: PlaceFields, from source: UInt32) {
        let token = site.host.random64() | 1
        state.withLock { state in
            let raw = fields.ui.raw
            guard fields.ui.type == .port, state.switches[raw] == nil, fields.site != state.me,
                case .to(source, let epoch) = state.way(raw), fields.epoch > epoch
            else { return }
            state.switches[raw] = PathSwitch(token: token)
            state.counts.switched += 1
            state.send(
                .flush, FlushFields(ui: fields.ui, token: token, origin: state.me, epoch: epoch), to: source)
        }
    }

    func flush(_ fields: FlushFields) {
        guard fields.ui.type == .port else { return }
        let raw = fields.ui.raw
        // Back where it began: the port has come here.
        if fields.origin == site.number { return finish(fields, epoch: 0) }
        for _ in 0..<Self.mostTurns {
            if let port = site.port(named: raw), port.answer(fields) { return }
            let code = state.withLock { state -> Int32? in
                switch state.way(raw) {
                case .here: return nil
                case .unknown, .unreachable: return K_EUNKNOWN
                case .to(let number, let epoch):
                    guard state.places[raw] != nil, fields.hops < MessageFields.mostHops else { return K_EUNKNOWN }
                    var onward = fields
                    onward.epoch = epoch
                    onward.hops += 1
                    return state.pass(Frame(.flush, onward), raw, number)
                }
            }
            guard let code else { continue }
            if code != K_OK { finish(fields, epoch: 0) }
            return
        }
        finish(fields, epoch: 0)
    }

    /// A flush has come to its end: here is the port, or nobody knows where else.
    func finish(_ fields: FlushFields, epoch: UInt32) {
        guard fields.origin != site.number else { return flushed(fields, at: nil) }
        var answer = fields
        answer.epoch = epoch
        state.withLock { $0.send(.flushed, answer, to: fields.origin) }
    }

    /// How often a name is looked up that is said to be here and is not found: it is being deleted, or just arriving.
    static var mostTurns: Int { 100_000 }

    func flushed(_ fields: FlushFields, at place: Place?) {
        let right = state.withLock { $0.switches[fields.ui.raw]?.token == fields.token }
        if right { endSwitch(fields.ui.raw, at: place) }
    }

    /// Nothing is left on the old way. `place`: where the port answered from.
    func endSwitch(_ raw: UInt64, at place: Place?) {
        var lost = Lost()
        let arrived = state.withLock { state -> [Frame]? in
            guard let path = state.switches[raw] else { return nil }
            state.heldBytes -= path.held.reduce(0) { $0 + $1.bytes.count }
            if path.arrived {
                state.switches[raw]?.held = []
                return path.held
            }
            state.switches[raw] = nil
            if let place { state.learn(raw, place.site, place.epoch) }
            for frame in path.held { state.resend(frame, raw, &lost) }
            return nil
        }
        for message in lost.messages { refuse(message.fields, message.code) }
        for flush in lost.flushes { finish(flush, epoch: 0) }
        if let arrived { endArrival(raw, arrived) }
    }
}

/// What found no way.
struct Lost {
    var messages: [(fields: MessageFields, code: Int32)] = []
    var flushes: [FlushFields] = []
}

extension Sites.State {
    /// Sends a message or a flush towards a port, behind those that are held.
    mutating func pass(_ frame: consuming Frame, _ raw: UInt64, _ number: UInt32) -> Int32 {
        guard let path = switches[raw] else {
            let fields = frame.kind == .message ? frame.fields(MessageFields.self) : nil
            if let fields, fields.call.id != 0, fields.call.origin != me {
                // Before the call itself, so that the client's site hears of each step in turn.
                let epoch = fields.port.isNone ? 0 : fields.believed
                let passed = PassedFields(call: fields.call.named, site: number, epoch: epoch)
                send(.passed, passed, to: fields.call.origin)
            }
            let own = ownCall(frame)
            let code = send(frame, to: number, pressing: false)
            if code == K_OK, let own { calls[own]?.site = number }
            return code
        }
        guard path.held.count < PathSwitch.mostFrames, heldBytes < PathSwitch.mostBytes else { return K_EFULL }
        heldBytes += frame.bytes.count
        counts.held += 1
        switches[raw]?.held.append(frame)
        return K_OK
    }

    /// The call that a message from here belongs to.
    private func ownCall(_ frame: borrowing Frame) -> UInt64? {
        guard frame.kind == .message, let call = frame.fields(MessageFields.self)?.call,
            call.id != 0, call.origin == me
        else { return nil }
        return call.id
    }

    /// A held frame goes where the port is now.
    fileprivate mutating func resend(_ frame: Frame, _ raw: UInt64, _ lost: inout Lost) {
        var frame = frame
        if frame.kind == .flush, var fields = frame.fields(FlushFields.self) {
            if case .to(let number, let epoch) = way(raw) {
                fields.epoch = epoch
                frame.set(fields)
                if send(frame, to: number) == K_OK { return }
            }
            return lost.flushes.append(fields)
        }
        guard var fields = frame.fields(MessageFields.self) else { return }
        if let own = ownCall(frame), let call = calls[own], call.cancelled != K_OK {
            calls[own] = nil
            return
        }
        switch way(raw) {
        case .to(let number, let epoch):
            fields.believed = epoch
            frame.set(fields)
            let code = pass(frame, raw, number)
            if code != K_OK { lost.messages.append((fields, code)) }
        case .unknown: lost.messages.append((fields, K_EUNKNOWN))
        case .unreachable, .here: lost.messages.append((fields, K_EUNREACHABLE))
        }
    }
}
