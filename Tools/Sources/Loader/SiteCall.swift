import CChorus
import CMiXFile

/// One request of mix/mixObject.h to a server's group, from the loader's actor.
extension Site {
    public struct Answer: Sendable {
        public var reply: MixObjReply
        public var body: [UInt8]
    }

    /// `room`: bytes that the reply's body may have. Throws what the nucleus says; servers' errors are in `reply.diag`.
    public func call(
        _ stamp: UInt32, _ request: MixObjRequest, body: [UInt8] = [], room: Int = 0, delay: Int32 = 10_000
    ) throws(LoadError) -> Answer {
        let nucleus = table.pointee
        var dest = KnIpcDest()
        var result = nucleus.grpName?(nucleus.`self`, stamp, &dest.target) ?? K_ENOSYS
        if result < 0 { throw LoadError("no group of stamp 0x\(String(stamp, radix: 16)): \(nucleusCode(result))") }
        var reply = MixObjReply()
        var size = UInt32(room)
        var answer = [UInt8](repeating: 0, count: max(1, room))
        result = withAnnex { annexIn in
            withAnnex { annexOut in
                annexIn.storeBytes(of: request, as: MixObjRequest.self)
                let code =
                    nucleus.ipcCall?(
                        nucleus.`self`, K_DEFAULTPORT, &dest, K_FUNCMODE, annexIn.baseAddress, body, UInt32(body.count),
                        annexOut.baseAddress, &answer, &size, 0, delay) ?? K_ENOSYS
                reply = annexOut.loadUnaligned(as: MixObjReply.self)
                return code
            }
        }
        if result < 0 { throw LoadError("request \(request.op) failed: \(nucleusCode(result))") }
        return Answer(reply: reply, body: Array(answer.prefix(Int(size))))
    }

    /// Same as a message without an answer.
    public func send(_ stamp: UInt32, _ request: MixObjRequest) {
        let nucleus = table.pointee
        var dest = KnIpcDest()
        guard nucleus.grpName?(nucleus.`self`, stamp, &dest.target) ?? K_ENOSYS >= 0 else { return }
        withAnnex { annex in
            annex.storeBytes(of: request, as: MixObjRequest.self)
            _ = nucleus.ipcSend?(nucleus.`self`, K_DEFAULTPORT, &dest, K_FUNCMODE, annex.baseAddress, nil, 0)
        }
    }

    private func withAnnex<Result>(_ body: (UnsafeMutableRawBufferPointer) -> Result) -> Result {
        withUnsafeTemporaryAllocation(byteCount: Int(K_CMSGANNEXSIZE), alignment: 16) { annex in
            _ = annex.initializeMemory(as: UInt8.self, repeating: 0)
            return body(annex)
        }
    }
}
