import ActorKit
import CChorus
import CMiXFile

/// Asks whoever knows the processes (mix/mixProcInfo.h). No lock of this server is held here.
final class ProcessClient: Sendable {
    let nucleus: Nucleus
    static let room = 65536

    init(nucleus: Nucleus) { self.nucleus = nucleus }

    /// The group all processes' servers are in: a fresh look each time, a restarted nucleus object keeps its stamp.
    var group: KnUniqueId {
        var ui = KnUniqueId()
        _ = nucleus.grpName(K_STAMP_PROCESS, &ui)
        return ui
    }

    /// One call, of the group of processes unless another is named. `body` gets the reply's data.
    @discardableResult
    func call(
        _ op: UInt32, _ caller: Caller, to server: KnUniqueId? = nil, pid: Int32, tid: Int32 = 0, what: UInt64 = 0,
        fd: UInt64 = 0,
        offset: UInt64 = 0,
        input: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0), capacity: Int = 0,
        _ body: (UnsafeRawBufferPointer) -> Void = { _ in }
    ) throws(Errno) -> MixObjReply {
        var request = MixObjRequest()
        request.op = op
        request.cred = caller.cred.pointee
        request.arg.0 = UInt64(bitPattern: Int64(pid))
        request.arg.1 = UInt64(bitPattern: Int64(tid))
        request.arg.2 = what
        request.arg.3 = fd
        request.offset = offset
        request.size = UInt64(capacity)
        var destination = KnIpcDest(target: server ?? group, coTarget: KnUniqueId())
        if destination.target.uiHead == 0, destination.target.uiTail == 0 { throw .ESRCH }
        var reply = MixObjReply()
        var code: Int32 = K_EUNKNOWN
        withUnsafeTemporaryAllocation(byteCount: 2 * Int(K_CMSGANNEXSIZE) + capacity, alignment: 16) { memory in
            guard let base = memory.baseAddress else { return }
            base.initializeMemory(as: UInt8.self, repeating: 0, count: 2 * Int(K_CMSGANNEXSIZE))
            base.storeBytes(of: request, as: MixObjRequest.self)
            let answer = base + Int(K_CMSGANNEXSIZE)
            let data = answer + Int(K_CMSGANNEXSIZE)
            var size = UInt32(capacity)
            code = nucleus.ipcCall(
                K_DEFAULTPORT, &destination, K_FUNCMODE, base, input.baseAddress, UInt32(input.count), answer, data,
                &size, 0, 5000)
            if code == K_OK {
                reply = answer.load(as: MixObjReply.self)
                body(UnsafeRawBufferPointer(start: data, count: min(Int(size), capacity)))
            }
        }
        if code < 0 { throw code == K_EUNKNOWN || code == K_EUNREACHABLE ? .ESRCH : .EIO }
        if reply.diag < 0 { throw Errno(Int32(truncatingIfNeeded: -reply.diag)) }
        return reply
    }

    /// A whole text, piece by piece.
    func text(_ caller: Caller, pid: Int32, tid: Int32, what: UInt32, fd: Int32 = 0) throws(Errno) -> [UInt8] {
        var out: [UInt8] = []
        while out.count < 16 << 20 {
            var got = 0
            try call(
                PROC_FILE, caller, pid: pid, tid: tid, what: UInt64(what), fd: UInt64(UInt32(bitPattern: fd)),
                offset: UInt64(out.count), capacity: Self.room
            ) { bytes in
                got = bytes.count
                out.append(contentsOf: bytes)
            }
            if got < Self.room { break }
        }
        return out
    }

    /// A list of numbers.
    func numbers(_ op: UInt32, _ caller: Caller, pid: Int32 = 0) throws(Errno) -> [Int32] {
        var out: [Int32] = []
        try call(op, caller, pid: pid, capacity: 256 * 1024) { bytes in
            out.reserveCapacity(bytes.count / 4)
            for i in 0..<bytes.count / 4 { out.append(bytes.loadUnaligned(fromByteOffset: 4 * i, as: Int32.self)) }
        }
        return out
    }

    func link(_ caller: Caller, pid: Int32, tid: Int32, what: UInt32, fd: Int32) throws(Errno) -> [UInt8] {
        var out: [UInt8] = []
        try call(
            PROC_LINK, caller, pid: pid, tid: tid, what: UInt64(what), fd: UInt64(UInt32(bitPattern: fd)),
            capacity: 4096
        ) { out = Array($0) }
        return out
    }
}
