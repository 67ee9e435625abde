import ActorKit
import CChorus
import CMiXDriverNote

/// The one symbol of the object: makes an instance and connects it (knActor.h).
@c(kn_actor_main)
public func driverKitMain(
    _ nucleus: UnsafePointer<KnNucleus>?, _ args: UnsafePointer<KnActorArgs>?, _ ops: UnsafeMutablePointer<KnActorOps>?
) -> Int32 {
    guard let nucleus, let args, let ops else { return K_EINVAL }
    let calls = Nucleus(nucleus)
    let server = DriverServer(nucleus: calls)
    let options = args.pointee.options.map { String(cString: $0) } ?? ""
    for line in options.split(separator: "\n") {
        let parts = line.split(separator: "=", maxSplits: 1)
        guard parts.count == 2, parts[0].hasPrefix("device.") else {
            calls.sysLog(0, "drivers: \"\(line)\" is no option of theirs; device.N=NAME MODEL KEY=VALUE ... would do")
            return K_EINVAL
        }
        if case .failure(let problem) = server.addDevice(String(parts[1])) {
            calls.sysLog(0, "drivers: \(problem)")
            return K_EINVAL
        }
    }
    let stamp = args.pointee.groupStamp
    let result = server.connect(stamp: stamp == 0 ? K_STAMP_DRIVER : stamp)
    guard result == K_OK else { return result }
    ops.pointee.instance = Unmanaged.passRetained(server).toOpaque()
    ops.pointee.shutdown = { instance in
        guard let instance else { return K_EINVAL }
        // Never released: a thread that a driver holds may still come back.
        Unmanaged<DriverServer>.fromOpaque(instance).takeUnretainedValue().disconnect()
        return K_OK
    }
    ops.pointee.heartbeat = { _ in K_OK }
    return K_OK
}
