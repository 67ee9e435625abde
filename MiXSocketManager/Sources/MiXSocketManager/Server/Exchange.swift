import CMiXFile
import CMiXSocket

/// One request being served: what came, and where the answer goes.
struct Exchange {
    let request: MixObjRequest
    let body: UnsafeRawBufferPointer
    let room: UnsafeMutableRawBufferPointer
    var reply = MixObjReply()
    var replied = 0  // bytes put into `room`

    var isNonBlocking: Bool { request.flags & UInt32(SOCK_NOWAIT) != 0 }

    mutating func put(_ bytes: UnsafeRawBufferPointer) throws(Errno) {
        guard bytes.count <= room.count - replied else { throw .EFAULT }
        UnsafeMutableRawBufferPointer(rebasing: room[replied...]).copyMemory(from: bytes)
        replied += bytes.count
    }

    mutating func put(_ bytes: [UInt8]) throws(Errno) {
        guard bytes.count <= room.count - replied else { throw .EFAULT }
        UnsafeMutableRawBufferPointer(rebasing: room[replied...]).copyBytes(from: bytes)
        replied += bytes.count
    }

    mutating func put<Value: BitwiseCopyable>(value: Value) throws(Errno) {
        guard MemoryLayout<Value>.size <= room.count - replied else { throw .EFAULT }
        room.storeBytes(of: value, toByteOffset: replied, as: Value.self)
        replied += MemoryLayout<Value>.size
    }
}
