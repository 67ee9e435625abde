import CPipeline
import Synchronization

/// Answers each sample with the mean of the last ones. Its handler runs on the caller's own thread when both servers are
/// supervisors, and in its host process when it is a user actor: nothing here says which.
final class Filter: Sendable {
    private let nucleus: Nucleus
    private let window = Mutex<[Int32]>([])
    private let result = Mutex(PipelineResult())
    /// There is a result; it has been shown.
    private let finished: KnSem
    private let shown: KnSem

    /// nil: no memory.
    init?(_ nucleus: Nucleus) {
        var (finished, shown) = (KnSem(), KnSem())
        guard nucleus.semInit(&finished, 0) == K_OK, nucleus.semInit(&shown, 0) == K_OK else { return nil }
        self.nucleus = nucleus
        self.finished = finished
        self.shown = shown
    }

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
        let trapped = connectTrap()
        guard trapped >= 0 else { return trapped }
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

/// The trap: each handler is a C function, described by what it takes. They run on the thread of who raises the trap, which
/// may wait in them.
extension Filter {
    private func connectTrap() -> Int32 {
        let finish: @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<PipelineResult>?) -> Int32 = { own, result in
            guard let own, let result else { return K_EFAULT }
            return Unmanaged<Filter>.fromOpaque(own).takeUnretainedValue().finish(result.pointee)
        }
        let take: @convention(c) (UnsafeMutableRawPointer?, UnsafeMutablePointer<PipelineResult>?) -> Int32 = { own, place in
            guard let own, let place else { return K_EFAULT }
            return Unmanaged<Filter>.fromOpaque(own).takeUnretainedValue().take(&place.pointee)
        }
        let show: @convention(c) (UnsafeMutableRawPointer?) -> Int32 = { own in
            guard let own else { return K_EFAULT }
            return Unmanaged<Filter>.fromOpaque(own).takeUnretainedValue().isShown()
        }
        // In the order of the numbers in pipeline.h.
        let entries = [
            KnTrapEntry("finish", [.one(K_IN, PipelineResult.self)], handler: unsafeBitCast(finish, to: UnsafeRawPointer.self)),
            KnTrapEntry("result", [.one(K_OUT, PipelineResult.self)], handler: unsafeBitCast(take, to: UnsafeRawPointer.self)),
            KnTrapEntry("shown", [], handler: unsafeBitCast(show, to: UnsafeRawPointer.self)),
        ]
        return nucleus.svTrapTable(PIPELINE_TRAP, entries, UInt32(entries.count), Unmanaged.passUnretained(self).toOpaque())
    }

    private func finish(_ now: PipelineResult) -> Int32 {
        result.withLock { $0 = now }
        var (finished, shown) = (finished, shown)
        let told = nucleus.semV(&finished)
        return told < 0 ? told : nucleus.semP(&shown, K_NOTIMEOUT)
    }

    private func take(_ place: inout PipelineResult) -> Int32 {
        var finished = finished
        let code = nucleus.semP(&finished, K_NOTIMEOUT)
        if code == K_OK { place = result.withLock { $0 } }
        return code
    }

    private func isShown() -> Int32 {
        var shown = shown
        return nucleus.semV(&shown)
    }
}

@c(kn_actor_main)
public func filterMain(
    _ nucleus: UnsafePointer<KnNucleus>?, _ args: UnsafePointer<KnActorArgs>?, _ ops: UnsafeMutablePointer<KnActorOps>?
) -> Int32 {
    guard let nucleus, let args, let ops else { return K_EINVAL }
    guard let filter = Filter(Nucleus(nucleus)) else { return K_ENOMEM }
    let code = filter.connect(stamp: args.pointee.groupStamp)
    guard code >= 0 else { return code }
    ops.pointee.instance = Unmanaged.passRetained(filter).toOpaque()
    ops.pointee.shutdown = { instance in
        // The actor's end closes its port and drains the handler; the instance stays until then.
        instance == nil ? K_EINVAL : K_OK
    }
    return K_OK
}
