import ActorKit
import CChorus
import CMiXFileNote
import FileCore

/// The one symbol of the object: makes an instance and connects it (knActor.h).
@c(kn_actor_main)
public func fileManagerMain(
    _ nucleus: UnsafePointer<KnNucleus>?, _ args: UnsafePointer<KnActorArgs>?, _ ops: UnsafeMutablePointer<KnActorOps>?
) -> Int32 {
    guard let nucleus, let args, let ops else { return K_EINVAL }
    let calls = Nucleus(nucleus)
    let options = args.pointee.options.map { String(cString: $0) } ?? ""
    let server: FileServer
    do throws(MountOptions.Problem) {
        server = try FileServer(nucleus: calls, options: try MountOptions(options))
    } catch {
        calls.sysLog(0, "file manager: \(error.text)")
        return K_EINVAL
    }
    let stamp = args.pointee.groupStamp
    let code = server.connect(stamp: stamp == 0 ? K_STAMP_FILE : stamp)
    guard code == K_OK else {
        server.disconnect()
        return code
    }
    ops.pointee.instance = Unmanaged.passRetained(server).toOpaque()
    ops.pointee.shutdown = { instance in
        guard let instance else { return K_EINVAL }
        let server = Unmanaged<FileServer>.fromOpaque(instance).takeRetainedValue()
        server.disconnect()
        return K_OK
    }
    ops.pointee.stateExport = { instance, sequence, message, size in
        guard let server = fileServer(instance), let size else { return K_EINVAL }
        return server.exportState(sequence, message, size)
    }
    ops.pointee.stateImport = { instance, sequence, message, size in
        guard let server = fileServer(instance) else { return K_EINVAL }
        return server.importState(sequence, message, size)
    }
    ops.pointee.heartbeat = { _ in K_OK }
    return K_OK
}

private func fileServer(_ instance: UnsafeMutableRawPointer?) -> FileServer? {
    instance.map { Unmanaged<FileServer>.fromOpaque($0).takeUnretainedValue() }
}
