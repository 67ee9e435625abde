import CMiXFile

/// One request on its way through the server. Pointers are valid during the call only.
struct Request {
    let head: UnsafePointer<MixObjRequest>
    let caller: Caller
    let body: UnsafeRawBufferPointer
    /// Where the reply's data goes.
    let room: UnsafeMutableRawBufferPointer

    var op: UInt32 { head.pointee.op }
    var flags: UInt32 { head.pointee.flags }
    var key: MixKey { head.pointee.key }
    var offset: UInt64 { head.pointee.offset }
    var size: UInt64 { head.pointee.size }
    var owner: UInt64 { head.pointee.owner }
    var arg0: UInt64 { head.pointee.arg.0 }
    var arg1: UInt64 { head.pointee.arg.1 }
    var arg2: UInt64 { head.pointee.arg.2 }
    var arg3: UInt64 { head.pointee.arg.3 }
    /// The process's root of most requests on names.
    var rootKey: MixKey { MixKey(object: arg0, tag: arg1) }

    /// The string at `index` of NUL-terminated strings lying one behind the other in the body.
    func string(_ index: Int = 0) throws(Errno) -> UnsafeRawBufferPointer {
        var from = 0
        var left = index
        var i = 0
        while i < body.count {
            if body[i] == 0 {
                if left == 0 { return UnsafeRawBufferPointer(rebasing: body[from..<i]) }
                left -= 1
                from = i + 1
            }
            i += 1
        }
        throw .EINVAL
    }

    /// Bytes behind the first `strings` strings.
    func rest(behind strings: Int) -> UnsafeRawBufferPointer {
        var left = strings
        for i in 0..<body.count where body[i] == 0 {
            left -= 1
            if left == 0 { return UnsafeRawBufferPointer(rebasing: body[(i + 1)...]) }
        }
        return UnsafeRawBufferPointer(rebasing: body[body.count...])
    }
}

/// The reply being made: annex and count of body bytes.
struct Reply {
    var annex = MixObjReply()
    var bodySize = 0

    mutating func put(_ bytes: UnsafeRawBufferPointer, _ request: Request) throws(Errno) {
        if bytes.count > request.room.count { throw .ERANGE }
        request.room.copyMemory(from: bytes)
        bodySize = bytes.count
    }

    mutating func put<T>(struct value: T, _ request: Request) throws(Errno) {
        if MemoryLayout<T>.size > request.room.count { throw .ERANGE }
        request.room.storeBytes(of: value, as: T.self)
        bodySize = MemoryLayout<T>.size
    }
}
