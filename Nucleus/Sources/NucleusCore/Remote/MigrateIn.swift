import CChorus
import Synchronization

struct ArrivalName: Hashable {
    let source: UInt32
    let id: UInt64
}

/// A port that is to come, and what came ahead of it.
struct Arrival {
    let ui: KnUniqueId
    let actor: Actor
    var frames: [Frame] = []
    var bytes = 0
    /// The port is here; its old site is told when everything has come that went by older ways.
    var arrived = false
}

/// What has to wait at a port that came from another site until everything is there that was sent before.
enum Late {
    case message(Message)
    case flush(FlushFields)
}

/// The other half of a migration: a port comes here.
extension Sites {
    private static var mostArrivals: Int { 1024 }

    func prepare(_ fields: PrepareFields, from source: UInt32) {
        let name = ArrivalName(source: source, id: fields.id)
        let code = admit(fields, name)
        state.withLock { $0.send(.prepared, MigrationFields(id: fields.id, code: code), to: source) }
    }

    private func admit(_ fields: PrepareFields, _ name: ArrivalName) -> Int32 {
        guard fields.ui.type == .port else { return K_EINVAL }
        let actor: Actor
        do throws(KnError) { actor = try site.actor(fields.actor) } catch { return error.rawValue }
        guard site.port(named: fields.ui.raw) == nil else { return K_EEXIST }
        let limit = actor.limits.ports
        if limit != 0, actor.room.withLock({ $0.ports.count }) > Int(limit) { return K_ENOMEM }
        return state.withLock { state in
            // A name of ours comes back only after it has gone.
            if fields.ui.siteHint == UInt16(truncatingIfNeeded: state.me), state.places[fields.ui.raw] == nil {
                return K_EINVAL
            }
            guard state.arrivals[name] == nil else { return K_EEXIST }
            guard state.arrivals.count < Self.mostArrivals else { return K_ENOMEM }
            state.arrivals[name] = Arrival(ui: fields.ui, actor: actor)
            return K_OK
        }
    }

    func abandon(_ fields: MigrationFields, from source: UInt32) {
        state.withLock { state in
            let name = ArrivalName(source: source, id: fields.id)
            if state.arrivals[name]?.arrived == false { state.arrivals[name] = nil }
        }
    }

    /// False if the frame makes no sense.
    func carried(_ frame: Frame, from source: UInt32) -> Bool {
        guard let fields = frame.fields(CarriedFields.self),
            frame.holdsMessage(fields.message, behind: CarriedFields.self)
        else { return false }
        let name = ArrivalName(source: source, id: fields.id)
        let code = state.withLock { state -> Int32? in
            guard let arrival = state.arrivals[name], !arrival.arrived, arrival.frames.count < Self.mostFrames,
                arrival.ui == fields.message.port
            else { return nil }
            guard state.arrivals.values.reduce(0, { $0 + $1.bytes }) < Self.mostBytes else { return K_EFULL }
            state.arrivals[name]?.frames.append(frame)
            state.arrivals[name]?.bytes += frame.bytes.count
            return K_OK
        }
        if let code, code != K_OK { refuse(fields.message, code) }
        return code != nil
    }

    /// Of messages that came ahead of their ports; a queue may have grown beyond K_CPORTQUEUE while its owner was paused.
    private static var mostFrames: Int { 8192 }
    private static var mostBytes: Int { 256 << 20 }

    /// False if the frame makes no sense.
    func commit(_ frame: Frame, from source: UInt32) -> Bool {
        guard let fields = frame.fields(CommitFields.self), fields.groups <= 65536, fields.trail <= 65536 else {
            return false
        }
        let list = frame.rest(behind: CommitFields.self) { rest -> ([KnCap], [UInt32])? in
            let (capSize, groups, trail) = (MemoryLayout<KnCap>.size, Int(fields.groups), Int(fields.trail))
            guard rest.count == groups * capSize + trail * 4 else { return nil }
            return (
                (0..<groups).map { rest.loadUnaligned(fromByteOffset: $0 * capSize, as: KnCap.self) },
                (0..<trail).map { rest.loadUnaligned(fromByteOffset: groups * capSize + $0 * 4, as: UInt32.self) }
            )
        }
        guard let (groups, trail) = list, fields.epoch > 0 else { return false }
        let name = ArrivalName(source: source, id: fields.id)
        let arrival = state.withLock { state -> Arrival? in
            defer {
                state.arrivals[name]?.arrived = true
                state.arrivals[name]?.frames = []
                state.arrivals[name]?.bytes = 0
            }
            return state.arrivals[name].flatMap { $0.arrived ? nil : $0 }
        }
        guard let arrival else { return false }
        let code = settle(arrival, fields, trail)
        if code < 0 { return fail(arrival, name, code) }
        if let port = site.ports.find(arrival.ui.raw) {
            for cap in groups { try? site.join(port, cap) }
        }
        if code == K_OK { endArrival(arrival.ui.raw, []) }
        return true
    }

    private func fail(_ arrival: Arrival, _ name: ArrivalName, _ code: Int32) -> Bool {
        for frame in arrival.frames {
            guard let fields = frame.fields(CarriedFields.self), let transaction = admit(fields.message) else {
                continue
            }
            transaction.fail(code == K_EDEADACTOR ? K_EDEADSERVER : code)
        }
        state.withLock { state in
            state.arrivals[name] = nil
            state.send(.committed, MigrationFields(id: name.id, code: code), to: name.source)
        }
        return true
    }

    /// Makes the port, with the messages that came along. Whoever sends to it from now on waits until what this site, and
    /// others by way of it, sent before has come back here. K_OK if there is no such thing; 1 if there may be.
    private func settle(_ arrival: Arrival, _ fields: CommitFields, _ trail: [UInt32]) -> Int32 {
        let (actor, raw) = (arrival.actor, arrival.ui.raw)
        let port = Port(actor, ui: arrival.ui, epoch: fields.epoch, trail: trail)
        port.protection.id = fields.protection
        port.late = []
        for frame in arrival.frames {
            guard let carried = frame.fields(CarriedFields.self) else { continue }
            var transaction: Transaction?
            if carried.message.call.id != 0 {
                transaction = admit(carried.message)
                if transaction == nil { continue }
            }
            let message = self.message(frame, carried.message, transaction, port, behind: CarriedFields.self)
            state.withLock { $0.served[carried.message.call.named]?.request = (message, port) }
            if message.charge(to: actor) { port.queue.append(message) } else { transaction?.fail(K_EFULL) }
        }
        let token = site.host.random64() | 1
        let code = actor.room.withLock { room -> Int32 in
            if room.closed { return K_EDEADACTOR }
            guard site.ports.insert(raw, port) else { return K_EEXIST }
            port.li = room.freeLi()
            room.ports[port.li] = port
            return state.withLock { $0.arrive(port, token) } ? 1 : K_OK
        }
        if code < 0 { for message in port.queue.removeAll() { message.transaction?.fail(K_EDEADSERVER) } }
        return code
    }

    /// Nothing is under way any more that was sent before the port came. `held`: what was to be sent to it from here.
    func endArrival(_ raw: UInt64, _ held: [Frame]) {
        guard let port = site.port(named: raw) else { return finishArrival(raw, K_EDEADACTOR) }
        for frame in held {
            if let fields = frame.fields(FlushFields.self), frame.kind == .flush {
                finish(fields, epoch: port.epoch)
            } else if var fields = frame.fields(MessageFields.self) {
                fields.believed = port.epoch
                if !offer(port, frame, fields) { refuse(fields, K_EUNKNOWN) }
            }
        }
        finishArrival(raw, port.endArrival() ?? K_EDEADACTOR)
    }

    private func finishArrival(_ raw: UInt64, _ li: Int32) {
        state.withLock { state in
            state.switches[raw] = nil
            for (name, arrival) in state.arrivals where arrival.arrived && arrival.ui.raw == raw {
                state.arrivals[name] = nil
                state.send(.committed, MigrationFields(id: name.id, code: li), to: name.source)
            }
        }
    }
}

extension Sites.State {
    /// The port is here. True if messages to it may still be on an older way from here.
    fileprivate mutating func arrive(_ port: Port, _ token: UInt64) -> Bool {
        let raw = port.ui.raw
        let before = way(raw)
        places[raw] = Place(site: me, epoch: port.epoch, isForwarder: true)
        if switches[raw] != nil {
            // The flush that is under way will come back here.
            switches[raw]?.arrived = true
            return true
        }
        guard case .to(let number, let epoch) = before else { return false }
        let flush = FlushFields(ui: port.ui, token: token, origin: me, epoch: epoch)
        guard send(Frame(.flush, flush), to: number) == K_OK else { return false }
        var path = PathSwitch(token: token)
        path.arrived = true
        switches[raw] = path
        return true
    }
}

extension Port {
    /// Lets in what had to wait; the LI, or nil if the port is gone.
    fileprivate func endArrival() -> KnPortLid? {
        withRoom { room, _ in
            admitLate()
            if connection != .connected {
                room.dispatch(self)?.send()
            } else if !room.paused {
                schedule()
            }
            return li
        }
    }

    /// Room locked.
    func admitLate() {
        for late in late ?? [] {
            switch late {
            case .message(let message): queue.append(message)
            case .flush(let flush): site.sites.finish(flush, epoch: epoch)
            }
        }
        late = nil
    }

    /// Room locked. The port is deleted.
    func dropLate(_ code: Int32) {
        for late in late ?? [] {
            switch late {
            case .message(let message): message.transaction?.fail(code)
            case .flush(let flush): site.sites.finish(flush, epoch: 0)
            }
        }
        late = nil
    }

    /// A flush has come to its end here, unless the port holds what came that way. False if the port is gone.
    func answer(_ flush: FlushFields) -> Bool {
        let done: Void? = withRoom { _, _ in
            if late != nil, flush.epoch != epoch {
                late?.append(.flush(flush))
            } else {
                site.sites.finish(flush, epoch: epoch)
            }
        }
        return done != nil
    }
}
