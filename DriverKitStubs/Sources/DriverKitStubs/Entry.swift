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
    let options = args.pointee.options.map { String(cString: $0) } ?? ""
    let pairs = options.split(separator: "\n").map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
    ops.pointee.heartbeat = { _ in K_OK }
    // Started by the home: a host of one driver.
    if pairs.count == 2, pairs[0].first == "home", pairs[1].first == "object", pairs.allSatisfy({ $0.count == 2 }),
        let home = UInt64(pairs[0][1])
    {
        return HostActor.main(calls, home: home, path: pairs[1][1])
    }
    let server = DriverServer(nucleus: calls, isUserActor: args.pointee.privilege == UInt32(K_USERACTOR))
    for parts in pairs {
        guard parts.count == 2, parts[0].hasPrefix("device.") else {
            let line = parts.joined(separator: "=")
            calls.sysLog(0, "drivers: \"\(line)\" is no option of theirs; device.N=NAME MODEL KEY=VALUE ... would do")
            return K_EINVAL
        }
        if case .failure(let problem) = server.addDevice(parts[1]) {
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
    return K_OK
}
