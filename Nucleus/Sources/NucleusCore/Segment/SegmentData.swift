import CChorus
import Synchronization

/// Data of a segment, through its local cache. Writers of one segment go one after the other, so that size and
/// contents never disagree; readers need no lock.
extension Segment {
    /// Bytes moved, short at the end of the segment, or a `K_*` code.
    public func read(_ offset: UInt64, _ to: UnsafeMutableRawBufferPointer) -> Int {
        guard offset <= UInt64(Int64.max) else { return Int(K_EINVAL) }
        if to.isEmpty { return 0 }
        if let local { return local.read(offset, to) }
        return host.cacheRead(cache, offset, to)
    }

    /// Bytes moved, or a `K_*` code. Grows the segment.
    public func write(_ offset: UInt64, _ from: UnsafeRawBufferPointer) -> Int {
        guard !readOnly else { return Int(K_EPRIV) }
        let (end, over) = offset.addingReportingOverflow(UInt64(from.count))
        guard !over, end <= UInt64(Int64.max) else { return Int(K_EINVAL) }
        if from.isEmpty { return 0 }
        if let local { return local.write(offset, from) }
        return state.withLock { state in
            guard admits(offset, from.count, &state) else { return Int(K_ENOMEM) }
            let moved = host.cacheWrite(cache, offset, from)
            if moved > 0 {
                state.size = max(state.size, offset + UInt64(moved))
                state.touch(host)
                recharge(&state)
            }
            return moved
        }
    }

    /// For writes that did not come through `write` (a dirty shared mapping).
    public func touch() { state.withLock { $0.touch(host) } }

    public func truncate(_ size: UInt64) -> Int32 {
        guard !readOnly else { return K_EPRIV }
        guard size <= UInt64(Int64.max) else { return K_EINVAL }
        if let local {
            do throws(KnError) { try local.truncate(size) } catch { return error.rawValue }
            return K_OK
        }
        return state.withLock { state in
            let code = host.cacheTruncate(cache, size)
            if code >= 0 {
                state.size = size
                state.touch(host)
                recharge(&state)
            }
            return code
        }
    }

    /// Frees a range inside the segment, which then reads as zeros; the size stays.
    public func punch(_ offset: UInt64, _ size: UInt64) -> Int32 {
        guard !readOnly else { return K_EPRIV }
        let (end, over) = offset.addingReportingOverflow(size)
        guard size > 0, !over, end <= UInt64(Int64.max) else { return K_EINVAL }
        // A mapper knows no holes.
        if local != nil { return K_ENOSYS }
        return state.withLock { state in
            let code = host.cachePunch(cache, offset, size)
            if code >= 0 {
                state.touch(host)
                recharge(&state)
            }
            return code
        }
    }

    public func stat() -> KnSgStat {
        let actual = host.cacheSize(cache)
        if let local {
            return local.state.withLock { state in
                KnSgStat(
                    size: state.size, resident: actual.resident, modifiedSec: state.modified.seconds,
                    modifiedNsec: state.modified.nanoseconds, writes: state.writes)
            }
        }
        return state.withLock { state in
            // A host file may grow behind our back; our own memory cannot.
            if adopted { state.size = actual.size }
            return KnSgStat(
                size: state.size, resident: actual.resident, modifiedSec: state.modified.seconds,
                modifiedNsec: state.modified.nanoseconds, writes: state.writes)
        }
    }
}

extension Segment {
    /// Everything written goes to the host file or the mapper.
    func flush() -> Int32 {
        guard let local else { return host.cacheSync(cache) }
        return local.flush(0..<UInt64.max / CacheWindow.bytes, keep: K_READABLE | K_WRITABLE, order: 0)
    }
}

extension Segment.State {
    mutating func touch(_ host: any HostServices) {
        modified = host.realtime()
        writes &+= 1
    }
}

extension Site {
    /// Memory, served by the nucleus.
    public func createSegment(_ actor: Actor, name: String, size: UInt64) throws(KnError) -> Segment {
        let cache = host.cacheCreate(name: name, size: size)
        guard cache >= 0 else { throw KnError(rawValue: cache) }
        return hold(actor, name, cache, readOnly: false, adopted: false, size: size)
    }

    /// A host file as its own cache. The caller keeps its descriptor.
    public func adoptSegment(_ actor: Actor, _ descriptor: Int32, readOnly: Bool) throws(KnError) -> Segment {
        let cache = host.cacheAdopt(descriptor)
        guard cache >= 0 else { throw KnError(rawValue: cache) }
        return hold(actor, "", cache, readOnly: readOnly, adopted: true, size: host.cacheSize(cache).size)
    }

    private func hold(
        _ actor: Actor, _ name: String, _ cache: Int32, readOnly: Bool, adopted: Bool, size: UInt64
    ) -> Segment {
        while true {
            let segment = Segment(
                self, actor.account, cap: newCap(.segment), name: name, cache: cache, readOnly: readOnly,
                adopted: adopted, size: size)
            let raw = segment.cap.ui.raw
            guard segments.insert(raw, segment) else {
                segment.keepCache()
                continue
            }
            let dead = actor.state.withLock { state in
                state.segments[raw] = segment
                return actor.isDeleted
            }
            if dead { release(segment, actor) }
            return segment
        }
    }

    /// Drops the creator's hold; mapped, the segment lives on.
    @discardableResult func release(_ segment: Segment, _ actor: Actor) -> Int32 {
        let raw = segment.cap.ui.raw
        guard actor.state.withLock({ $0.segments.removeValue(forKey: raw) }) != nil else { return K_EUNKNOWN }
        let gone = segment.state.withLock { state in
            state.held = false
            return state.mappings <= 0
        }
        if gone { segments.remove(raw) }
        return K_OK
    }
}
