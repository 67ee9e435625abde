import CChorus

/// One word of per-thread data: a key counts only for the actor that made it, and is never made again.
struct ThreadDataName: Hashable {
    let actor: UInt64
    let key: Int32
}

extension Actor {
    func createDataKey() throws(KnError) -> Int32 {
        let key = state.withLock { state -> Int32? in
            guard state.dataKeys.count < Int(K_PTDKEYMAX), state.lastDataKey < Int32.max else { return nil }
            state.lastDataKey += 1
            state.dataKeys.append(state.lastDataKey)
            return state.lastDataKey
        }
        guard let key else { throw .noMemory }
        return key
    }

    func deleteDataKey(_ key: Int32) throws(KnError) {
        let known = state.withLock { state in
            guard let at = state.dataKeys.firstIndex(of: key) else { return false }
            state.dataKeys.remove(at: at)
            return true
        }
        guard known else { throw .unknown }
    }

    func setData(_ key: Int32, _ value: UInt64) throws(KnError) {
        guard let keys = state.withLock({ $0.dataKeys.contains(key) ? $0.dataKeys : nil }) else { throw .unknown }
        let thread = Thread.current(site, in: self)
        let name = ThreadDataName(actor: cap.ui.raw, key: key)
        if value == 0 {
            thread.data[name] = nil
            return
        }
        // What deleted keys left behind goes when it would be more than the living may have.
        if thread.data[name] == nil, thread.data.count >= Int(K_PTDKEYMAX) {
            thread.data = thread.data.filter { entry in
                entry.key.actor == name.actor
                    ? keys.contains(entry.key.key) : site.actor(ui: KnUniqueId(raw: entry.key.actor)) != nil
            }
        }
        thread.data[name] = value
    }

    func data(_ key: Int32) throws(KnError) -> UInt64 {
        guard state.withLock({ $0.dataKeys.contains(key) }) else { throw .unknown }
        return Thread.current(site, in: self).data[ThreadDataName(actor: cap.ui.raw, key: key)] ?? 0
    }
}
