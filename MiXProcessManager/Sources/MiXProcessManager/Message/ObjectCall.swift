import ActorKit
import CChorus
import CMiXFile

/// Requests of `mix/mixObject.h` to other servers.
extension ProcessManager {
    /// Calls the group `server`. A reply with a negative `diag` is thrown; so is a transport error (EIO).
    /// Returns the reply and the bytes that came into `reply`. Never called with a lock held: the server may call back.
    func objectCall(
        _ server: KnUniqueId, _ request: MixObjRequest, body: UnsafeRawBufferPointer? = nil,
        reply: UnsafeMutableRawBufferPointer? = nil
    ) throws(Errno) -> (MixObjReply, Int) {
        var destination = KnIpcDest(target: server, coTarget: KnUniqueId())
        var size = UInt32(reply?.count ?? 0)
        var code: Int32 = 0
        let answer = withUnsafeTemporaryAllocation(byteCount: Int(K_CMSGANNEXSIZE) * 2, alignment: 16) { annex in
            annex.initializeMemory(as: UInt8.self, repeating: 0)
            annex.storeBytes(of: request, as: MixObjRequest.self)
            let back = annex.baseAddress.unsafelyUnwrapped + Int(K_CMSGANNEXSIZE)
            code = nucleus.ipcCall(
                K_DEFAULTPORT, &destination, K_FUNCMODE, annex.baseAddress, body?.baseAddress, UInt32(body?.count ?? 0),
                back, reply?.baseAddress, &size, 0, K_NOTIMEOUT)
            return back.load(as: MixObjReply.self)
        }
        guard code >= 0 else { throw code == K_ENOMEM ? .ENOMEM : .EIO }
        guard answer.diag >= 0 else { throw Errno(reply: answer.diag) }
        return (answer, min(Int(size), reply?.count ?? 0))
    }

    /// The same with arrays: `room` bytes are received at most.
    func objectCall(
        _ server: KnUniqueId, _ request: MixObjRequest, body: [UInt8], room: Int
    ) throws(Errno) -> (MixObjReply, [UInt8]) {
        var result: Result<(MixObjReply, Int), Errno> = .failure(.EIO)
        let bytes = [UInt8](unsafeUninitializedCapacity: max(room, 1)) { buffer, initialized in
            result = body.withUnsafeBytes { source in
                Result { () throws(Errno) in
                    try objectCall(
                        server, request, body: source,
                        reply: UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: room))
                }
            }
            initialized = (try? result.get().1) ?? 0
        }
        return (try result.get().0, bytes)
    }

    var fileServer: KnUniqueId { groups.file }
    var deviceServer: KnUniqueId { groups.device }
}
