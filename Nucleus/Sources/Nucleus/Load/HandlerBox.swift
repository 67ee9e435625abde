import CChorus
import CLane
import KnLane
import NucleusCore

/// A handler of a user actor as the nucleus connects it: a compiled entry point of the handler's kind, whose cookie is
/// this box with what to call where. So the nucleus treats all handlers alike and never knows the privilege.
final class HandlerBox: @unchecked Sendable {  // Sendable: constants.
    struct Name: Hashable {
        let kind: UInt32
        let function: UInt64
        let cookie: UInt64
    }

    unowned let host: UserActor
    let name: Name

    init(_ host: UserActor, _ name: Name) { (self.host, self.name) = (host, name) }

    /// The entry point of handler kind `kind`, as the number that goes into a slot; 0: there is no such kind.
    static func entry(_ kind: UInt32) -> UInt64 {
        switch kind {
        case K_HDL_TRAP: UInt64(UInt(bitPattern: unsafeBitCast(trapEntry, to: Int.self)))
        case K_HDL_EXCEPTION: UInt64(UInt(bitPattern: unsafeBitCast(exceptionEntry, to: Int.self)))
        case K_HDL_ABORT: UInt64(UInt(bitPattern: unsafeBitCast(abortEntry, to: Int.self)))
        case K_HDL_MESSAGE: UInt64(UInt(bitPattern: unsafeBitCast(messageEntry, to: Int.self)))
        case K_HDL_EVENT: UInt64(UInt(bitPattern: unsafeBitCast(eventEntry, to: Int.self)))
        case K_HDL_THREAD: UInt64(UInt(bitPattern: unsafeBitCast(threadEntry, to: Int.self)))
        case K_HDL_INTERRUPT: UInt64(UInt(bitPattern: unsafeBitCast(interruptEntry, to: Int.self)))
        case K_HDL_FAULT: UInt64(UInt(bitPattern: unsafeBitCast(faultEntry, to: Int.self)))
        default: 0
        }
    }

    /// Where in the actor's arena `body` is, if it is.
    fileprivate static func place(of body: UnsafeRawPointer?, for box: UnsafeMutableRawPointer?) -> UInt64? {
        guard let box else { return nil }
        return Unmanaged<HandlerBox>.fromOpaque(box)._withUnsafeGuaranteedRef { box in
            let actor = box.host.actor
            guard let moved = Thread.current(actor.site)?.movedBody, moved.arena === actor.arena,
                UnsafeRawPointer(moved.address) == body
            else { return nil }
            return moved.name
        }
    }

    /// Calls the handler in its host with the slots that `fill` adds behind the cookie.
    @inline(__always)
    fileprivate static func run(
        _ box: UnsafeMutableRawPointer?,
        _ group: UInt32 = KN_LANE_HANDLER,
        _ fill: (UnsafeMutablePointer<UInt64>) -> Void
    ) -> Int32 {
        guard let box else { return K_EINVAL }
        return Unmanaged<HandlerBox>.fromOpaque(box)._withUnsafeGuaranteedRef { box in
            withUnsafeTemporaryAllocation(of: UInt64.self, capacity: Int(K_SIG_ARGMAX)) { room in
                guard let slots = room.baseAddress else { return K_ENOMEM }
                slots[0] = box.name.cookie
                fill(slots)
                return Int32(
                    truncatingIfNeeded: box.host.downcall(group | box.name.kind, box.name.function, slots))
            }
        }
    }
}

@inline(__always) private func slot(_ pointer: UnsafeRawPointer?) -> UInt64 { UInt64(UInt(bitPattern: pointer)) }

private let trapEntry: KnTrapHdl = { box, frame in HandlerBox.run(box) { $0[1] = slot(frame) } }

private let exceptionEntry: KnExcHdl = { box, frame in HandlerBox.run(box) { $0[1] = slot(frame) } }

private let abortEntry: KnAbortHdl = { box, thread, cookie in
    HandlerBox.run(box) {
        $0[1] = UInt64(UInt32(bitPattern: thread))
        $0[2] = cookie
    }
}

private let messageEntry: KnMsgHdl = { box, head, annex, body, size, replyAnnex, replyBody, replySize in
    // A body that was moved is in the actor's arena already.
    let place = size > 0 ? HandlerBox.place(of: body, for: box) : nil
    return HandlerBox.run(box, place == nil ? KN_LANE_HANDLER : KN_LANE_MOVED) {
        $0[1] = slot(head)
        $0[2] = slot(annex)
        $0[3] = place ?? slot(body)
        $0[4] = UInt64(size)
        $0[5] = slot(replyAnnex)
        $0[6] = slot(replyBody)
        $0[7] = slot(replySize)
    }
}

private let eventEntry: KnEvtHdl = { box, bits in HandlerBox.run(box) { $0[1] = UInt64(bits) } }

private let threadEntry: KnThreadHdl = { box in _ = HandlerBox.run(box) { _ in } }

private let interruptEntry: KnIntrHdl = { box, line in HandlerBox.run(box) { $0[1] = UInt64(line) } }

private let faultEntry: KnActorExcHdl = { box, exception in HandlerBox.run(box) { $0[1] = slot(exception) } }
