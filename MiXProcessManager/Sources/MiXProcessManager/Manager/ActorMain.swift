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
    ops.pointee.shutdown = { instance in
        guard let instance else { return K_EINVAL }
        let manager = Unmanaged<ProcessManager>.fromOpaque(instance).takeRetainedValue()
        manager.shutdown()
        return K_OK
    }
    ops.pointee.stateExport = { instance, sequence, message, size in
        guard let manager = processManager(instance), let size else { return K_EINVAL }
        return manager.exportState(sequence, message, size)
    }
    ops.pointee.stateImport = { instance, sequence, message, size in
        guard let manager = processManager(instance) else { return K_EINVAL }
        return manager.importState(sequence, UnsafeRawBufferPointer(start: message, count: Int(size)))
    }
    ops.pointee.heartbeat = { instance in
        guard let manager = processManager(instance) else { return K_EINVAL }
        // Alive: the lock everything needs can be had.
        return manager.tree.withLock { K_OK }
    }
    return K_OK
}

private func processManager(_ instance: UnsafeMutableRawPointer?) -> ProcessManager? {
    instance.map { Unmanaged<ProcessManager>.fromOpaque($0).takeUnretainedValue() }
}
