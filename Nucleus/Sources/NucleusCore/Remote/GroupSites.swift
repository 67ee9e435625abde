import CChorus
import Synchronization

/// Groups over sites: each site says of which groups it has members. Who wants one of them asks that site, which picks.
extension Sites {
    /// A member has come or gone.
    func changed(_ group: Group) {
        guard isLinked else { return }
        announced.withLock { announced in
            let cap = group.cap
            let numbers = state.withLock { Array($0.peers.keys) }
            guard let member = update(cap, &announced) else { return }
            for number in numbers { announce(cap, member, to: number) }
        }
    }

    /// Whether there are members now, if the others think otherwise.
    private func update(_ cap: KnCap, _ announced: inout [UInt64: KnKey]) -> Bool? {
        // The table's group of the name: one that was retired has no say.
        let member = site.groups.find(cap.ui.raw)?.isEmpty == false
        guard member != (announced[cap.ui.raw] != nil) else { return nil }
        announced[cap.ui.raw] = member ? cap.key : nil
        return member
    }

    private func announce(_ cap: KnCap, _ member: Bool, to number: UInt32) {
        state.withLock { $0.send(.group, GroupFields(cap: cap, member: member ? 1 : 0), to: number) }
    }

    /// A site has come up.
    func announceAll(to number: UInt32) {
        announced.withLock { announced in
            for group in site.groups.all {
                guard let member = update(group.cap, &announced) else { continue }
                let others = state.withLock { Array($0.peers.keys) }
                for other in others where other != number { announce(group.cap, member, to: other) }
            }
            for (raw, key) in announced { announce(KnCap(ui: KnUniqueId(raw: raw), key: key), true, to: number) }
        }
    }

    /// Who knows the key may say so: the name follows from it.
    func memberSite(_ fields: GroupFields, _ source: UInt32) {
        guard let type = fields.cap.ui.type, type.isGroup, KnUniqueId(type, groupKey: fields.cap.key) == fields.cap.ui
        else { return state.withLock { $0.counts.malformed += 1 } }
        let raw = fields.cap.ui.raw
        state.withLock { state in
            var sites = state.members[raw] ?? []
            if fields.member != 0 {
                guard !sites.contains(source), state.members.count < Self.mostGroups else { return }
                sites.append(source)
            } else {
                sites.removeAll { $0 == source }
            }
            state.members[raw] = sites.isEmpty ? nil : sites
        }
    }

    private static var mostGroups: Int { 65536 }

    /// Sites to ask for a member, in a mode other than broadcast, when this one has none to offer.
    func candidates(_ dest: KnIpcDest, _ mode: UInt32) -> [UInt32] {
        let home = mode == K_FUNCMODE ? nil : home(dest.coTarget)
        return state.withLock { state in
            if mode == K_FUNCUMODE { return home.map { $0 == state.me ? [] : [$0] } ?? [] }
            guard let sites = state.members[dest.target.raw] else { return [] }
            let first = Int(state.turn % UInt(sites.count))
            state.turn &+= 1
            let inTurn = sites[first...] + sites[..<first]
            return mode == K_FUNCXMODE ? inTurn.filter { $0 != home } : Array(inTurn)
        }
    }

    /// To the members on all other sites.
    func broadcast(_ head: KnMsgHead, _ request: Request) {
        let numbers = state.withLock { $0.members[head.target.raw] ?? [] }
        for number in numbers {
            let code = post(.site(number), head, request)
            if code != K_OK { site.traceDropped(head.target, code) }
        }
    }
}
