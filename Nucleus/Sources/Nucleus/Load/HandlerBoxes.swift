import CChorus
import Synchronization

/// The boxes of one user actor. Handlers that are connected again share theirs; those of events, which come and go,
/// are dropped some time after the event: an entry point that is just being left may still look at its box.
final class HandlerBoxes: Sendable {
    private struct State {
        var boxes: [HandlerBox.Name: (box: HandlerBox, uses: Int)] = [:]
        var events: [UInt64: HandlerBox.Name] = [:]
        var resting: [HandlerBox] = []
    }
    private let state = Mutex(State())
    private static let most = 1 << 20
    private static let rested = 1024

    /// nil: the actor has more handlers than any can need.
    func box(_ host: UserActor, _ name: HandlerBox.Name) -> UnsafeMutableRawPointer? {
        state.withLock { state in
            if let known = state.boxes[name] {
                state.boxes[name] = (known.box, known.uses + 1)
                return Unmanaged.passUnretained(known.box).toOpaque()
            }
            guard state.boxes.count < HandlerBoxes.most else { return nil }
            let box = HandlerBox(host, name)
            state.boxes[name] = (box, 1)
            return Unmanaged.passUnretained(box).toOpaque()
        }
    }

    func eventCreated(_ event: KnUniqueId, _ name: HandlerBox.Name) {
        state.withLock { $0.events[key(event)] = name }
    }

    func eventDeleted(_ event: KnUniqueId) {
        state.withLock { state in
            guard let name = state.events.removeValue(forKey: key(event)), let known = state.boxes[name] else { return }
            if known.uses > 1 {
                state.boxes[name] = (known.box, known.uses - 1)
                return
            }
            state.boxes[name] = nil
            state.resting.append(known.box)
            if state.resting.count > HandlerBoxes.rested { state.resting.removeFirst(HandlerBoxes.rested / 2) }
        }
    }

    private func key(_ ui: KnUniqueId) -> UInt64 { UInt64(ui.uiHead) << 32 | UInt64(ui.uiTail) }
}
