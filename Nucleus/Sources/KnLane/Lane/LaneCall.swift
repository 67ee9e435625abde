import CChorus
import CLane
import Glibc

/// Who answers the calls that arrive on a lane.
public protocol LaneServer: AnyObject {
    /// The plan of call number `op`, or nil: unknown.
    func plan(_ op: UInt32) -> UnsafeMutablePointer<CallPlan>?
    /// Makes the call. `slots` hold its arguments; buffers are private memory.
    func perform(
        _ lane: Lane, _ op: UInt32, _ target: UInt64, _ plan: UnsafeMutablePointer<CallPlan>,
        _ slots: UnsafeMutablePointer<UInt64>, _ lengths: Lengths
    ) -> Int64
}

extension Lane {
    /// Deepest nesting of calls on one lane; a recursion deeper than this is a fault of the actor.
    static var maximumDepth: UInt32 { 32 }

    /// Calls the other side and serves its calls until the return. A result, or a `K_*` code. When `waiting` ended the
    /// call early, its code, and `isLeft`: the other side is still at it, so the lane must not be called on before
    /// somebody has come back from `finish`.
    public func call(
        _ op: UInt32,
        _ target: UInt64,
        _ plan: UnsafeMutablePointer<CallPlan>,
        _ slots: UnsafeMutablePointer<UInt64>,
        _ server: any LaneServer
    ) -> Int64 {
        if isDead { return Int64(K_EDEADSERVER) }
        guard depth < Lane.maximumDepth else { return Int64(K_ENOMEM) }
        return withUnsafeTemporaryAllocation(of: UInt32.self, capacity: Int(K_SIG_ARGMAX)) { room in
            guard let lengths = room.baseAddress else { return Int64(K_ENOMEM) }
            let size = plan.pointee.writeRequest(slots, lengths, to: outFrame)
            guard size >= 0 else { return Int64(size) }
            depth += 1
            lastCall = lastCall == UInt32.max ? 1 : lastCall + 1
            let call = lastCall
            send(KN_LANE_CALL, op, size, target, call: call)
            switch awaitReturn(of: call, server, bounded: true) {
            case .ended(let code):
                leftCall = call
                return Int64(code)
            case .dead:
                depth -= 1
                return Int64(K_EDEADSERVER)
            case .message(let message):
                depth -= 1
                if message.op == KN_LANE_REFUSED {
                    return Int64(Int32(truncatingIfNeeded: message.target))
                }
                if let result = plan.pointee.readReply(inFrame, Int(message.size), slots, lengths) { return result }
                violation("malformed reply")
                return Int64(K_EDEADSERVER)
            }
        }
    }

    /// The caller of the call that is under way has left.
    public var isLeft: Bool { leftCall != 0 }

    /// In the place of a caller that has left: serves the other side's calls until it comes back. What it says then
    /// reaches nobody.
    public func finish(_ server: any LaneServer) {
        if case .message = awaitReturn(of: leftCall, server, bounded: false) { depth -= 1 }
        leftCall = 0
    }

    /// The return of `call`; never that of another one.
    private func awaitReturn(of call: UInt32, _ server: any LaneServer, bounded: Bool) -> Received {
        while true {
            let received = receive(bounded: bounded)
            guard case .message(let message) = received else { return received }
            if message.kind == KN_LANE_CALL {
                guard serve(message, server) else { return .dead }
                continue
            }
            guard message.kind == KN_LANE_RETURN, message.depth == depth, message.call == call else {
                violation("return out of order")
                return .dead
            }
            return received
        }
    }

    /// Serves calls until the lane ends: the life of an actor host's worker.
    public func run(_ server: any LaneServer) {
        while case .message(let message) = receive() {
            guard message.kind == KN_LANE_CALL else { return violation("return without a call") }
            guard serve(message, server) else { return }
        }
    }

    /// false: the lane is dead.
    private func serve(_ message: KnLaneMsg, _ server: any LaneServer) -> Bool {
        guard message.depth == depth + 1, UInt64(message.size) <= CallPlan.limit else {
            violation("call out of order")
            return false
        }
        depth += 1
        let mark = scratch.used
        let refusal = answer(message, server)
        scratch.release(to: mark)
        if isDead { return false }
        if refusal < 0 {
            send(
                KN_LANE_RETURN, KN_LANE_REFUSED, 0, UInt64(bitPattern: Int64(refusal)), call: message.call)
        }
        depth -= 1
        return true
    }

    /// Copies the frame, makes the call and sends the return; or says why it was not made.
    private func answer(_ message: KnLaneMsg, _ server: any LaneServer) -> Int32 {
        guard message.depth <= Lane.maximumDepth else { return K_ENOMEM }
        guard let plan = server.plan(message.op) else { return K_ENOSYS }
        let size = Int(message.size)
        guard let frame = scratch.take(size) else { return K_ENOMEM }
        memcpy(frame, inFrame, size)
        return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: Int(K_SIG_ARGMAX) * 2) { room in
            guard let slots = room.baseAddress else { return K_ENOMEM }
            return (slots + Int(K_SIG_ARGMAX)).withMemoryRebound(to: UInt32.self, capacity: Int(K_SIG_ARGMAX)) {
                lengths in
                let code = plan.pointee.readRequest(frame, size, &scratch, slots, lengths)
                guard code == K_OK else { return code }
                let result = server.perform(self, message.op, message.target, plan, slots, lengths)
                if !isDead {
                    let replySize = plan.pointee.writeReply(result, slots, lengths, to: outFrame)
                    send(KN_LANE_RETURN, KN_LANE_REPLY, replySize, 0, call: message.call)
                }
                return K_OK
            }
        }
    }
}
