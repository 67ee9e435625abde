import CChorus
import Synchronization

extension Site {
    /// Pushes out what is dirty in the caches of the mappers that `of` accepts; the first error.
    @discardableResult public func flushCaches(_ of: (KnUniqueId) -> Bool = { _ in true }) -> Int32 {
        var result = K_OK
        for segment in caches.useAll() {
            defer { closeCache(segment) }
            guard let local = segment.local, of(local.mapperName) else { continue }
            let code = local.flush(0..<UInt64.max / CacheWindow.bytes, keep: K_READABLE | K_WRITABLE, order: 0)
            if result == K_OK { result = code }
        }
        return result
    }

    /// The server is about to end: what was written to segments that it is the mapper of goes to it.
    public func flushCaches(servedBy actor: Actor) {
        let code = flushCaches { name in
            if name.type == .port { return ports.find(name.raw)?.actor === actor }
            return groups.find(name.raw)?.members.contains { $0.actor === actor } ?? false
        }
        if code < 0 { report(1, "\(actor.name): did not take what was written to its segments (\(code))") }
    }
}
