import CChorus
import Synchronization

/// A set of ports under one name. Who knows the key may insert and remove; who knows the UI may send.
final class Group: Sendable {
    let cap: KnCap
    private let state = Mutex(State())

    /// Made for an actor without privileges: it is there only while it has members. Names and keys need no object.
    let isTransient: Bool

    private struct State {
        var members: [Port] = []
        var next = 0
        /// Empty and out of the table: nobody comes in any more.
        var retired = false
    }

    init(_ cap: KnCap, transient: Bool = false) {
        self.cap = cap
        isTransient = transient
    }

    /// False if it is in already.
    func insert(_ port: Port) -> Bool {
        state.withLock { state in
            if state.retired || state.members.contains(where: { $0 === port }) { return false }
            state.members.append(port)
            return true
        }
    }

    /// False if it was not in.
    @discardableResult func remove(_ port: Port) -> Bool {
        state.withLock { state in
            guard let index = state.members.firstIndex(where: { $0 === port }) else { return false }
            state.members.remove(at: index)
            return true
        }
    }

    /// `successor` is a member instead of `port`; false if it was one already.
    func replace(_ port: Port, by successor: Port) -> Bool {
        state.withLock { state in
            let known = state.members.contains { $0 === successor }
            guard let index = state.members.firstIndex(where: { $0 === port }) else { return false }
            if known { state.members.remove(at: index) } else { state.members[index] = successor }
            return !known
        }
    }

    var isRetired: Bool { state.withLock { $0.retired } }

    /// True, once, for the one who has to take it out of the table.
    func retireIfEmpty() -> Bool {
        guard isTransient else { return false }
        return state.withLock { state in
            guard !state.retired, state.members.isEmpty else { return false }
            state.retired = true
            return true
        }
    }

    var members: [Port] { state.withLock { $0.members } }
    var isEmpty: Bool { state.withLock { $0.members.isEmpty } }

    /// Any one member, in turn.
    @inline(__always) func pick() -> Port? {
        state.withLock { state in
            let count = state.members.count
            if count == 1 { return state.members[0] }
            guard count > 0 else { return nil }
            state.next = state.next &+ 1 < count ? state.next &+ 1 : 0
            return state.members[state.next]
        }
    }
}
