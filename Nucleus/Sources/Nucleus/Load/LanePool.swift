import CChorus
import CLane
import Glibc
import KnLane
import NucleusCore
import Synchronization

/// The lanes of one user actor. The one used last is taken first: its other side may still be polling.
final class LanePool: @unchecked Sendable {
    // Sendable: state behind a mutex; `turn` is only touched by atomic host calls and under the mutex.
    static let most = 256
    private struct State {
        var free: [Lane] = []
        var all: [Lane] = []
        var waiting = 0
        var dead = false
    }
    private let state = Mutex(State())
    private let turn = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
    private let host: any HostServices
    private let make: @Sendable (UInt32) -> Lane?

    init(_ host: any HostServices, _ make: @escaping @Sendable (UInt32) -> Lane?) {
        self.host = host
        self.make = make
        turn.initialize(to: 0)
    }

    deinit { turn.deallocate() }

    private enum Next {
        case lane(Lane)
        case grow(UInt32)
        case wait(UInt32)
        case dead
    }

    /// A lane to call on; waits for one when all are busy. nil: the host process is gone, or gives no more.
    func take() -> Lane? {
        while true {
            let next: Next = state.withLock { state in
                if state.dead { return .dead }
                if let lane = state.free.popLast() { return .lane(lane) }
                if state.all.count < LanePool.most { return .grow(UInt32(state.all.count)) }
                state.waiting += 1
                return .wait(turn.pointee)
            }
            switch next {
            case .lane(let lane): return lane
            case .dead: return nil
            case .grow(let index):
                guard let lane = make(index) else { return nil }
                let dead = state.withLock { state in
                    state.all.append(lane)
                    return state.dead
                }
                if dead { lane.end() }
                return lane
            case .wait(let seen):
                _ = host.wait(turn, seen, deadline: nil)
                state.withLock { $0.waiting -= 1 }
            }
        }
    }

    func give(_ lane: Lane) {
        let wake = state.withLock { state in
            if !lane.isDead { state.free.append(lane) }
            guard state.waiting > 0 else { return false }
            turn.pointee &+= 1
            return true
        }
        if wake { host.wake(turn, 1) }
    }

    /// The host process is gone: every wait ends.
    func end() {
        let lanes = state.withLock { state in
            state.dead = true
            turn.pointee &+= 1
            defer { state.free = [] }
            return state.all
        }
        for lane in lanes { lane.end() }
        host.wake(turn, Int32.max)
    }
}
