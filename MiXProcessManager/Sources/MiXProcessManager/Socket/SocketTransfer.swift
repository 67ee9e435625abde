import CMiXFile
import CMiXSocket
import Synchronization

/// What a receiving call is told besides its data.
struct ReceivedMessage {
    var parts: SocketMessage.Parts
    var flags: UInt32
    var credentials: (pid: Int32, uid: UInt32, gid: UInt32)?
}

/// Sending and receiving, with the waiting that belongs to them.
extension SocketFile {
    private func mayWait(_ flags: UInt32) -> Bool { !isNonBlocking && flags & MessageFlags.doNotWait == 0 }

    /// nil: ask again at once. A call with a time limit is not restarted behind a signal handler (signal(7)).
    private func wait(
        _ call: Call, _ mask: UInt32, limit: borrowing Atomic<UInt64>, _ armed: inout Bool, _ reason: StaticString
    ) throws(Errno) -> Outcome? {
        let nanoseconds = limit.load(ordering: .relaxed)
        if call.timedOut { throw .EAGAIN }
        let deadline = nanoseconds == 0 ? nil : call.deadline(after: nanoseconds)
        let parked = Outcome.park(
            Wait(on: [source.queue], until: deadline, restart: nanoseconds == 0 ? .restart : .interrupt, for: reason))
        if call.interrupted { return parked }
        if !armed { call.enlist(on: source.queue) }
        let now = try arm(mask)
        let isWorthIt = now & mask != 0 || now & PollBits.unasked != 0 && !armed
        armed = true
        return isWorthIt && !call.task.attention.load(ordering: .sequentiallyConsistent) ? nil : parked
    }

    /// send(2) and its kin. A stream's bytes go in pieces; a message whole or not at all.
    func send(_ call: Call, _ message: SocketMessage, _ ranges: UserRanges, flags: UInt32) throws(Errno) -> Outcome {
        let progress = call.kept as? Progress ?? Progress()
        if !isStream && ranges.total > Int(SOCK_DATA_MAX) { throw .EMSGSIZE }
        var armed = false
        repeat {
            do throws(Errno) {
                let size = min(ranges.total - progress.moved, Int(SOCK_DATA_MAX))
                progress.moved += try sendPiece(
                    call, progress.moved == 0 ? message : SocketMessage(), ranges, from: progress.moved, size: size,
                    flags)
            } catch {
                if progress.moved > 0 && (error != .EAGAIN || !mayWait(flags) || call.interrupted || call.timedOut) {
                    return .done(Int64(progress.moved))
                }
                if error == .EPIPE && flags & MessageFlags.noSignal == 0 && type != SocketFile.datagram {
                    call.raise(Signal.pipe)
                }
                guard error == .EAGAIN, mayWait(flags) else { throw error }
                if progress.moved > 0 { call.kept = progress }
                if let outcome = try wait(call, PollBits.output, limit: sendLimit, &armed, "sock_alloc_send_pskb") {
                    return outcome
                }
                continue
            }
        } while isStream && progress.moved < ranges.total
        return .done(Int64(progress.moved))
    }

    private func sendPiece(
        _ call: Call, _ message: SocketMessage, _ ranges: UserRanges, from skip: Int, size: Int, _ flags: UInt32
    ) throws(Errno) -> Int {
        var request = request(UInt32(SOCK_SEND), call.process.mixCred())
        request.flags = flags
        message.prepare(&request)
        let front = message.frontSize
        let attempt = withUnsafeTemporaryAllocation(byteCount: max(front + size, 1), alignment: 16) { buffer in
            Result { () throws(Errno) -> Int in
                let body = UnsafeMutableRawBufferPointer(rebasing: buffer[..<(front + size)])
                message.putFront(body)
                try call.gather(ranges, from: skip, into: UnsafeMutableRawBufferPointer(rebasing: body[front...]))
                let taken = try ask(request, body: UnsafeRawBufferPointer(body)).0.diag
                return Int(max(0, min(taken, Int64(size))))
            }
        }
        return try attempt.get()
    }

    /// recv(2) and its kin: data goes to `ranges`, the rest to `tell`.
    func receive(
        _ call: Call, _ ranges: UserRanges, flags: UInt32, tell: (ReceivedMessage) throws(Errno) -> Void
    ) throws(Errno) -> Outcome {
        let wantsAll = flags & MessageFlags.waitAll != 0 && isStream && flags & MessageFlags.peek == 0
        let progress = call.kept as? Progress ?? Progress()
        var armed = false
        while true {
            do throws(Errno) {
                let (count, message) = try receivePiece(call, ranges, from: progress.moved, flags)
                let isFirst = progress.moved == 0
                progress.moved += count
                if isFirst || !message.parts.rights.isEmpty { try tell(message) }
                if wantsAll && count > 0 && progress.moved < ranges.total && message.parts.rights.isEmpty { continue }
                return .done(Int64(progress.moved))
            } catch {
                if progress.moved > 0 && (error != .EAGAIN || !mayWait(flags) || call.interrupted || call.timedOut) {
                    return .done(Int64(progress.moved))
                }
                guard error == .EAGAIN, mayWait(flags) else { throw error }
                if progress.moved > 0 { call.kept = progress }
                let mask = flags & MessageFlags.outOfBand != 0 ? PollBits.priority : PollBits.input
                if let outcome = try wait(call, mask, limit: receiveLimit, &armed, "skb_wait_for_more_packets") {
                    return outcome
                }
            }
        }
    }

    private func receivePiece(
        _ call: Call, _ ranges: UserRanges, from skip: Int, _ flags: UInt32
    ) throws(Errno) -> (Int, ReceivedMessage) {
        var request = request(UInt32(SOCK_RECV), call.process.mixCred())
        request.flags = flags & ~MessageFlags.closeOnExec
        let wanted = min(ranges.total - skip, Int(SOCK_DATA_MAX))
        request.size = UInt64(wanted)
        let room = wanted + SocketMessage.mostInFront
        let attempt = withUnsafeTemporaryAllocation(byteCount: room, alignment: 16) { buffer in
            Result { () throws(Errno) -> (Int, ReceivedMessage) in
                let (reply, size) = try ask(request, reply: UnsafeMutableRawBufferPointer(rebasing: buffer[..<room]))
                // What stands in front of the data is little: only that is taken apart as an array.
                let raw = reply.value.0
                let front = Int(raw & 0xffff) + Int(raw >> 16 & 0xffff) * 16 + Int(raw >> 32 & 0xffff)
                guard front <= size, let parts = SocketMessage.split(reply, [UInt8](buffer[..<front])) else {
                    throw .EIO
                }
                let data = UnsafeRawBufferPointer(rebasing: buffer[front..<min(size, front + wanted)])
                do throws(Errno) { try call.scatter(data, to: ranges, from: skip) } catch {
                    if flags & MessageFlags.peek == 0 { manager.rights.drop(parts.rights.map(\.token)) }
                    throw error
                }
                let has = reply.value.3 >> 32 & UInt64(SOCK_CREDENTIALS) != 0
                let (low, high) = (
                    UInt32(truncatingIfNeeded: reply.value.2), UInt32(truncatingIfNeeded: reply.value.2 >> 32)
                )
                let message = ReceivedMessage(
                    parts: parts, flags: UInt32(truncatingIfNeeded: reply.value.1),
                    credentials: has ? (Int32(bitPattern: low), high, UInt32(truncatingIfNeeded: reply.value.3)) : nil)
                return (Int(reply.diag), message)
            }
        }
        return try attempt.get()
    }

    /// connect(2) and accept(2) wait in the same way.
    func waitFor(_ call: Call, _ mask: UInt32, _ armed: inout Bool, _ reason: StaticString) throws(Errno) -> Outcome? {
        mask == PollBits.output
            ? try wait(call, mask, limit: sendLimit, &armed, reason)
            : try wait(call, mask, limit: receiveLimit, &armed, reason)
    }
}
