import CMiXDevice
import CMiXFile
import Glibc

/// One request being served: what came, and where the answer goes.
struct Exchange {
    let request: UnsafePointer<MixObjRequest>
    let body: UnsafeRawBufferPointer
    let reply: UnsafeMutablePointer<MixObjReply>
    let room: UnsafeMutableRawBufferPointer
    var replied = 0  // bytes put into `room`

    var op: UInt32 { request.pointee.op }
    var owner: UInt64 { request.pointee.owner }
    var nonblocking: Bool { request.pointee.flags & UInt32(O_NONBLOCK) != 0 }

    /// Where a read puts its bytes: what the client wants, within what the reply may carry.
    var target: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(
            start: room.baseAddress, count: Int(min(request.pointee.size, UInt64(room.count))))
    }

    /// A struct for the reply's body. 0 or -EFAULT where it does not fit.
    mutating func put<T: BitwiseCopyable>(_ value: T) -> Int64 {
        let size = MemoryLayout<T>.size
        guard room.count >= size else { return failure(EFAULT) }
        room.storeBytes(of: value, as: T.self)
        replied = size
        return 0
    }

    mutating func put(_ text: String) -> Int64 {
        var text = text
        return text.withUTF8 { bytes in
            guard bytes.count <= room.count else { return failure(ERANGE) }
            room.copyMemory(from: UnsafeRawBufferPointer(bytes))
            replied = bytes.count
            return Int64(bytes.count)
        }
    }

    /// The struct in the request's body, or nil where it is too short.
    func get<T: BitwiseCopyable>(_ type: T.Type) -> T? {
        body.count >= MemoryLayout<T>.size ? body.loadUnaligned(as: type) : nil
    }
}

/// -errno as `diag` carries it.
@inline(__always) func failure(_ code: Int32) -> Int64 { -Int64(code) }

/// -ERESTARTSYS: the Process Manager delivers the signal and asks again.
let restartAfterSignal: Int64 = -512

func monotonicNow() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) &* 1_000_000_000 &+ UInt64(now.tv_nsec)
}
