import CChorus
import Synchronization

/// Who waits for others to leave a handler while being inside handlers itself: two that would wait for each other, or
/// several in a circle, are told so instead.
final class Drains: Sendable {
    private struct Drain {
        let gate: ObjectIdentifier
        /// Those that its thread is inside.
        let held: Set<ObjectIdentifier>
    }
    private let state = Mutex<[Drain]>([])

    /// False: would wait for itself. Else `end` must follow.
    fileprivate func begin(_ gate: ObjectIdentifier, _ held: Set<ObjectIdentifier>) -> Bool {
        state.withLock { drains in
            var reached: Set = [gate]
            var next = [gate]
            while let now = next.popLast() {
                for drain in drains where drain.held.contains(now) {
                    if held.contains(drain.gate) { return false }
                    if reached.insert(drain.gate).inserted { next.append(drain.gate) }
                }
            }
            drains.append(Drain(gate: gate, held: held))
            return true
        }
    }

    fileprivate func end(_ gate: ObjectIdentifier, _ held: Set<ObjectIdentifier>) {
        state.withLock { drains in
            if let index = drains.firstIndex(where: { $0.gate == gate && $0.held == held }) { drains.remove(at: index) }
        }
    }
}

extension Site {
    /// Runs `body`, which closes `gate` and drains it, for `thread`. K_EBUSY: somebody inside waits, itself or by way of
    /// others, for a handler that `thread` is inside; nothing has been done then.
    func draining<Value>(_ gate: Gate, _ thread: Thread, _ body: () throws(KnError) -> Value) throws(KnError) -> Value {
        let held = thread.gatesHeld(but: gate)
        // Nobody can wait for a thread that is in no handler.
        guard !held.isEmpty else { return try body() }
        guard drains.begin(ObjectIdentifier(gate), held) else { throw .busy }
        defer { drains.end(ObjectIdentifier(gate), held) }
        return try body()
    }
}

extension Thread {
    fileprivate func gatesHeld(but gate: Gate) -> Set<ObjectIdentifier> {
        var held: Set<ObjectIdentifier> = []
        var next = frame
        while let frame = next {
            let other = frame.pointee.gate.takeUnretainedValue()
            if other !== gate { held.insert(ObjectIdentifier(other)) }
            next = frame.pointee.outer
        }
        return held
    }
}
