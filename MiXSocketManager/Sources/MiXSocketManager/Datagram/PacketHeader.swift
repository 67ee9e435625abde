/// What a packet's header says besides addresses: hops it may take, and its class of service.
struct PacketHeader {
    var hops: Int32?
    var service: Int32?

    init() {}

    /// From control messages of sendmsg(2) (ip(7), ipv6(7)). EINVAL: one that is not known, or out of range.
    init(_ control: UnsafeRawBufferPointer) throws(Errno) {
        var at = 0
        while control.count - at >= 16 {
            let size = control.loadUnaligned(fromByteOffset: at, as: UInt64.self)
            guard size >= 16, size <= UInt64(control.count - at) else { throw .EINVAL }
            let level = control.loadUnaligned(fromByteOffset: at + 8, as: Int32.self)
            let type = control.loadUnaligned(fromByteOffset: at + 12, as: Int32.self)
            let data = UnsafeRawBufferPointer(rebasing: control[(at + 16)..<(at + Int(size))])
            switch (level, type) {
            case (0, 2), (41, 52): hops = try Self.number(data, 1...255)
            case (0, 1), (41, 67): service = try Self.number(data, 0...255)
            case (0, 8), (41, 50): break  // the source's interface: there is one
            default: throw .EINVAL
            }
            at += (Int(size) + 7) / 8 * 8
        }
    }

    /// -1 stands for what the socket has.
    private static func number(_ data: UnsafeRawBufferPointer, _ range: ClosedRange<Int32>) throws(Errno) -> Int32? {
        let value: Int32
        if data.count >= 4 {
            value = data.loadUnaligned(as: Int32.self)
        } else if data.count == 1 {
            value = Int32(data[0])
        } else {
            throw .EINVAL
        }
        if value == -1 { return nil }
        guard range.contains(value) else { throw .EINVAL }
        return value
    }
}
