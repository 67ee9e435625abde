import CPipeline
import Synchronization

/// Answers each sample with the mean of the last ones. Its handler runs on the caller's own thread when both servers are
/// supervisors, and in its host process when it is a user actor: nothing here says which.
final class Filter: Sendable {
    private let nucleus: Nucleus
    private let window = Mutex<[Int32]>([])

    init(_ nucleus: Nucleus) { self.nucleus = nucleus }

    /// K_OK, or what went wrong.
    func connect(stamp: UInt32) -> Int32 {
        var (group, port) = (KnCap(), KnUniqueId())
        let allocated = nucleus.grpAllocate(K_STATSYS, &group, stamp)
        guard allocated >= 0 else { return allocated }
        let li = nucleus.portCreate(nil, &port)
        guard li > 0 else { return li }
        let handled = nucleus.svMsgHandler(
            li,
            { cookie, _, annex, _, _, answer, _, size in
                guard let cookie, let annex, let answer else { return K_EINVAL }
                size?.pointee = 0
                var sample = annex.loadUnaligned(as: PipelineSample.self)
                let filter = Unmanaged<Filter>.fromOpaque(cookie).takeUnretainedValue()
                sample.value = filter.mean(adding: sample.value)
                answer.storeBytes(of: sample, as: PipelineSample.self)
                return K_OK
            }, Unmanaged.passUnretained(self).toOpaque())
        guard handled >= 0 else { return handled }
        return nucleus.grpPortInsert(&group, &port)
    }

    private func mean(adding value: Int32) -> Int32 {
        window.withLock { window in
            if window.count == PIPELINE_WINDOW { window.removeFirst() }
            window.append(value)
            return window.reduce(0, +) / Int32(window.count)
        }
    }
}

@c(kn_actor_main)
public func filterMain(
    _ nucleus: UnsafePointer<KnNucleus>?, _ args: UnsafePointer<KnActorArgs>?, _ ops: UnsafeMutablePointer<KnActorOps>?
) -> Int32 {
    guard let nucleus, let args, let ops else { return K_EINVAL }
    let filter = Filter(Nucleus(nucleus))
    let code = filter.connect(stamp: args.pointee.groupStamp)
    guard code >= 0 else { return code }
    ops.pointee.instance = Unmanaged.passRetained(filter).toOpaque()
    ops.pointee.shutdown = { instance in
        // The actor's end closes its port and drains the handler; the instance stays until then.
        instance == nil ? K_EINVAL : K_OK
    }
    return K_OK
}
