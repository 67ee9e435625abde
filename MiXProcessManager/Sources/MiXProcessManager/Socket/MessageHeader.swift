/// struct msghdr of a program.
struct MessageHeader {
    let nameAddress: UInt64
    let nameSize: UInt32
    let ranges: UserRanges
    let controlAddress: UInt64
    let controlSize: Int

    private struct Layout: BitwiseCopyable {
        var name: UInt64
        var nameSize: UInt32
        var pad: UInt32
        var vectors: UInt64
        var vectorCount: UInt64
        var control: UInt64
        var controlSize: UInt64
        var flags: UInt32
        var pad2: UInt32
    }

    init(_ call: Call, at address: UInt64) throws(Errno) {
        let raw = try call.readStruct(Layout.self, at: address)
        guard raw.vectorCount <= 1024 else { throw .EMSGSIZE }
        guard raw.nameSize <= UInt32(Int32.max) else { throw .EINVAL }
        nameAddress = raw.name
        nameSize = raw.name == 0 ? 0 : min(raw.nameSize, 128)
        ranges = try call.ranges(at: raw.vectors, count: raw.vectorCount)
        controlAddress = raw.control
        controlSize = raw.control == 0 ? 0 : Int(min(raw.controlSize, 1 << 20))
        if raw.control != 0 && raw.controlSize > UInt64(Int32.max) { throw .ENOBUFS }
    }

    func name(_ call: Call) throws(Errno) -> [UInt8] {
        nameAddress == 0 ? [] : try call.copyIn(nameAddress, count: Int(nameSize))
    }
}
