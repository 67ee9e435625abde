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
        do throws(KnError) { try answer(id, client) } catch {
            // It may agree yet.
            abandon(id, error, number)
            throw error
        }
        client.arm(abortable: false)
        let departed = source.room.withLock { room -> Result<(UInt32, [Group]), KnError> in
            guard room.ports[port.li] === port else { return .failure(.unknown) }
            guard port.connection == .none else { return .failure(.invalid) }
            // The names of those that it succeeded are known here only.
            guard port.late == nil, port.formerNames.isEmpty else { return .failure(.busy) }
            // More than a frame holds.
            guard port.groups.count <= 32768 else { return .failure(.tooBig) }
            guard depart(port, withQueue ? port.queue.elements : [], id, to: number) else {
                return .failure(.unreachable)
            }
            if withQueue { _ = port.queue.removeAll() } else { room.drop(port, K_EMIGRATED) }
            room.ports[port.li] = nil
            room.endReceivers(port, K_EMIGRATED)
            let (sequence, groups) = (port.sequence, port.groups)
            port.groups = []
            port.leave()
            return .success((sequence, groups))
        }
        let (sequence, groups): (UInt32, [Group])
        do throws(KnError) { (sequence, groups) = try departed.get() } catch {
            client.disarm()
            abandon(id, error, number)
            throw error
        }
        site.ports.remove(port.ui.raw, port)
        // Members are found by way of this one until the other site has said that it has them.
        defer { for group in groups { site.leave(port, group) } }
        return (try answer(id, client), sequence)
    }

    private func abandon(_ id: UInt64, _ error: KnError, _ number: UInt32) {
        state.withLock { $0.send(.abandon, MigrationFields(id: id, code: error.rawValue), to: number) }
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

    /// Owner's room locked: nobody sends to the port meanwhile, and who does so next finds it gone. False if the link has
    /// failed: then the other site forgets what it got, and all is as before.
    private func depart(_ port: Port, _ messages: [Message], _ id: UInt64, to number: UInt32) -> Bool {
        let leaving = messages.compactMap { prepare($0, id) }
        let trail = (port.trail + [site.number]).filter { $0 != number }
        var commit = Frame(
            .commit,
            CommitFields(
                id: id, epoch: port.epoch &+ 1, protection: port.protection.id, groups: UInt32(port.groups.count),
                trail: UInt32(trail.count)))
        for group in port.groups { commit.append(group.cap) }
        for site in trail { commit.append(site) }
        let gone = state.withLock { $0.commit(port, leaving, commit, id, to: number) }
        for message in leaving {
            guard let transaction = message.transaction else { continue }
            if !gone, message.isOurs { transaction.goesOn(to: .none) }
            if gone, !message.isOurs { _ = transaction.handOver(to: .none) }
        }
        return gone
    }

    /// nil if nobody waits for the answer any more.
    private func prepare(_ message: Message, _ id: UInt64) -> Leaving? {
        guard let transaction = message.transaction else {
            return Leaving(frame: carried(message, WireCall(), id), call: WireCall(), transaction: nil, isOurs: true)
        }
        if case .site(_, let name) = transaction.client {
            guard transaction.isOpen else { return nil }
            return Leaving(frame: carried(message, name, id), call: name, transaction: transaction, isOurs: false)
        }
        let call = WireCall(id: site.host.random64() | 1, origin: site.number)
        // Known before the client can leave it.
        state.withLock { $0.calls[call.id] = OutgoingCall(transaction: transaction) }
        guard transaction.handOver(to: .site(self, call.id)) else {
            state.withLock { $0.calls[call.id] = nil }
            return nil
        }
        return Leaving(frame: carried(message, call, id), call: call, transaction: transaction, isOurs: true)
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

/// A message that goes with its port.
private struct Leaving {
    let frame: Frame
    let call: WireCall
    let transaction: Transaction?
    /// The client is of this site.
    let isOurs: Bool
}

extension Sites.State {
    /// All or nothing: without the commit, what was sent before counts for nothing.
    fileprivate mutating func commit(
        _ port: Port, _ leaving: [Leaving], _ commit: Frame, _ id: UInt64, to number: UInt32
    ) -> Bool {
        let sent = leaving.filter { $0.call.id == 0 || !$0.isOurs || calls[$0.call.id]?.cancelled == K_OK }
        let gone = sent.allSatisfy { send($0.frame, to: number) == K_OK } && send(commit, to: number) == K_OK
        for message in leaving where message.isOurs && message.call.id != 0 {
            if !gone || calls[message.call.id]?.cancelled != K_OK {
                calls[message.call.id] = nil
            } else {
                calls[message.call.id]?.site = number
            }
        }
        guard gone else { return false }
        let epoch = port.epoch &+ 1
        for message in leaving where !message.isOurs {
            served[message.call] = nil
            let passed = PassedFields(call: message.call, site: number, epoch: epoch)
            send(.passed, passed, to: message.call.origin)
        }
        departures[id]?.committed = true
        places[port.ui.raw] = Place(site: number, epoch: epoch, isForwarder: true)
        return true
    }
}
