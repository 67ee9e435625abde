/// Control messages that options have asked for (socket(7), ip(7), ipv6(7)).
extension Socket {
    /// struct cmsghdr records.
    func controlRecords(_ ancillary: Ancillary) -> [UInt8] {
        guard isDatagram, family.isInet else { return [] }
        let options = state.withLock { $0.options }
        var records: [UInt8] = []
        func add(_ level: Int32, _ type: Int32, _ data: [UInt8]) {
            records += little(UInt64(16 + data.count)) + little(level) + little(type) + data
            records += [UInt8](repeating: 0, count: (8 - data.count % 8) % 8)
        }
        if ancillary.time != 0 && options.wantsTime {
            let (seconds, rest) = (ancillary.time / 1_000_000_000, ancillary.time % 1_000_000_000)
            if options.flag(.timestampNanoseconds) {
                add(1, 35, little(seconds) + little(rest))
            } else {
                add(1, 29, little(seconds) + little(rest / 1000))
            }
        }
        guard let packet = ancillary.packet else { return records }
        let host = packet.destination.host
        if host.isV4 {
            if options.flag(.packetInfo) { add(0, 8, little(UInt32(1)) + big(host.v4) + big(host.v4)) }
            if options.flag(.receiveHops) { add(0, 2, little(packet.hops)) }
            if options.flag(.receiveService) { add(0, 1, [UInt8(truncatingIfNeeded: packet.service)]) }
        }
        if options.flag(.receivePacketInfo6) { add(41, 50, host.mapped + little(UInt32(1))) }
        if options.flag(.receiveHops6) { add(41, 52, little(packet.hops)) }
        if options.flag(.receiveService6) { add(41, 67, little(packet.service)) }
        return records
    }
}
