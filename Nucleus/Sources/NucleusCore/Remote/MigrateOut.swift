import CChorus
import Synchronization

/// A migration to another site: `client` waits for the answers.
struct Departure {
    let to: UInt32
    let client: Thread
    /// What the other site said last, or why it says nothing.
    var answer: Int32?
    var committed = false
}

/// A port goes to another site in three steps: the other one agrees (prepare); messages, then the port itself go over
/// (carried, commit); the other one has it and has got all that was under way (committed). Until the second step it is
/// ours, whatever becomes of the other site; from then on it is the other's, and goes with it.
extension Sites {
    /// The site that `cap`, which names nobody here, may be at; nil if there is none.
    func elsewhere(_ cap: KnCap) -> UInt32? {
        guard isLinked, cap.ui.type == .actor else { return nil }
        return state.withLock { $0.hints[cap.ui.siteHint] }
    }

    /// Returns the LI there and the sequence number. K_EUNREACHABLE: the other site went away, the port is here still.
    /// K_ELINKFAILURE, K_ETIMEOUT: it went away, or said nothing, when the port was under way.
    func migrate(
        _ source: Actor, _ li: KnPortLid, to target: KnCap, at number: UInt32, withQueue: Bool
    ) throws(KnError) -> (li: KnPortLid, sequence: UInt32) {
        let port = try source.port(li)
        guard !port.isDefault else { throw .invalid }
        let client = Thread.current(site, in: source)
        let id = site.host.random64() | 1
        defer { state.withLock { $0.departures[id] = nil } }
        client.arm(abortable: false)
        let asked = state.withLock { state -> Int32 in
            state.departures[id] = Departure(to: number, client: client)
            return state.send(Frame(.prepare, PrepareFields(id: id, ui: port.ui, actor: target)), to: number)
        }
        guard asked == K_OK else {
            client.disarm()
            throw KnError(rawValue: asked)
        }
        try answer(id, client)
        client.arm(abortable: false)
        let departed = source.room.withLock { room -> Result<(UInt32, [Group]), KnError> in
            guard room.ports[port.li] === port else { return .failure(.unknown) }
            guard port.connection == .none else { return .failure(.invalid) }
            // The names of those that it succeeded are known here only.
            guard port.late == nil, port.formerNames.isEmpty else { return .failure(.busy) }
            guard state.withLock({ $0.peers[number] != nil }) else { return .failure(.unreachable) }
            room.ports[port.li] = nil
            room.endReceivers(port, K_EMIGRATED)
            if !withQueue { room.drop(port, K_EMIGRATED) }
            let sequence = port.sequence
            let groups = port.groups
            port.groups = []
            depart(port, port.queue.removeAll(), groups, id, to: number)
            port.leave()
            return .success((sequence, groups))
        }
        let (sequence, groups): (UInt32, [Group])
        do throws(KnError) { (sequence, groups) = try departed.get() } catch {
            client.disarm()
            state.withLock { $0.send(.abandon, MigrationFields(id: id, code: error.rawValue), to: number) }
            throw error
        }
        site.ports.remove(port.ui.raw, port)
        // Members are found by way of this one until the other site has said that it has them.
        defer { for group in groups { site.leave(port, group) } }
        return (try answer(id, client), sequence)
    }

    /// Waits for the other site's next answer; the thread is armed.
    @discardableResult private func answer(_ id: UInt64, _ client: Thread) throws(KnError) -> Int32 {
        let code = client.sleep(site.kernel, "portMigrate", abortable: false, deadline: patienceEnd)
        let answer = state.withLock { state in
            defer { state.departures[id]?.answer = nil }
            return state.departures[id]?.answer
        }
        let result = answer ?? (code < 0 ? code : K_ETIMEOUT)
        if result < 0 { throw KnError(rawValue: result) }
        return result
    }

    /// Owner's room locked: nobody sends to the port meanwhile, and who does so next finds it gone.
    private func depart(_ port: Port, _ messages: [Message], _ groups: [Group], _ id: UInt64, to number: UInt32) {
        var frames: [(frame: Frame, call: WireCall, client: Transaction?)] = []
        for message in messages {
            var (call, client) = (WireCall(), nil as Transaction?)
            if let transaction = message.transaction {
                if case .site(_, let name) = transaction.client {
                    guard transaction.handOver(to: .none) else { continue }
                    call = name
                } else {
                    call = WireCall(id: site.host.random64() | 1, origin: site.number)
                    // Known before the client can leave it.
                    state.withLock { $0.calls[call.id] = OutgoingCall(transaction: transaction) }
                    guard transaction.handOver(to: .site(self, call.id)) else {
                        state.withLock { $0.calls[call.id] = nil }
                        continue
                    }
                    client = transaction
                }
            }
            frames.append((carried(message, call, id), call, client))
        }
        let trail = (port.trail + [site.number]).filter { $0 != number }
        var commit = Frame(
            .commit,
            CommitFields(
                id: id, epoch: port.epoch &+ 1, protection: port.protection.id, groups: UInt32(groups.count),
                trail: UInt32(trail.count)))
        for group in groups { commit.append(group.cap) }
        for site in trail { commit.append(site) }
        let lost = state.withLock { state -> [Transaction] in
            var lost: [Transaction] = []
            for (frame, call, client) in frames {
                if let client {
                    if state.calls[call.id]?.cancelled == K_OK, state.send(frame, to: number) == K_OK {
                        state.calls[call.id]?.site = number
                    } else {
                        state.calls[call.id] = nil
                        lost.append(client)
                    }
                    continue
                }
                if call.id != 0 {
                    state.served[call] = nil
                    let passed = PassedFields(call: call, site: number, epoch: port.epoch &+ 1)
                    state.send(.passed, passed, to: call.origin)
                }
                _ = state.send(frame, to: number)
            }
            _ = state.send(commit, to: number)
            state.departures[id]?.committed = true
            state.places[port.ui.raw] = Place(site: number, epoch: port.epoch &+ 1, isForwarder: true)
            return lost
        }
        for client in lost { client.fail(K_ELINKFAILURE) }
    }

    private func carried(_ message: Message, _ call: WireCall, _ id: UInt64) -> Frame {
        let fields = MessageFields(
            head: message.head, call: call, port: message.port.ui, capacity: message.transaction?.capacity ?? 0,
            mode: K_FUNCMODE, hops: 1)
        var frame = Frame(
            .carried, CarriedFields(id: id, message: fields), more: Int(K_CMSGANNEXSIZE) + Int(message.bodySize))
        frame.append(message.annex, Int(K_CMSGANNEXSIZE))
        if message.bodySize > 0 { frame.append(message.body, Int(message.bodySize)) }
        return frame
    }

    /// From the other site.
    func answered(_ fields: MigrationFields, from source: UInt32, committed: Bool) {
        state.withLock { state in
            guard let departure = state.departures[fields.id], departure.to == source,
                departure.committed == committed, departure.answer == nil
            else { return }
            state.departures[fields.id]?.answer = fields.code
            // Under the lock: it cannot be waiting for something else by then.
            departure.client.complete(K_OK)
        }
    }
}
