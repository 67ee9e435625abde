import CChorus
import Synchronization

/// Where a port is that has migrated between sites. Its epoch counts its migrations: what is newer counts.
struct Place {
    var site: UInt32
    var epoch: UInt32
    /// The port was here: who asks here has nobody else to ask.
    var isForwarder: Bool
}

/// Which way a message to a port goes.
enum Way {
    /// The port is here, or is just leaving.
    case here
    case to(UInt32, epoch: UInt32)
    case unknown
    case unreachable
}

extension Sites.State {
    /// Places that are remembered without need.
    private static var mostLearnt: Int { 65536 }

    func way(_ raw: UInt64) -> Way {
        guard let place = places[raw] else {
            let hint = KnUniqueId(raw: raw).siteHint
            if hint == UInt16(truncatingIfNeeded: me) { return .unknown }
            return hints[hint].map { .to($0, epoch: 0) } ?? .unreachable
        }
        if place.site == me { return .here }
        return peers[place.site] == nil ? .unreachable : .to(place.site, epoch: place.epoch)
    }

    mutating func learn(_ raw: UInt64, _ site: UInt32, _ epoch: UInt32) {
        if let old = places[raw] {
            if epoch > old.epoch { places[raw] = Place(site: site, epoch: epoch, isForwarder: old.isForwarder) }
        } else {
            // Where it was born is known from the name: whatever is forgotten is asked for there.
            if places.count >= Self.mostLearnt { places = places.filter { $0.value.isForwarder } }
            places[raw] = Place(site: site, epoch: epoch, isForwarder: false)
        }
    }
}

extension Sites {
    /// The site that a name belongs to, as far as is known here.
    func home(_ ui: KnUniqueId) -> UInt32? {
        if site.port(named: ui.raw) != nil || site.actors.find(ui.raw) != nil { return site.number }
        return state.withLock { state in
            if let place = state.places[ui.raw] { return place.site }
            if ui.siteHint == UInt16(truncatingIfNeeded: state.me) { return state.me }
            return state.hints[ui.siteHint]
        }
    }

    /// A port that was born here, or has been here, and is at another site now.
    func isAway(_ ui: KnUniqueId) -> Bool {
        state.withLock { state in state.places[ui.raw].map { $0.site != state.me } ?? false }
    }

    /// A port that came from another site is deleted here: nobody needs to remember where it is.
    func forget(_ port: Port) {
        state.withLock { state in
            for name in port.formerNames where state.places[name]?.site == state.me { state.places[name] = nil }
            guard port.epoch > 0 else { return }
            state.places[port.ui.raw] = nil
            let fields = PlaceFields(ui: port.ui, site: state.me, epoch: port.epoch)
            for number in port.trail { state.send(.gone, fields, to: number) }
        }
    }

    func gone(_ fields: PlaceFields, from source: UInt32) {
        state.withLock { state in
            let raw = fields.ui.raw
            guard let place = state.places[raw], place.site != state.me, place.epoch <= fields.epoch else { return }
            state.places[raw] = nil
        }
    }
}
