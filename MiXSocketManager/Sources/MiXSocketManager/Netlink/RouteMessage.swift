/// Puts a message of rtnetlink(7) together: header, body, attributes.
struct RouteMessage {
    static let headerSize = 16
    private var bytes: [UInt8] = []
    private let type: UInt16
    private let flags: UInt16
    private let sequence: UInt32
    private let port: UInt32

    init(_ type: UInt16, flags: UInt16, sequence: UInt32, port: UInt32, body: [UInt8]) {
        (self.type, self.flags, self.sequence, self.port) = (type, flags, sequence, port)
        bytes = body
    }

    mutating func add(_ attribute: UInt16, _ data: [UInt8]) {
        bytes += little(UInt16(4 + data.count)) + little(attribute) + data
        bytes += [UInt8](repeating: 0, count: (4 - data.count % 4) % 4)
    }

    var encoded: [UInt8] {
        little(UInt32(Self.headerSize + bytes.count)) + little(type) + little(flags) + little(sequence) + little(port)
            + bytes
    }
}
