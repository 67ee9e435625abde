import ActorKit
import CChorus
import CMiXDriver
import CMiXFile
import Glibc

/// Calls of the drivers' home. They may block while a device works: never under a lock.
extension DeviceManager {
    struct DriverAnswer {
        var diag: Int64
        var reply: MixObjReply
        var size: Int
    }

    func driverCall(
        _ op: UInt32, _ device: AttachedDevice, flags: UInt32 = 0, offset: UInt64 = 0, size: UInt64 = 0,
        arg: (UInt64, UInt64) = (0, 0), body: UnsafeRawBufferPointer = .init(start: nil, count: 0),
        room: UnsafeMutableRawBufferPointer = .init(start: nil, count: 0)
    ) -> DriverAnswer {
        let none = DriverAnswer(diag: failure(ENXIO), reply: MixObjReply(), size: 0)
        let port = connection.withLock { $0.port }
        var target = KnUniqueId()
        guard port > 0, nucleus.grpName(K_STAMP_DRIVER, &target) >= 0 else { return none }
        var destination = KnIpcDest(target: target, coTarget: KnUniqueId())
        var annex = Annex<MixObjRequest>(MixObjRequest())
        annex.value.op = op
        annex.value.flags = flags
        annex.value.offset = offset
        annex.value.size = size
        annex.value.arg = (device.handle, arg.0, arg.1, 0)
        var reply = Annex<MixObjReply>(MixObjReply())
        var got = UInt32(clamping: room.count)
        let result = annex.withBytes { bytes in
            reply.withMutableBytes { replyBytes in
                nucleus.ipcCall(
                    port, &destination, K_FUNCMODE, bytes, body.baseAddress, UInt32(body.count), replyBytes,
                    room.baseAddress, &got, 0, 60_000)
            }
        }
        guard result >= 0 else { return none }
        return DriverAnswer(diag: reply.value.diag, reply: reply.value, size: min(Int(got), room.count))
    }
}
