import CChorus
import Synchronization

extension Actor {
    /// actorStop: guests through the machine layer; server threads stop at their nucleus calls.
    func setStatus(_ now: Int32) -> Int32 {
        let threads = state.withLock { state -> [Thread]? in
            guard state.status != now else { return nil }
            state.status = now
            return state.threads.values.filter { !$0.isForeign }
        }
        guard let threads else { return K_OK }
        for thread in threads {
            if isUnix, let unix = site.unix {
                _ = now == K_STOPPED ? unix.threadSuspend(thread) : unix.threadResume(thread)
            } else if now == K_STOPPED {
                thread.suspend()
            } else {
                _ = thread.resume()
            }
        }
        return K_OK
    }

    /// Key zeroed unless the reader may have it.
    func stat(for reader: Actor) -> KnActorStat {
        var stat = KnActorStat()
        stat.cap = cap
        if !reader.isPrivileged && reader !== self { stat.cap.key = KnKey(keyHead: 0, keyTail: 0) }
        stat.privilege = privilege
        state.withLock { state in
            copyName(state.name, &stat.name)
            stat.status = state.status
            stat.threads = UInt32(state.threads.count)
            stat.segments = UInt32(state.segments.count)
            stat.hostPid = state.hostPid
        }
        let ports = room.withLock { Array($0.ports.values) }
        stat.ports = UInt32(ports.count)
        stat.messages = ports.reduce(messages.load(ordering: .relaxed)) { $0 &+ $1.handled.load(ordering: .relaxed) }
        stat.traps = traps.load(ordering: .relaxed)
        stat.regions = UInt32(regions.withLock { $0.all.count })
        if isUnix, let unix = site.unix { unix.actorStat(self, &stat) }
        return stat
    }
}

/// Into a C array of characters, cut to fit, always ended by NUL.
func copyName<Field>(_ name: String, _ field: inout Field) {
    withUnsafeMutableBytes(of: &field) { copyName(name, to: $0) }
}

func copyName(_ name: String, to bytes: UnsafeMutableRawBufferPointer) {
    bytes.initializeMemory(as: UInt8.self, repeating: 0)
    for (i, byte) in name.utf8.prefix(bytes.count - 1).enumerated() { bytes[i] = byte }
}
