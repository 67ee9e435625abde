import CMiXFile
import CMiXSocket
import Synchronization

/// Open descriptions on their way in messages (SCM_RIGHTS): each is held by its token until somebody receives it, or nobody can any
/// more.
final class RightsTable: Sendable {
    fileprivate struct Entry {
        let description: OpenDescription
        let uid: UInt32
    }

    fileprivate struct State {
        var entries: [UInt64: Entry] = [:]
        var last: UInt64 = 0
        var byUser: [UInt32: Int] = [:]
        /// Counts what was received: a search for what nobody can receive is void where that changed meanwhile.
        var receptions: UInt64 = 0
        var isSearching = false
    }
    private let state = Mutex(State())

    /// Takes a hold of each. ETOOMANYREFS: the user has more on the way than may be open (unix(7)).
    func put(_ descriptions: [OpenDescription], uid: UInt32, limit: Int) throws(Errno) -> [MixSocketRight] {
        let rights = state.withLock { state -> [MixSocketRight]? in
            guard state.byUser[uid, default: 0] + descriptions.count <= limit else { return nil }
            return descriptions.map { description in
                description.hold()
                description.messages.add(1, ordering: .relaxed)
                state.last += 1
                state.entries[state.last] = Entry(description: description, uid: uid)
                state.byUser[uid, default: 0] += 1
                return MixSocketRight(token: state.last, socket: (description as? SocketFile)?.key.object ?? 0)
            }
        }
        guard let rights else { throw .ETOOMANYREFS }
        return rights
    }

    /// What the tokens stand for, with the holds. `stays`: they were only looked at (MSG_PEEK).
    func take(_ rights: [MixSocketRight], stays: Bool) -> [OpenDescription] {
        state.withLock { state in
            state.receptions += 1
            return rights.compactMap { right -> OpenDescription? in
                guard let entry = state.entries[right.token] else { return nil }
                if stays {
                    entry.description.hold()
                } else {
                    state.remove(right.token, entry.uid)
                    entry.description.messages.subtract(1, ordering: .relaxed)
                }
                return entry.description
            }
        }
    }

    /// Nobody will receive them. Called without locks.
    func drop(_ tokens: [UInt64]) {
        let gone = state.withLock { state in
            tokens.compactMap { token -> OpenDescription? in
                guard let entry = state.entries[token] else { return nil }
                state.remove(token, entry.uid)
                entry.description.messages.subtract(1, ordering: .relaxed)
                return entry.description
            }
        }
        for description in gone { description.drop() }
    }

    // MARK: Cycles

    /// Sockets whose every descriptor is in some message, and when that was seen.
    private func candidates() -> (keys: [UInt64], seen: UInt64) {
        state.withLock { state in
            var keys: Set<UInt64> = []
            for case let socket as SocketFile in state.entries.values.map(\.description) where socket.isOnlyInMessages {
                keys.insert(socket.key.object)
            }
            return (keys.sorted(), state.receptions)
        }
    }

    /// A socket's last descriptor outside of messages is gone: whatever only such sockets lead to is thrown away.
    func search(_ manager: ProcessManager) {
        let begins = state.withLock { state in
            defer { state.isSearching = true }
            return !state.isSearching
        }
        guard begins else { return }
        let (keys, seen) = candidates()
        let lost = keys.isEmpty ? [] : ask(manager, keys, flags: 0)
        if !lost.isEmpty {
            let (now, seenNow) = candidates()
            if seenNow == seen { _ = ask(manager, lost.filter(now.contains), flags: UInt32(SOCK_PURGE)) }
        }
        state.withLock { $0.isSearching = false }
    }

    private func ask(_ manager: ProcessManager, _ keys: [UInt64], flags: UInt32) -> [UInt64] {
        var request = MixObjRequest()
        request.op = UInt32(SOCK_COLLECT)
        request.flags = flags
        let body = keys.withUnsafeBytes { [UInt8]($0) }
        guard let (_, bytes) = try? manager.objectCall(manager.groups.socket, request, body: body, room: body.count)
        else { return [] }
        return bytes.withUnsafeBytes { raw in
            (0..<raw.count / 8).map { raw.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self) }
        }
    }
}

extension RightsTable.State {
    fileprivate mutating func remove(_ token: UInt64, _ uid: UInt32) {
        entries[token] = nil
        let left = byUser[uid, default: 1] - 1
        byUser[uid] = left > 0 ? left : nil
    }
}
