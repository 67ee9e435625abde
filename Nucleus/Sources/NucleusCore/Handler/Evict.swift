import CChorus
import Synchronization

// When a port goes, who waits inside its handler goes too: the waits end, and the callers are told why.

extension Site {
    /// Ends the waits of all who are inside `gate`, which is closed; their calls end with `code`.
    func evict(_ gate: Gate, _ code: Int32) {
        gate.evicted.store(code, ordering: .sequentiallyConsistent)
        for thread in threads.all { thread.end(inside: gate) }
    }
}

extension Thread {
    /// Before a wait, after `arm`: so that it is seen by `evict`, or sees what that has done.
    func publishGates() {
        var (next, index) = (frame, 0)
        while let frame = next, index < Int(HandlerFrame.most) {
            gates[index].store(UInt(bitPattern: frame.pointee.gate.toOpaque()), ordering: .sequentiallyConsistent)
            (next, index) = (frame.pointee.outer, index + 1)
        }
        if index < Int(HandlerFrame.most) { gates[index].store(0, ordering: .sequentiallyConsistent) }
    }

    /// One of the handlers it is in should be left.
    public var isEvicted: Bool {
        var next = frame
        while let frame = next {
            let code = frame.pointee.gate._withUnsafeGuaranteedRef {
                $0.evicted.load(ordering: .sequentiallyConsistent)
            }
            if code != 0 { return true }
            next = frame.pointee.outer
        }
        return false
    }

    fileprivate func end(inside gate: Gate) {
        let name = UInt(bitPattern: Unmanaged.passUnretained(gate).toOpaque())
        for index in 0..<Int(HandlerFrame.most) {
            let seen = gates[index].load(ordering: .sequentiallyConsistent)
            if seen == 0 { return }
            // Not armed: it looks itself before it waits.
            if seen == name {
                complete(K_EABORT)
                return
            }
        }
    }
}
