import CChorus
import Synchronization

// Waits of a thread outside of the nucleus: for the answer of a handler in a user actor's host process. They end early
// in the same way as others do: by abort, deletion, eviction.

/// Where such a thread waits.
public protocol OutsideBell: AnyObject, Sendable {
    /// From any thread: the wait has been ended, let the thread look.
    func ring()
}

/// How long the innermost handler that a thread is in may take.
public struct HandlerBound {
    /// CLOCK_MONOTONIC ns, `UInt64.max` for ever.
    public let limit: UInt64
    public let isAbortable: Bool
    let caller: Unmanaged<Actor>?
}

extension Thread {
    public var handlerBound: HandlerBound {
        guard let frame = frame?.pointee else { return HandlerBound(limit: .max, isAbortable: false, caller: nil) }
        return HandlerBound(limit: frame.limit, isAbortable: frame.abortable, caller: frame.caller)
    }

    /// How many of its waits were aborted so far.
    public var aborts: UInt32 { abortsTaken }

    /// The thread is about to wait at `bell`, which others may ring from now on until `endOutside`. A code: it must not.
    public func beginOutside(_ bell: any OutsideBell, _ bound: HandlerBound, abortable: Bool) -> Int32? {
        wait.bell.withLock { $0 = bell }
        wait.arm(abortable: abortable, outside: true)
        let caller = bound.caller?.takeUnretainedValue() ?? actor
        wait.enter(caller, waitsAs ?? "handler", host.now())
        publishGates()
        if caller.deleted.load(ordering: .sequentiallyConsistent) || doomed.load(ordering: .sequentiallyConsistent) {
            _ = wait.complete(K_EDEADACTOR, host)
        } else if isEvicted || abortable && takeAborted() {
            _ = wait.complete(K_EABORT, host)
        }
        return wait.isOver ? endOutside() : nil
    }

    /// Nobody rings any more. A code: the wait was ended.
    public func endOutside() -> Int32? {
        let code = wait.disarm()
        wait.bell.withLock { $0 = nil }
        wait.leave()
        return code
    }

    /// As if it had not been aborted yet: the next abortable wait ends.
    public func putBackAbort() { aborted.store(true, ordering: .sequentiallyConsistent) }

    /// Waits for its turn at something of the machine's, in a handler that it is about to call. `enqueue`: it can be
    /// found from then on, and is given its turn by `giveTurn`. K_OK, or why there was none.
    public func waitForTurn(_ call: StaticString, _ enqueue: () -> Bool) -> Int32 {
        let bound = handlerBound
        arm(abortable: bound.isAbortable)
        guard enqueue() else {
            disarm()
            return K_OK
        }
        return sleep(
            bound.caller?.takeUnretainedValue() ?? actor, call, abortable: bound.isAbortable, deadline: nil)
    }

    /// False if it does not wait any more.
    public func giveTurn(_ code: Int32) -> Bool { complete(code) }
}

extension Thread {
    /// The memory of the body of the message that the thread handles, if that was moved.
    public var movedBody: MessageBody? { frame?.pointee.moved?.takeUnretainedValue() }
}

/// A handler in a user actor that goes on although its client has left.
public protocol LeftHandler: AnyObject, Sendable {
    /// Does for the handler what the client did, until it returns.
    func finish()
}

extension Site {
    /// The calling thread leaves the handler that it is in; a thread of the nucleus takes its place. `aborted`: the next
    /// abortable wait of the handler ends.
    public func takeOver(_ left: any LeftHandler, from thread: Thread, aborted: Bool) {
        handlerWorkers.submit(Replacement(left, thread.frame?.pointee, aborted: aborted), kernel)
    }
}

/// In the place of the client: inside the same gate, with the same message.
private final class Replacement: WorkItem {
    private let left: any LeftHandler
    private let gate: Gate?
    private let head: KnMsgHead?
    /// It may still be looked at, and taken.
    private let moved: MessageBody?
    private let aborted: Bool

    init(_ left: any LeftHandler, _ frame: HandlerFrame?, aborted: Bool) {
        self.left = left
        self.aborted = aborted
        gate = frame?.gate.takeUnretainedValue()
        head = frame?.head?.pointee
        moved = frame?.moved?.takeUnretainedValue()
        gate?.hold()
    }

    func run(_ thread: Thread) {
        if aborted { thread.putBackAbort() }
        if let gate {
            if var head {
                let data = moved.map { UnsafeRawPointer($0.address) }
                _ = thread.inside(gate, &head, data: data, moved: moved.map { .passUnretained($0) }) { finish() }
            } else {
                _ = thread.inside(gate, nil) { finish() }
            }
            gate.leave(thread.host)
        } else {
            left.finish()
        }
        _ = thread.takeAborted()
    }

    private func finish() -> Int32 {
        left.finish()
        return K_OK
    }
}
