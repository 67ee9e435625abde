import ActorKit
import CChorus
import CMiXSocketNote

/// The one symbol of the object: makes an instance and connects it (knActor.h).
@c(kn_actor_main)
public func socketManagerMain(
    _ nucleus: UnsafePointer<KnNucleus>?, _ args: UnsafePointer<KnActorArgs>?, _ ops: UnsafeMutablePointer<KnActorOps>?
) -> Int32 {
    guard let nucleus, let args, let ops else { return K_EINVAL }
    let stamp = args.pointee.groupStamp
    let manager = SocketManager(nucleus: Nucleus(nucleus))
    let result = manager.connect(stamp: stamp == 0 ? K_STAMP_SOCKET : stamp)
    guard result == K_OK else { return result }
    ops.pointee.instance = Unmanaged.passRetained(manager).toOpaque()
    ops.pointee.shutdown = { instance in
        guard let instance else { return K_EINVAL }
        let manager = Unmanaged<SocketManager>.fromOpaque(instance).takeRetainedValue()
        manager.disconnect()
        return K_OK
    }
    ops.pointee.heartbeat = { _ in K_OK }
    return K_OK
}
