import CChorus
import Synchronization

extension Site {
    /// `ui`: the name the caller chose, or nil for a fresh one.
    func createPort(_ actor: Actor, declared: KnUniqueId? = nil, isDefault: Bool = false) throws(KnError) -> Port {
        let limit = actor.limits.ports
        while true {
            let port = Port(actor, ui: declared ?? newUi(.port), isDefault: isDefault)
            let result = actor.room.withLock { room -> Int32? in
                if room.closed { return K_EDEADACTOR }
                if limit != 0, room.ports.count > Int(limit) { return K_ENOMEM }
                guard ports.insert(port.ui.raw, port) else { return declared == nil ? nil : K_EEXIST }
                if !isDefault { port.li = room.freeLi() }
                room.ports[port.li] = port
                return K_OK
            }
            if result == K_OK { return port }
            if let result { throw KnError(rawValue: result) }
        }
    }

    /// By its name, or by that of a port that it is the successor of.
    @inline(__always) func port(named raw: UInt64) -> Port? { ports.find(raw) ?? successors.find(raw) }

    private func forget(_ port: Port) {
        ports.remove(port.ui.raw, port)
        if port.epoch > 0 || !port.formerNames.isEmpty { sites.forget(port) }
    }

    func port(_ ui: KnUniqueId) throws(KnError) -> Port {
        guard let port = ports.find(ui.raw) else { throw .unknown }
        return port
    }

    func deletePort(_ actor: Actor, _ li: KnPortLid, _ thread: Thread) throws(KnError) {
        let port = try actor.port(li)
        guard !port.isDefault else { throw .invalid }
        let mine = actor.room.withLock { room in
            guard room.ports[li] === port else { return false }
            room.detach(port, K_EPORTDELETED)
            return true
        }
        guard mine else { throw .unknown }
        forget(port)
        let own = thread.entries(port.gate)
        if port.gate.isOccupied(beyond: own) { evict(port.gate, K_EPORTDELETED) }
        port.gate.drain(host, own: own)
    }

    /// All ports of a dying actor, and what waits for them.
    func deletePorts(_ actor: Actor, _ thread: Thread?) {
        let ports = actor.room.withLock { room in
            room.closed = true
            let ports = Array(room.ports.values)
            for port in ports { room.detach(port, K_EDEADSERVER) }
            for receiver in room.receivers { receiver.thread.complete(K_EDEADACTOR) }
            room.receivers = []
            for message in room.held.values { message.transaction?.fail(K_EDEADSERVER) }
            room.held = [:]
            room.saved = [:]
            return ports
        }
        for port in ports { forget(port) }
        for port in ports {
            let own = thread.map { $0.entries(port.gate) } ?? 0
            if port.gate.isOccupied(beyond: own) { evict(port.gate, K_EDEADSERVER) }
            port.gate.drain(host, own: own)
        }
    }
}

extension Actor {
    func port(_ li: KnPortLid) throws(KnError) -> Port {
        if li == K_DEFAULTPORT { return defaultPort }
        guard let port = room.withLock({ $0.ports[li] }) else { throw .unknown }
        return port
    }
}

extension Room {
    mutating func freeLi() -> KnPortLid {
        repeat { lastLi = lastLi == Int32.max ? 1 : lastLi + 1 } while ports[lastLi] != nil
        return lastLi
    }

    /// The port is gone: nobody finds it, its gate is shut (not yet drained), who waits for it fails with `code`.
    mutating func detach(_ port: Port, _ code: Int32) {
        ports[port.li] = nil
        port.deleted.store(true, ordering: .releasing)
        port.gate.close()
        for group in port.groups { port.site.leave(port, group) }
        for name in port.formerNames { port.site.successors.remove(name, port) }
        port.groups = []
        drop(port, code)
        for (id, message) in held where message.port === port {
            message.transaction?.fail(code)
            held[id] = nil
        }
        endReceivers(port, code == K_EDEADSERVER ? K_EDEADACTOR : code)
    }

    func drop(_ port: Port, _ code: Int32) {
        for message in port.queue.removeAll() { message.transaction?.fail(code) }
        port.dropLate(code)
    }

    mutating func endReceivers(_ port: Port, _ code: Int32) {
        for receiver in receivers where receiver.port === port { receiver.thread.complete(code) }
        receivers.removeAll { $0.port === port }
    }
}
