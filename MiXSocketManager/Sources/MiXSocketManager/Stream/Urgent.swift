/// MSG_OOB of TCP: one byte beside the stream, and the mark where it stood (tcp(7), RFC 6093).
extension Socket.State {
    mutating func putUrgent(_ data: UnsafeRawBufferPointer, _ effects: inout Effects) {
        guard let last = data.last else { return }
        queue.append(stream: UnsafeRawBufferPointer(rebasing: data.dropLast()), Ancillary())
        urgent.ahead = queue.count
        if options.flag(.urgentInline) {
            queue.append(stream: UnsafeRawBufferPointer(rebasing: data.suffix(1)), Ancillary())
        } else {
            urgent.byte = last
        }
        watches.fire(Poll.priority, &effects.postings)
    }
}

extension Socket {
    /// EINVAL: there is none, or it is in the stream (SO_OOBINLINE).
    func receiveUrgent(_ target: UnsafeMutableRawBufferPointer, _ flags: UInt32) throws(Errno) -> Received {
        guard isTcp else { throw .EOPNOTSUPP }
        return try state.withLock { (state) throws(Errno) -> Received in
            guard let byte = state.urgent.byte, !state.options.flag(.urgentInline) else { throw .EINVAL }
            if flags & Message.peek == 0 { state.urgent.byte = nil }
            var received = Received()
            received.flags = Message.outOfBand
            if !target.isEmpty {
                target[0] = byte
                received.count = 1
            }
            return received
        }
    }
}
