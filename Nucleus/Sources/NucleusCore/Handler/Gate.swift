import CChorus
import Synchronization

/// The way into a connected handler. Closing it stops newcomers and waits until nobody is inside, so that a
/// disconnected handler's code and cookie may go. Entering and leaving take no lock.
final class Gate: @unchecked Sendable {
    // Sendable: all members are atomic.
    private static var closedBit: UInt32 { 0x8000_0000 }
    /// Closed bit and how many are inside; also the word that a drainer waits on.
    private let state: UnsafeMutablePointer<Atomic<UInt32>>
    /// Why who is inside should leave; 0: they may stay.
    let evicted = Atomic<Int32>(0)

    /// Starts closed.
    init() {
        state = .allocate(capacity: 1)
        state.initialize(to: Atomic(Self.closedBit))
    }

    deinit {
        state.deinitialize(count: 1)
        state.deallocate()
    }

    private var futex: UnsafeMutablePointer<UInt32> {
        UnsafeMutableRawPointer(state).assumingMemoryBound(to: UInt32.self)
    }

    /// False if closed. What was written before `open` is visible inside.
    @inline(__always) func enter(_ host: any HostServices) -> Bool {
        let new = state.pointee.wrappingAdd(1, ordering: .acquiring).newValue
        if new & Self.closedBit == 0 { return true }
        leave(host)
        return false
    }

    /// By a thread that is inside already: who drains waits for it anyhow.
    func enterAgain() { state.pointee.wrappingAdd(1, ordering: .acquiring) }

    @inline(__always) func leave(_ host: any HostServices) {
        let new = state.pointee.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue
        if new & Self.closedBit != 0 { host.wake(futex, Int32.max) }
    }

    /// For somebody who takes the place of one that is inside.
    func hold() { state.pointee.wrappingAdd(1, ordering: .relaxed) }

    /// Whether more than `own` are inside.
    func isOccupied(beyond own: UInt32) -> Bool {
        state.pointee.load(ordering: .acquiring) & ~Self.closedBit > own
    }

    func open() { state.pointee.bitwiseAnd(~Self.closedBit, ordering: .releasing) }

    func close() { state.pointee.bitwiseOr(Self.closedBit, ordering: .acquiringAndReleasing) }

    /// After `close`: waits until only `own` entries, those of the calling thread itself, are left.
    func drain(_ host: any HostServices, own: UInt32) {
        while true {
            let value = state.pointee.load(ordering: .acquiring)
            if value & Self.closedBit == 0 || value & ~Self.closedBit <= own { return }
            _ = host.wait(futex, value, deadline: nil)
        }
    }
}

/// One handler that a thread is inside. Lives on that thread's stack.
struct HandlerFrame {
    let gate: Unmanaged<Gate>
    /// Header of the message being handled; nil in other handlers.
    let head: UnsafePointer<KnMsgHead>?
    let outer: UnsafeMutablePointer<HandlerFrame>?
    let depth: UInt32
    /// When the client, or one behind it, has waited long enough: CLOCK_MONOTONIC ns, `UInt64.max` never.
    let limit: UInt64
    /// The call may be aborted.
    let abortable: Bool
    /// Whose ipcCall or trapRaise it is; nil in other handlers.
    let caller: Unmanaged<Actor>?
    /// The message's body, and the memory it is in if it was moved; nil once it is taken.
    var body: UnsafeRawPointer?
    var moved: Unmanaged<MessageBody>?

    /// Handlers that may be nested on one thread: servers that call each other in a circle do not eat its stack.
    static var most: UInt32 { 32 }
}

extension Thread {
    /// Runs `body` as a handler behind `gate`, which the thread has entered.
    @inline(__always)
    func inside(
        _ gate: Gate, _ head: UnsafePointer<KnMsgHead>?, limit: UInt64 = .max, abortable: Bool = false,
        caller: Unmanaged<Actor>? = nil, data: UnsafeRawPointer? = nil, moved: Unmanaged<MessageBody>? = nil,
        _ body: () -> Int32
    ) -> Int32 {
        let outer = self.frame
        var frame = HandlerFrame(
            gate: .passUnretained(gate), head: head, outer: outer, depth: (outer?.pointee.depth ?? 0) &+ 1,
            limit: min(limit, outer?.pointee.limit ?? .max), abortable: abortable, caller: caller, body: data,
            moved: moved)
        return withUnsafeMutablePointer(to: &frame) { pointer in
            self.frame = pointer
            let result = body()
            self.frame = pointer.pointee.outer
            return result
        }
    }

    func entries(_ gate: Gate) -> UInt32 {
        var count: UInt32 = 0
        var next = frame
        let name = Unmanaged.passUnretained(gate).toOpaque()
        while let frame = next {
            if frame.pointee.gate.toOpaque() == name { count += 1 }
            next = frame.pointee.outer
        }
        return count
    }
}
