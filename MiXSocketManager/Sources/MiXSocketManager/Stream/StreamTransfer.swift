import CMiXSocket

/// Flags of send(2) and recv(2).
enum Message {
    static let outOfBand: UInt32 = 0x1
    static let peek: UInt32 = 0x2
    static let truncate: UInt32 = 0x20
    static let doNotWait: UInt32 = 0x40
    static let endOfRecord: UInt32 = 0x80
    static let waitAll: UInt32 = 0x100
    static let errorQueue: UInt32 = 0x2000
}

/// A byte that TCP's MSG_OOB sent, and where in the stream it stood (tcp(7)).
struct Urgent {
    var byte: UInt8?
    /// Bytes before the mark that are still to be read.
    var ahead: Int?
}

/// Data of connections.
extension Socket {
    /// Bytes taken; EAGAIN where none could be.
    func sendStream(_ data: UnsafeRawBufferPointer, _ ancillary: Ancillary, _ flags: UInt32) throws(Errno) -> Int {
        if flags & Message.outOfBand != 0 && !isTcp { throw .EOPNOTSUPP }
        let (peer, allowance) = try state.withLock { (state) throws(Errno) -> (Socket?, Int) in
            if state.error != 0 && (isTcp || state.error != Errno.ECONNRESET.number) { try state.takeError() }
            if state.sendShut { throw .EPIPE }
            switch state.phase {
            case .connected(let peer): return (peer, state.options.sendBuffer)
            case .connecting: throw .EAGAIN
            case .disconnected(resets: true):
                // The segment is sent; what comes back is a reset.
                state.phase = .disconnected(resets: false)
                state.error = Errno.EPIPE.number
                return (nil, 0)
            case .disconnected, .closed: throw .EPIPE
            case .idle, .listening: throw isTcp ? .EPIPE : .ENOTCONN
            }
        }
        guard let peer else { return data.count }
        return try peer.change { (state, effects) throws(Errno) -> Int in
            if !isTcp && state.receiveShut { throw .EPIPE }
            if case .closed = state.phase { throw .EPIPE }
            let capacity = isTcp ? allowance + state.options.receiveBuffer : allowance
            let free = capacity - state.queue.count
            if free <= 0 {
                state.blockedAt = capacity
                throw .EAGAIN
            }
            if kind == .sequence {
                if data.count > capacity { throw .EMSGSIZE }
                state.queue.append(message: data, ancillary)
                state.watches.fire(Poll.input, &effects.postings)
                return data.count
            }
            let count = min(free, data.count)
            if count == 0 { return 0 }
            let piece = UnsafeRawBufferPointer(rebasing: data[..<count])
            if flags & Message.outOfBand != 0 && count == data.count {
                state.putUrgent(piece, &effects)
            } else {
                state.queue.append(stream: piece, ancillary)
            }
            state.watches.fire(Poll.input, &effects.postings)
            return count
        }
    }

    struct Received {
        var count = 0
        var ancillary = Ancillary()
        var flags: UInt32 = 0
        /// Not the end.
        var hasMessage = false
    }

    /// EAGAIN where nothing is there; 0 bytes at the end.
    func receiveStream(_ target: UnsafeMutableRawBufferPointer, _ flags: UInt32) throws(Errno) -> Received {
        if flags & Message.outOfBand != 0 { return try receiveUrgent(target, flags) }
        if flags & Message.errorQueue != 0 { throw .EAGAIN }
        let (received, writer) = try state.withLock { (state) throws(Errno) -> (Received, Socket?) in
            if state.queue.isEmpty {
                try state.takeError()
                if state.receiveShut { return (Received(), nil) }
                switch state.phase {
                case .disconnected, .closed: return (Received(), nil)
                case .idle, .listening: throw isTcp ? .ENOTCONN : (kind == .sequence ? .ENOTCONN : .EINVAL)
                case .connecting, .connected: throw .EAGAIN
                }
            }
            var received = Received()
            received.hasMessage = true
            if kind == .sequence {
                state.takeMessage(target, flags, &received)
            } else {
                state.takeBytes(target, flags, &received)
            }
            return (received, flags & Message.peek == 0 ? state.wakesSender : nil)
        }
        writer?.fire(Poll.output)
        return received
    }
}

extension Socket.State {
    /// Bytes of a stream, as many records as belong together.
    fileprivate mutating func takeBytes(
        _ target: UnsafeMutableRawBufferPointer, _ flags: UInt32, _ received: inout Socket.Received
    ) {
        let isPeek = flags & Message.peek != 0
        var room = target.count
        if let ahead = urgent.ahead, ahead > 0 { room = min(room, ahead) }  // a read stops at the mark
        if isPeek {
            let skip = peekOffset > 0 ? min(peekOffset, queue.firstSize) : 0
            received.ancillary = queue.ancillary
            received.count = queue.peek(UnsafeMutableRawBufferPointer(rebasing: target[..<room]), skip: skip)
            if peekOffset >= 0 { peekOffset += received.count }
            return
        }
        var isFirst = true
        while received.count < room, !queue.isEmpty {
            if !isFirst && !queue.continues(after: received.ancillary) { break }
            if isFirst { received.ancillary = queue.ancillary }
            isFirst = false
            let piece = UnsafeMutableRawBufferPointer(rebasing: target[received.count..<room])
            // MSG_TRUNC of TCP throws bytes away (tcp(7)).
            let count = flags & Message.truncate != 0 ? min(piece.count, queue.firstSize) : queue.peek(piece)
            queue.take(count, all: false)
            received.count += count
        }
        if let ahead = urgent.ahead {
            urgent.ahead = ahead > received.count ? ahead - received.count : (ahead == 0 ? nil : 0)
        }
        if peekOffset > 0 { peekOffset = max(0, peekOffset - received.count) }
    }

    /// One message; MSG_TRUNC says that it was longer than the room, or asks for its length.
    mutating func takeMessage(
        _ target: UnsafeMutableRawBufferPointer, _ flags: UInt32, _ received: inout Socket.Received
    ) {
        let size = queue.firstSize
        let skip = flags & Message.peek != 0 && peekOffset > 0 ? min(peekOffset, size) : 0
        received.ancillary = queue.ancillary
        let count = queue.peek(target, skip: skip)
        if size - skip > target.count { received.flags |= Message.truncate }
        received.count = flags & Message.truncate != 0 ? size - skip : count
        if flags & Message.peek == 0 {
            queue.take(size, all: true)
        } else if peekOffset >= 0 {
            peekOffset += count
        }
    }

    /// Who waits for room, where there is enough again to be worth waking for: half of what may be queued.
    var wakesSender: Socket? {
        mutating get {
            guard blockedAt > 0, queue.count * 2 <= blockedAt, case .connected(let peer) = phase else { return nil }
            blockedAt = 0
            return peer
        }
    }
}
