import Synchronization

/// Sites of one process, joined with each other. Frames go through a queue of the receiver, which a thread of its nucleus
/// empties.
public final class InProcessNet: Sendable {
    private struct State {
        var stations: [UInt32: Station] = [:]
        /// Pairs of sites that do not reach each other.
        var cuts: Set<UInt64> = []
    }
    private let state = Mutex(State())

    public init() {}

    /// Joins `site` with all that are joined already; when this returns it can be called by them. K_EEXIST if a site's
    /// number, or the part of it that names show, is taken; K_EBUSY if the site has a link; K_ETIMEOUT.
    public func join(_ site: Site) -> Int32 {
        let sites: Sites = site.sites
        let station = Station(self, sites)
        let others: [Station]
        do throws(KnError) {
            others = try state.withLock { state throws(KnError) in
                let taken = state.stations.keys.contains { $0 & 0xffff == site.number & 0xffff }
                if taken { throw .exists }
                try sites.open(station)
                let others = Array(state.stations.values)
                for other in others {
                    other.put(.up(site.number))
                    station.put(.up(other.number))
                }
                state.stations[site.number] = station
                return others
            }
        } catch { return error.rawValue }
        for other in others {
            let code = min(sites.awaitReady(other.number), other.sites.awaitReady(site.number))
            if code < 0 { return code }
        }
        return 0
    }

    /// Nothing goes between the two any more, and both are told. False if it was so, or one of them is not joined.
    @discardableResult public func cut(_ a: UInt32, _ b: UInt32) -> Bool {
        state.withLock { state in
            guard let one = state.stations[a], let other = state.stations[b] else { return false }
            guard state.cuts.insert(Self.pair(a, b)).inserted else { return false }
            one.put(.down(b))
            other.put(.down(a))
            return true
        }
    }

    @discardableResult public func heal(_ a: UInt32, _ b: UInt32) -> Bool {
        state.withLock { state in
            guard state.cuts.remove(Self.pair(a, b)) != nil else { return false }
            guard let one = state.stations[a], let other = state.stations[b] else { return false }
            one.put(.up(b))
            other.put(.up(a))
            return true
        }
    }

    private static func pair(_ a: UInt32, _ b: UInt32) -> UInt64 { UInt64(min(a, b)) &<< 32 | UInt64(max(a, b)) }

    fileprivate func send(_ frame: Frame, from: UInt32, to: UInt32, pressing: Bool) -> LinkResult {
        state.withLock { state in
            guard let station = state.stations[to], state.stations[from] != nil,
                !state.cuts.contains(Self.pair(from, to))
            else { return .down }
            return station.put(.frame(frame, from: from), pressing: pressing) ? .sent : .full
        }
    }

    fileprivate func leave(_ station: Station) {
        state.withLock { state in
            guard state.stations[station.number] === station else { return }
            state.stations[station.number] = nil
            let mine = state.cuts.filter { $0 >> 32 == station.number || $0 & 0xffff_ffff == station.number }
            state.cuts.subtract(mine)
            for other in state.stations.values where !mine.contains(Self.pair(other.number, station.number)) {
                other.put(.down(station.number))
            }
        }
    }
}

/// One site's end of the net.
private final class Station: SiteLink, WorkItem {
    private struct Inbox {
        var events = Fifo<LinkEvent>()
        var bytes = 0
        /// A thread is on its way, or at it.
        var scheduled = false
    }
    /// Bytes that may wait before senders are refused.
    private static var room: Int { 64 << 20 }

    let number: UInt32
    let sites: Sites
    private let net: InProcessNet
    private let inbox = Mutex(Inbox())

    init(_ net: InProcessNet, _ sites: Sites) {
        self.net = net
        self.sites = sites
        number = sites.site.number
    }

    /// False if there is no room. With the net locked: then the site is still there.
    @discardableResult func put(_ event: LinkEvent, pressing: Bool = true) -> Bool {
        let start = inbox.withLock { inbox -> Bool? in
            if case .frame(let frame, _) = event {
                guard pressing || inbox.bytes < Self.room else { return nil }
                inbox.bytes += frame.bytes.count
            }
            inbox.events.append(event)
            defer { inbox.scheduled = true }
            return !inbox.scheduled
        }
        if start == true { sites.deliveries.submit(self, sites.site.kernel) }
        return start != nil
    }

    func run(_ thread: Thread) {
        while let event = next() {
            switch event {
            case .up(let site): sites.siteUp(site)
            case .down(let site): sites.siteDown(site)
            case .frame(let frame, let source): sites.deliver(frame, from: source)
            }
        }
    }

    private func next() -> LinkEvent? {
        inbox.withLock { inbox in
            guard let event = inbox.events.popFirst() else {
                inbox.scheduled = false
                return nil
            }
            if case .frame(let frame, _) = event { inbox.bytes -= frame.bytes.count }
            return event
        }
    }

    func send(_ frame: Frame, to site: UInt32, pressing: Bool) -> LinkResult {
        net.send(frame, from: number, to: site, pressing: pressing)
    }

    func reset(_ site: UInt32) { if net.cut(number, site) { net.heal(number, site) } }

    func close() { net.leave(self) }
}
