import CChorus
import CDriverGuard
import CMiXDriver
import CMiXFile
import Glibc
import SimulatedBus

/// What hosts ask: the services, for instances of their own alone.
let hostMessage: KnMsgHdl = { cookie, _, annex, body, bodySize, replyAnnex, replyBody, replySize in
    guard let cookie, let annex, let replyAnnex, let replySize else { return K_EINVAL }
    return Unmanaged<HostLife>.fromOpaque(cookie)._withUnsafeGuaranteedRef { life in
        var reply = MixObjReply()
        reply.diag = life.serve(
            annex.loadUnaligned(as: MixObjRequest.self),
            UnsafeRawBufferPointer(start: body, count: body == nil ? 0 : Int(bodySize)), &reply)
        replyAnnex.storeBytes(of: reply, as: MixObjReply.self)
        replySize.pointee = 0
        return K_OK
    }
}

extension HostLife {
    fileprivate func serve(_ request: MixObjRequest, _ body: UnsafeRawBufferPointer, _ reply: inout MixObjReply)
        -> Int64
    {
        switch request.op {
        case HOST_JOIN:
            guard body.count == MemoryLayout<MixHostDriver>.size else { return Int64(DRV_EINVAL) }
            return join(request, body.loadUnaligned(as: MixHostDriver.self))
        case HOST_WATCH:
            waitUntilOver()
            return Int64(DRV_EIO)
        case HOST_FAULT:
            let what = text(body)
            fault(what)
            let who = instance(request.arg.0)?.label
            server.nucleus.sysLog(0, "driver \(who ?? path): \(what); its host process ends")
            return 0
        default: break
        }
        guard let instance = instance(request.arg.0) else { return Int64(DRV_ENODEV) }
        switch request.op {
        // Registers have their device's lock.
        case HOST_LOAD:
            guard let width = width(request) else { return Int64(DRV_EINVAL) }
            reply.value.0 = instance.device?.load(UInt32(clamping: request.offset), width) ?? .max
            return 0
        case HOST_STORE:
            guard let width = width(request) else { return Int64(DRV_EINVAL) }
            instance.device?.store(UInt32(clamping: request.offset), width, request.arg.1)
            return 0
        default:
            let result = instance.lock.with { () -> Int64 in
                // Dead, or stopped: nothing is given out any more.
                guard instance.failure == nil else { return Int64(DRV_EIO) }
                return lockedServe(instance, request, body, &reply)
            }
            instance.settle()
            return result
        }
    }

    private func width(_ request: MixObjRequest) -> UInt32? {
        switch request.size {
        case 1, 2, 4, 8: UInt32(request.size)
        default: nil
        }
    }

    private func text(_ body: UnsafeRawBufferPointer) -> String {
        String(decoding: body.prefix { $0 != 0 }.map { $0 < 0x20 ? 0x20 : $0 }, as: UTF8.self)
    }

    private func lockedServe(
        _ instance: HostedInstance, _ request: MixObjRequest, _ body: UnsafeRawBufferPointer, _ reply: inout MixObjReply
    ) -> Int64 {
        let calls = server.calls.pointee
        let owner = Unmanaged.passUnretained(instance as DriverInstance).toOpaque()
        let handle = request.arg.1
        switch request.op {
        case HOST_LOG:
            return text(body).withCString { line in
                calls.log(owner, Int32(clamping: request.flags), line)
                return 0
            }
        case HOST_INTR_ATTACH:
            let handler = HostedHandler(instance, request.arg.3)
            instance.lockedKeep(handler)
            return Int64(
                calls.intrAttach(
                    owner, UInt32(clamping: request.arg.1), Int32(clamping: Int64(bitPattern: request.arg.2)),
                    hostedInterrupt, Unmanaged.passUnretained(handler).toOpaque(), &reply.value.0))
        case HOST_INTR_DETACH: return Int64(calls.intrDetach(owner, handle))
        case HOST_INTR_MASK: return Int64(calls.intrMask(owner, handle, request.flags & 1 != 0 ? 1 : 0))
        case HOST_DMA_ALLOC: return lockedGrant(instance, owner, request, &reply)
        case HOST_DMA_FREE:
            if var segment = instance.lockedTake(segmentOf: handle) { server.nucleus.sgRelease(&segment) }
            return Int64(calls.dmaFree(owner, handle))
        case HOST_REGISTER:
            guard let class_ = UInt32(exactly: handle), let table = HostedTables.shared.table(class_) else {
                return Int64(DRV_EINVAL)
            }
            return text(body).withCString { Int64(calls.deviceRegister(owner, class_, $0, table, &reply.value.0)) }
        case HOST_UNREGISTER: return Int64(calls.deviceUnregister(owner, handle))
        case HOST_BLOCK_DONE:
            var status = Int32(clamping: Int64(bitPattern: request.arg.2))
            if let target = instance.lockedTake(read: handle), status >= 0 {
                // Bytes that were not read are not given away.
                if target.count == body.count { target.copyMemory(from: body) } else { status = DRV_EIO }
            }
            calls.blockDone(owner, handle, status)
            return 0
        case HOST_READY:
            calls.ready(owner, handle)
            return 0
        case HOST_TTY_INPUT:
            return Int64(calls.ttyInput(owner, handle, body.baseAddress, UInt32(body.count)))
        case HOST_NET_INPUT:
            calls.netInput(owner, handle, body.baseAddress, UInt32(body.count))
            return 0
        default: return Int64(DRV_ENOTSUP)
        }
    }

    /// DMA memory, which the host maps too.
    private func lockedGrant(
        _ instance: HostedInstance, _ owner: UnsafeMutableRawPointer, _ request: MixObjRequest,
        _ reply: inout MixObjReply
    ) -> Int64 {
        var memory: UnsafeMutableRawPointer?
        let calls = server.calls.pointee
        let result = calls.dmaAlloc(
            owner, Int(clamping: request.size), &memory, &reply.value.1, &reply.value.0)
        guard result >= 0, let granted = instance.ledger.dma[reply.value.0] else { return Int64(result) }
        var segment = KnCap()
        guard server.nucleus.sgAdopt(granted.descriptor, 0, &segment) >= 0 else {
            _ = calls.dmaFree(owner, reply.value.0)
            return Int64(DRV_ENOMEM)
        }
        instance.lockedKeep(segment: segment, of: reply.value.0)
        reply.size = UInt64(granted.size)
        (reply.segUiHead, reply.segUiTail) = (segment.ui.uiHead, segment.ui.uiTail)
        (reply.segKeyHead, reply.segKeyTail) = (segment.key.keyHead, segment.key.keyTail)
        return 0
    }
}

/// On a line's thread: the host's handler is asked.
private let hostedInterrupt: @convention(c) (UnsafeMutableRawPointer?) -> Int32 = { cookie in
    guard let cookie else { return BUS_INTR_UNCLAIMED }
    return Unmanaged<HostedHandler>.fromOpaque(cookie)._withUnsafeGuaranteedRef { handler in
        let outcome = handler.instance.ask(HOSTED_INTERRUPT, handler.name)
        if outcome.isDead {
            // Until its death has been noticed nobody else would quiet the device, and the line would be given up.
            handler.instance.device?.reset()
            return BUS_INTR_CLAIMED
        }
        return outcome.result == BUS_INTR_CLAIMED ? BUS_INTR_CLAIMED : BUS_INTR_UNCLAIMED
    }
}
