import CChorus
import Synchronization

/// What comes over the link is another nucleus' word, or somebody else's: it is checked before it counts.
extension Sites {
    public func deliver(_ frame: Frame, from source: UInt32) {
        guard let envelope = frame.envelope, let kind = FrameKind(rawValue: envelope.kind),
            envelope.source == source, envelope.destination == site.number
        else { return state.withLock { $0.counts.malformed += 1 } }
        switch state.withLock({ $0.admit(envelope, kind) }) {
        case .next: break
        case .stale: return
        case .gap: return lose(source)
        }
        if !take(kind, frame, envelope) { state.withLock { $0.counts.malformed += 1 } }
    }

    /// Nobody can say what else was lost: it is as if the site had been gone.
    private func lose(_ source: UInt32) {
        siteDown(source)
        state.withLock { $0.link }?.reset(source)
    }

    /// False if the frame makes no sense.
    private func take(_ kind: FrameKind, _ frame: Frame, _ envelope: Envelope) -> Bool {
        let source = envelope.source
        switch kind {
        case .hello: hello(source, envelope.incarnation)
        case .ready: ready(source)
        case .message: return receive(frame, from: source)
        case .reply: return reply(frame)
        case .fail: return with(frame, EndFields.self) { failed($0) }
        case .cancel: return with(frame, EndFields.self) { cancelled($0, from: source) }
        case .passed: return with(frame, PassedFields.self) { passed($0, from: source) }
        case .moved: return with(frame, PlaceFields.self) { moved($0, from: source) }
        case .gone: return with(frame, PlaceFields.self) { gone($0, from: source) }
        case .flush: return with(frame, FlushFields.self) { flush($0) }
        case .flushed:
            return with(frame, FlushFields.self) {
                flushed($0, at: $0.epoch == 0 ? nil : Place(site: source, epoch: $0.epoch, isForwarder: false))
            }
        case .group: return with(frame, GroupFields.self) { memberSite($0, source) }
        case .prepare: return with(frame, PrepareFields.self) { prepare($0, from: source) }
        case .prepared: return with(frame, MigrationFields.self) { answered($0, from: source, committed: false) }
        case .abandon: return with(frame, MigrationFields.self) { abandon($0, from: source) }
        case .carried: return carried(frame, from: source)
        case .commit: return commit(frame, from: source)
        case .committed: return with(frame, MigrationFields.self) { answered($0, from: source, committed: true) }
        }
        return true
    }

    private func with<Fields: BitwiseCopyable>(
        _ frame: Frame, _ type: Fields.Type, _ body: (Fields) -> Void
    ) -> Bool {
        guard let fields = frame.fields(type), frame.rest(behind: type, { $0.isEmpty }) else { return false }
        body(fields)
        return true
    }
}

extension Sites.State {
    enum Admission { case next, stale, gap }

    /// Each frame once, in order, from the site as it said hello.
    fileprivate mutating func admit(_ envelope: Envelope, _ kind: FrameKind) -> Admission {
        guard var peer = peers[envelope.source] else {
            counts.stale += 1
            return .stale
        }
        if peer.incarnation == 0, kind == .hello { peer.incarnation = envelope.incarnation }
        guard envelope.incarnation == peer.incarnation, envelope.sequence > peer.received else {
            counts.stale += 1
            return .stale
        }
        guard envelope.sequence == peer.received + 1 else {
            counts.lost += 1
            return .gap
        }
        peer.received += 1
        peers[envelope.source] = peer
        return .next
    }
}
