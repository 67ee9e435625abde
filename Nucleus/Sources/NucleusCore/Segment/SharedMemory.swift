import CChorus
import Synchronization

extension Site {
    /// How many there are.
    public var sharedMemories: Int { memory.shared.load(ordering: .relaxed) }

    /// Memory for regions that several actors may share. Its whole size counts as held; it goes with the last region that
    /// maps it. The caller has a mapping of it, to be released.
    public func createSharedMemory(_ size: UInt64) throws(KnError) -> Segment {
        guard memory.reserve(size) else { throw .noMemory }
        let cache = host.cacheCreate(name: "shared", size: size)
        guard cache >= 0 else {
            memory.release(size)
            throw KnError(rawValue: cache)
        }
        memory.shared.wrappingAdd(1, ordering: .relaxed)
        while true {
            let segment = Segment(
                self, memory, cap: newCap(.segment), name: "", cache: cache, readOnly: false, adopted: false,
                size: size,
                committed: true)
            segment.state.withLock { state in
                (state.held, state.mappings, state.charged) = (false, 1, size)
            }
            if segments.insert(segment.cap.ui.raw, segment) { return segment }
            // The name was taken: the cache and what is charged for it go to the next one.
            segment.state.withLock { $0.charged = 0 }
            segment.keepCache()
        }
    }
}
