import CChorus
import Synchronization

/// Sites come and go. The link calls these, one after the other.
extension Sites {
    public func siteUp(_ number: UInt32) {
        let hint = UInt16(truncatingIfNeeded: number)
        let known = state.withLock { state -> Bool in
            guard number != state.me, hint != UInt16(truncatingIfNeeded: state.me), state.peers[number] == nil,
                state.hints[hint] == nil, state.link != nil
            else { return false }
            state.peers[number] = Peer()
            state.hints[hint] = number
            _ = state.send(Frame(.hello), to: number)
            return true
        }
        guard known else { return site.report(1, "site \(number) is not admitted: its number is taken") }
        announceAll(to: number)
        state.withLock { state in _ = state.send(Frame(.ready), to: number) }
    }

    /// The other one's part of all that is under way is over.
    public func siteDown(_ number: UInt32) {
        let end = state.withLock { state -> Departed? in
            guard state.peers.removeValue(forKey: number) != nil else { return nil }
            state.hints[UInt16(truncatingIfNeeded: number)] = nil
            return state.depart(number)
        }
        guard let end else { return }
        site.report(2, "site \(number) is gone")
        for transaction in end.called { transaction.fail(K_ELINKFAILURE) }
        for call in end.served { _ = call.cancel(K_EDEADACTOR) }
        // Ways that lead over the site need not be cleared any more: nothing comes along there.
        for raw in end.switches { endSwitch(raw, at: nil) }
    }

    func hello(_ number: UInt32, _ incarnation: UInt64) {
        state.withLock { state in
            let before = state.known.updateValue(incarnation, forKey: number)
            guard before != nil, before != incarnation else { return }
            // Ports that had gone there went with it.
            state.places = state.places.filter { $0.value.site != number }
        }
    }

    func ready(_ number: UInt32) {
        site.report(2, "site \(number) is joined")
        state.withLock { state in
            state.peers[number]?.ready = true
            state.wake(number, K_OK)
        }
    }

    /// Until the site is up and has said what it has to; K_ETIMEOUT, K_EUNREACHABLE.
    func awaitReady(_ number: UInt32) -> Int32 {
        let thread = Thread.current(site, in: site.kernel)
        thread.arm(abortable: false)
        let now = state.withLock { state -> Int32? in
            if state.link == nil { return K_EUNREACHABLE }
            if state.peers[number]?.ready == true { return K_OK }
            state.waiters.append((number, thread))
            return nil
        }
        if let now {
            thread.disarm()
            return now
        }
        let code = thread.sleep(site.kernel, "siteJoin", abortable: false, deadline: patienceEnd)
        state.withLock { state in state.waiters.removeAll { $0.thread === thread } }
        return code
    }

    var patienceEnd: UInt64 {
        site.host.now() &+ UInt64(patience.load(ordering: .relaxed)) &* 1_000_000
    }
}

/// What a site leaves behind.
struct Departed {
    var called: [Transaction] = []
    var served: [ServedCall] = []
    var switches: [UInt64] = []
}

extension Sites.State {
    fileprivate mutating func wake(_ number: UInt32, _ code: Int32) {
        for waiter in waiters where waiter.site == number { waiter.thread.complete(code) }
        waiters.removeAll { $0.site == number }
    }

    fileprivate mutating func depart(_ number: UInt32) -> Departed {
        var end = Departed()
        for (id, call) in calls where call.site == number {
            calls[id] = nil
            if call.cancelled == K_OK { end.called.append(call.transaction) }
        }
        for (name, call) in served where name.origin == number {
            served[name] = nil
            end.served.append(call)
        }
        for (group, sites) in members where sites.contains(number) {
            let left = sites.filter { $0 != number }
            members[group] = left.isEmpty ? nil : left
        }
        // What a port's own site was told stays true; what was only learnt may be known better where the port was born.
        places = places.filter { $0.value.site != number || $0.value.isForwarder }
        for (id, departure) in departures where departure.to == number {
            departures[id]?.answer = departure.committed ? K_ELINKFAILURE : K_EUNREACHABLE
            departure.client.complete(K_OK)
        }
        for name in Array(arrivals.keys) where name.source == number { arrivals[name] = nil }
        end.switches = Array(switches.keys)
        wake(number, K_EUNREACHABLE)
        return end
    }
}
