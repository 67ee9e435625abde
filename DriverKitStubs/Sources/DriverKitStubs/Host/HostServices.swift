import CChorus
import CDriverGuard
import CMiXDriver
import CMiXFile
import Glibc

/// The services in a host: memory and timeouts are the host's own, everything else is asked of the home. The instance's lock
/// is held, its call is under way.
struct HostServices: @unchecked Sendable {  // Sendable: written once, before anybody has it.
    static let shared = HostServices()
    let pointer: UnsafePointer<DrvCalls>

    private init() {
        let table = UnsafeMutablePointer<DrvCalls>.allocate(capacity: 1)
        table.initialize(to: DrvCalls())
        Self.memory(&table.pointee)
        Self.bus(&table.pointee)
        Self.dma(&table.pointee)
        Self.devices(&table.pointee)
        pointer = UnsafePointer(table)
    }

    private static func memory(_ table: inout DrvCalls) {
        table.log = { owner, level, text in
            guard let text else { return }
            with(owner, ()) { $0.log(level, String(cString: text)) }
        }
        table.memAlloc = { owner, size in with(owner, nil) { $0.ledger.allocate(size) } }
        table.memFree = { owner, memory in
            guard let memory else { return }
            with(owner, ()) { if !$0.ledger.free(memory) { $0.log(1, "frees memory that it does not have") } }
        }
        table.timeoutSet = { owner, function, cookie, nanoseconds, timeout in
            guard let function, let timeout else { return DRV_EINVAL }
            return with(owner, DRV_EINVAL) { $0.setTimeout(function, cookie, after: nanoseconds, timeout) }
        }
        table.timeoutCancel = { owner, handle in with(owner, DRV_EINVAL) { $0.cancelTimeout(handle) } }
    }

    private static func bus(_ table: inout DrvCalls) {
        table.deviceInfo = { owner, info in
            guard let info else { return DRV_EINVAL }
            return with(owner, DRV_EINVAL) { instance in
                guard let known = instance.info else { return DRV_ENODEV }
                info.pointee = known
                return DRV_OK
            }
        }
        table.load = { owner, offset, width in
            with(owner, .max) { instance in
                let reply = instance.ask(HOST_LOAD) { ($0.offset, $0.size) = (UInt64(offset), UInt64(width)) }
                return reply.diag >= 0 ? reply.value.0 : .max
            }
        }
        table.store = { owner, offset, width, value in
            with(owner, ()) { instance in
                _ = instance.ask(HOST_STORE, value) { ($0.offset, $0.size) = (UInt64(offset), UInt64(width)) }
            }
        }
        table.intrAttach = { owner, index, priority, handler, cookie, handle in
            guard let handler, let handle else { return DRV_EINVAL }
            return with(owner, DRV_EINVAL) { instance in
                let name = instance.host.newName()
                // It may interrupt before the answer is here; it is then served when this call is over.
                instance.handlers[name] = (handler, cookie)
                let reply = instance.ask(HOST_INTR_ATTACH, UInt64(index)) {
                    ($0.arg.2, $0.arg.3) = (UInt64(bitPattern: Int64(priority)), name)
                }
                if reply.diag < 0 { instance.handlers[name] = nil }
                handle.pointee = reply.value.0
                return Int32(clamping: reply.diag)
            }
        }
        table.intrDetach = { owner, handle in
            with(owner, DRV_EINVAL) { Int32(clamping: $0.ask(HOST_INTR_DETACH, handle).diag) }
        }
        table.intrMask = { owner, handle, masked in
            with(owner, DRV_EINVAL) { instance in
                Int32(clamping: instance.ask(HOST_INTR_MASK, handle) { $0.flags = masked != 0 ? 1 : 0 }.diag)
            }
        }
    }

    private static func dma(_ table: inout DrvCalls) {
        table.dmaAlloc = { owner, size, memory, bus, handle in
            guard let memory, let bus, let handle else { return DRV_EINVAL }
            return with(owner, DRV_EINVAL) { instance in
                let reply = instance.ask(HOST_DMA_ALLOC) { $0.size = UInt64(size) }
                guard reply.diag >= 0 else { return Int32(clamping: reply.diag) }
                let segment = KnCap(
                    ui: KnUniqueId(uiHead: reply.segUiHead, uiTail: reply.segUiTail),
                    key: KnKey(keyHead: reply.segKeyHead, keyTail: reply.segKeyTail))
                guard let region = HostDma(segment, size: reply.size, instance.host.nucleus) else {
                    _ = instance.ask(HOST_DMA_FREE, reply.value.0)
                    return DRV_ENOMEM
                }
                instance.dma[reply.value.0] = region
                memory.pointee = UnsafeMutableRawPointer(bitPattern: UInt(region.start))
                (bus.pointee, handle.pointee) = (reply.value.1, reply.value.0)
                return DRV_OK
            }
        }
        table.dmaFree = { owner, handle in
            with(owner, DRV_EINVAL) { instance in
                guard let region = instance.dma.removeValue(forKey: handle) else { return DRV_EINVAL }
                region.free(instance.host.nucleus)
                return Int32(clamping: instance.ask(HOST_DMA_FREE, handle).diag)
            }
        }
    }

    private static func devices(_ table: inout DrvCalls) {
        table.deviceRegister = { owner, class_, name, ops, handle in
            guard let name, let ops, let handle else { return DRV_EINVAL }
            return with(owner, DRV_EINVAL) { instance in
                let request = instance.request(HOST_REGISTER, UInt64(class_))
                let reply = instance.host.ask(request, body: Array(String(cString: name).utf8) + [0])
                guard reply.diag >= 0 else { return Int32(clamping: reply.diag) }
                instance.devices[reply.value.0] = ops
                handle.pointee = reply.value.0
                return DRV_OK
            }
        }
        table.deviceUnregister = { owner, handle in
            with(owner, DRV_EINVAL) { instance in
                let result = Int32(clamping: instance.ask(HOST_UNREGISTER, handle).diag)
                if result >= 0 { instance.devices[handle] = nil }
                return result
            }
        }
        table.blockDone = { owner, name, status in
            with(owner, ()) { instance in
                guard let transfer = instance.requests.removeValue(forKey: name) else {
                    return instance.log(1, "ends a request that is not under way")
                }
                var request = instance.request(HOST_BLOCK_DONE, name)
                request.arg.2 = UInt64(bitPattern: Int64(status))
                let wasRead = transfer.op == DRV_BLOCK_READ && status >= 0
                _ = instance.host.ask(
                    request,
                    body: UnsafeRawBufferPointer(rebasing: transfer.data[..<(wasRead ? transfer.data.count : 0)]))
                transfer.data.deallocate()
            }
        }
        table.ready = { owner, handle in with(owner, ()) { _ = $0.ask(HOST_READY, handle) } }
        table.ttyInput = { owner, handle, bytes, count in
            guard let bytes else { return 0 }
            return with(owner, 0) { instance in
                let body = UnsafeRawBufferPointer(start: bytes, count: Int(count))
                let taken = instance.host.ask(instance.request(HOST_TTY_INPUT, handle), body: body).diag
                return UInt32(clamping: max(0, min(taken, Int64(count))))
            }
        }
        table.ttyMark = { _, _, _, _ in }  // such a line has no modem and no breaks (HostedTables)
        table.netInput = { owner, handle, frame, count in
            guard let frame else { return }
            with(owner, ()) { instance in
                let body = UnsafeRawBufferPointer(start: frame, count: Int(count))
                _ = instance.host.ask(instance.request(HOST_NET_INPUT, handle), body: body)
            }
        }
    }
}

/// The instance that `owner` names: always one, since the fence says whose call it is.
private func with<Result>(_ owner: UnsafeMutableRawPointer?, _ none: Result, _ body: (HostInstance) -> Result) -> Result
{
    guard let owner else { return none }
    return Unmanaged<HostInstance>.fromOpaque(owner)._withUnsafeGuaranteedRef(body)
}
