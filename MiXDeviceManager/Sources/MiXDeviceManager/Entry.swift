import ActorKit
import CChorus
import CMiXDeviceNote

/// The one symbol of the object: makes an instance and connects it (knActor.h).
@c(kn_actor_main)
public func deviceManagerMain(
    _ nucleus: UnsafePointer<KnNucleus>?,
    _ args: UnsafePointer<KnActorArgs>?,
    _ ops: UnsafeMutablePointer<KnActorOps>?
) -> Int32 {
    guard let nucleus, let args, let ops else { return K_EINVAL }
    let stamp = args.pointee.groupStamp
    let manager = DeviceManager(nucleus: Nucleus(nucleus), hostDescriptors: [0, 1, 2])
    let result = manager.connect(stamp: stamp == 0 ? K_STAMP_DEVICE : stamp)
    guard result == K_OK else { return result }
    ops.pointee.instance = Unmanaged.passRetained(manager).toOpaque()
    ops.pointee.shutdown = { instance in
        guard let instance else { return K_EINVAL }
        let manager = Unmanaged<DeviceManager>.fromOpaque(instance)
        // A host thread stuck in a host read keeps the instance: better a leak than a dangling pointer.
        if manager.takeUnretainedValue().disconnect() { manager.release() }
        return K_OK
    }
    ops.pointee.stateExport = { instance, sequence, message, size in
        guard let manager = deviceManager(instance), let size else { return K_EINVAL }
        return manager.exportState(sequence, message, size)
    }
    ops.pointee.stateImport = { instance, sequence, message, size in
        guard let manager = deviceManager(instance) else { return K_EINVAL }
        return manager.importState(sequence, message, size)
    }
    ops.pointee.heartbeat = { _ in K_OK }
    ops.pointee.started = { instance in
        guard let manager = deviceManager(instance) else { return K_EINVAL }
        manager.registerNodes()
        return K_OK
    }
    return K_OK
}

private func deviceManager(_ instance: UnsafeMutableRawPointer?) -> DeviceManager? {
    instance.map { Unmanaged<DeviceManager>.fromOpaque($0).takeUnretainedValue() }
}
