import CMiXFile

/// AF_NETLINK: NETLINK_ROUTE (rtnetlink(7)), enough of it to be told the truth about interfaces, addresses and routes, and
/// NETLINK_SOCK_DIAG (sock_diag(7)).
extension Socket {
    static let diagnosis: Int32 = 4

    func bindNetlink(_ bytes: UnsafeRawBufferPointer, _ cred: MixCred) throws(Errno) {
        guard bytes.count >= 12 else { throw .EINVAL }
        if Address.family(of: bytes) != UInt16(Family.netlink.rawValue) { throw .EINVAL }
        let port = bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
        state.withLock { $0.local = .netlink(port: port == 0 ? UInt32(truncatingIfNeeded: inode) : port, groups: 0) }
    }

    /// Only the kernel is there to talk to.
    func connectNetlink(_ bytes: UnsafeRawBufferPointer) throws(Errno) {
        guard bytes.count >= 12 else { throw .EINVAL }
        if bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self) != 0 { throw .ECONNREFUSED }
        nameNetlink()
    }

    private func nameNetlink() {
        state.withLock { state in
            if state.local == .unnamed { state.local = .netlink(port: UInt32(truncatingIfNeeded: inode), groups: 0) }
        }
    }

    /// Requests are answered at once: the answers wait to be received.
    func sendNetlink(_ data: UnsafeRawBufferPointer) throws(Errno) -> Int {
        nameNetlink()
        guard case .netlink(let port, _) = names.local else { throw .EINVAL }
        var at = 0
        while data.count - at >= RouteMessage.headerSize {
            let size = Int(data.loadUnaligned(fromByteOffset: at, as: UInt32.self))
            guard size >= RouteMessage.headerSize, size <= data.count - at else { break }
            let request = UnsafeRawBufferPointer(rebasing: data[at..<at + size])
            let answers =
                transport == Self.diagnosis
                ? DiagRequest(request).answers(manager, port: port) : RouteRequest(request).answers(port: port)
            for answer in answers { deliver(answer) }
            at += (size + 3) / 4 * 4
        }
        return data.count
    }

    private func deliver(_ bytes: [UInt8]) {
        change { state, effects in
            guard state.queue.count + bytes.count <= state.options.receiveBuffer else {
                state.error = Errno.ENOBUFS.number
                return
            }
            var ancillary = Ancillary()
            ancillary.sender = .netlink(port: 0, groups: 0)
            bytes.withUnsafeBytes { state.queue.append(message: $0, ancillary) }
            state.watches.fire(Poll.input, &effects.postings)
        }
    }
}
