import ActorKit
import CChorus

/// The entry point of the server object.
@c(kn_actor_main)
public func processManagerMain(
    _ nucleus: UnsafePointer<KnNucleus>?, _ args: UnsafePointer<KnActorArgs>?, _ ops: UnsafeMutablePointer<KnActorOps>?
) -> Int32 {
    guard let nucleus, let ops else { return K_EINVAL }
    let manager = ProcessManager(Nucleus(nucleus))
    let code = manager.connect()
    guard code >= 0 else { return code }
    ops.pointee.instance = Unmanaged.passRetained(manager).toOpaque()
    return K_OK
}
