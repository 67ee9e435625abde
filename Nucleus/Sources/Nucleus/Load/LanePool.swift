import CChorus
import CLane
import KnLane
import NucleusCore
import Synchronization

/// The lanes of one user actor. The one used last is taken first: its other side may still be polling.
final class LanePool: Sendable {
    static let most = 256
    private struct State {
        var free: [UpcallLane] = []
        var all: [Lane] = []
        var waiting: [Thread] = []
        var dead = false
    }
    private let state = Mutex(State())
    private let make: @Sendable (UInt32) -> UpcallLane?

    init(_ make: @escaping @Sendable (UInt32) -> UpcallLane?) { self.make = make }

    enum Taken {
        case lane(UpcallLane)
        case refused(Int32)
    }
    private enum Next {
        case lane(UpcallLane)
        case grow(UInt32)
        case wait
        case dead
    }

    /// A lane to call on; `thread`, the calling one, waits for one when all are busy, as long as the handler that it is
    /// about to call may take. K_EDEADSERVER: the host process is gone, or gives no more.
    func take(_ thread: Thread) -> Taken {
        while true {
            switch state.withLock({ next(&$0) }) {
            case .lane(let lane): return .lane(lane)
            case .dead: return .refused(K_EDEADSERVER)
            case .grow(let index):
                guard let lane = make(index) else { return .refused(K_EDEADSERVER) }
                let dead = state.withLock { state in
                    state.all.append(lane.lane)
                    return state.dead
                }
                if dead { lane.lane.end() }
                return .lane(lane)
            case .wait:
                let code = thread.waitForTurn("handler") {
                    state.withLock { state in
                        guard case .wait = next(&state, taking: false) else { return false }
                        state.waiting.append(thread)
                        return true
                    }
                }
                guard code == K_OK else {
                    state.withLock { state in state.waiting.removeAll { $0 === thread } }
                    return .refused(code)
                }
            }
        }
    }

    private func next(_ state: inout State, taking: Bool = true) -> Next {
        if state.dead { return .dead }
        if let lane = state.free.last {
            if taking { state.free.removeLast() }
            return .lane(lane)
        }
        // A waiting thread looks only when it can be given a lane: whoever grows the pool fails or has one.
        return state.all.count < LanePool.most ? .grow(UInt32(state.all.count)) : .wait
    }

    func give(_ lane: UpcallLane) {
        state.withLock { state in
            guard !lane.lane.isDead else { return }
            state.free.append(lane)
            while !state.waiting.isEmpty { if state.waiting.removeFirst().giveTurn(K_OK) { return } }
        }
    }

    /// The host process is gone: every wait ends.
    func end() {
        let lanes = state.withLock { state in
            state.dead = true
            defer { state.free = [] }
            for thread in state.waiting { _ = thread.giveTurn(K_EDEADSERVER) }
            state.waiting = []
            defer { state.all = [] }  // the memory of a lane goes with who is still on it
            return state.all
        }
        for lane in lanes { lane.end() }
    }
}
