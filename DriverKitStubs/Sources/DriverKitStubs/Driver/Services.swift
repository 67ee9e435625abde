import CChorus
import CDriverGuard
import CMiXDriver
import Glibc
import SimulatedBus

/// The services as the fence hands them over: the driver's structures have been copied, the instance is the one whose call is
/// under way, and its lock is held.
struct ServiceTable: @unchecked Sendable {  // Sendable: written once, before anybody has it.
    static let shared = ServiceTable()
    let pointer: UnsafePointer<DrvCalls>

    private init() {
        let table = UnsafeMutablePointer<DrvCalls>.allocate(capacity: 1)
        table.initialize(to: DrvCalls())
        Self.memory(&table.pointee)
        Self.bus(&table.pointee)
        Self.interrupts(&table.pointee)
        Self.devices(&table.pointee)
        pointer = UnsafePointer(table)
    }

    private static func memory(_ table: inout DrvCalls) {
        table.log = { owner, level, text in
            guard let text else { return }
            with(owner, ()) {
                $0.server.nucleus.sysLog(max(0, min(3, level)), "driver \($0.label): \(String(cString: text))")
            }
        }
        table.memAlloc = { owner, size in with(owner, nil) { $0.ledger.allocate(size) } }
        table.memFree = { owner, memory in
            guard let memory else { return }
            with(owner, ()) { instance in
                guard !instance.ledger.free(memory) else { return }
                instance.server.nucleus.sysLog(1, "driver \(instance.label): frees memory that it does not have")
            }
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
                guard let device = instance.device else { return DRV_ENODEV }
                fill(device, &info.pointee)
                return DRV_OK
            }
        }
        table.load = { owner, offset, width in with(owner, .max) { $0.device?.load(offset, width) ?? .max } }
        table.store = { owner, offset, width, value in with(owner, ()) { $0.device?.store(offset, width, value) } }
        table.dmaAlloc = { owner, size, memory, bus, handle in
            guard let memory, let bus, let handle else { return DRV_EINVAL }
            return with(owner, DRV_EINVAL) { instance in
                guard let device = instance.device else { return DRV_ENODEV }
                guard size > 0 else { return DRV_EINVAL }
                guard size <= Ledger.mostDma - instance.ledger.dmaBytes,
                    let granted = device.grant(size, shared: instance.isHosted)
                else {
                    return DRV_ENOMEM
                }
                let name = instance.server.newHandle()
                instance.ledger.dma[name] = granted
                (memory.pointee, bus.pointee, handle.pointee) = (granted.start, granted.bus, name)
                return DRV_OK
            }
        }
        table.dmaFree = { owner, handle in
            with(owner, DRV_EINVAL) { instance in
                guard let memory = instance.ledger.dma.removeValue(forKey: handle) else { return DRV_EINVAL }
                instance.device?.revoke(memory)
                return DRV_OK
            }
        }
    }

    private static func interrupts(_ table: inout DrvCalls) {
        table.intrAttach = { owner, index, priority, handler, cookie, handle in
            guard let handler, let handle else { return DRV_EINVAL }
            return with(owner, DRV_EINVAL) { instance in
                guard let device = instance.device else { return DRV_ENODEV }
                guard index == 0, (0...255).contains(priority) else { return DRV_EINVAL }
                guard instance.ledger.interrupts.count < 8 else { return DRV_ENOMEM }
                let interrupt = Interrupt(instance, device.line, handler, cookie)
                guard interrupt.connect(instance.server.nucleus, priority) >= 0 else { return DRV_ENOMEM }
                let name = instance.server.newHandle()
                instance.ledger.interrupts[name] = interrupt
                handle.pointee = name
                return DRV_OK
            }
        }
        table.intrDetach = { owner, handle in
            with(owner, DRV_EINVAL) { instance in
                guard let interrupt = instance.ledger.interrupts.removeValue(forKey: handle) else { return DRV_EINVAL }
                interrupt.isDetached = true
                // It waits until the handler has left, which may be waiting for this very instance.
                instance.afterwards { interrupt.disconnect(instance.server.nucleus) }
                return DRV_OK
            }
        }
        table.intrMask = { owner, handle, masked in
            with(owner, DRV_EINVAL) { instance in
                if instance.ledger.interrupts[handle]?.raw != nil { return DRV_ENOTSUP }
                guard let interrupt = instance.ledger.interrupts[handle], masked != 0 || interrupt.masks > 0 else {
                    return DRV_EINVAL
                }
                interrupt.masks += masked != 0 ? 1 : -1
                instance.device?.gate(masked != 0)
                return DRV_OK
            }
        }
    }

    private static func devices(_ table: inout DrvCalls) {
        table.deviceRegister = { owner, class_, name, ops, handle in
            guard let name, let ops, let handle else { return DRV_EINVAL }
            return with(owner, DRV_EINVAL) { instance in
                let name = String(cString: name)
                guard (DRV_CLASS_BLOCK...DRV_CLASS_BUS).contains(class_), Registration.isName(name) else {
                    return DRV_EINVAL
                }
                guard instance.ledger.registrations.count < 64 else { return DRV_ENOMEM }
                guard let (made, isNew) = instance.server.register(class_, name) else { return DRV_EBUSY }
                made.begin(instance, ops)
                instance.ledger.registrations[made.handle] = made
                handle.pointee = made.handle
                instance.afterwards { instance.server.announce(made, isNew: isNew) }
                return DRV_OK
            }
        }
        table.deviceUnregister = { owner, handle in
            with(owner, DRV_EINVAL) { instance in
                guard let registration = instance.ledger.registrations[handle] else { return DRV_EINVAL }
                guard registration.mayGo else { return DRV_EBUSY }
                instance.ledger.registrations[handle] = nil
                instance.afterwards { registration.leave(instance.server) }
                return DRV_OK
            }
        }
        table.blockDone = { owner, request, status in
            with(owner, ()) { instance in
                for registration in instance.ledger.registrations.values where registration.finish(request, status) {
                    return
                }
                instance.server.nucleus.sysLog(1, "driver \(instance.label): ends a request that is not under way")
            }
        }
        table.ready = { owner, handle in
            with(owner, ()) { instance in
                guard let registration = instance.ledger.registrations[handle] else { return }
                // Frames say for themselves that they are there.
                let ready = registration.link == nil ? 0 : DRV_READY_OUTPUT
                instance.afterwards { instance.server.tell(DEV_READY, registration, ready) }
            }
        }
        table.busInterrupt = { owner, handle in
            with(owner, ()) { instance in
                guard let registration = instance.ledger.registrations[handle] else { return }
                instance.afterwards { instance.server.raw(registration)?.interrupt() }
            }
        }
        table.ttyInput = { owner, handle, bytes, count in
            guard let bytes else { return 0 }
            return with(owner, 0) { instance in
                guard let registration = instance.ledger.registrations[handle] else { return 0 }
                return registration.keepInput(UnsafeRawBufferPointer(start: bytes, count: Int(count))) { work in
                    instance.afterwards { work(instance.server) }
                }
            }
        }
        table.ttyMark = { owner, handle, kind, value in
            with(owner, ()) { instance in
                guard let registration = instance.ledger.registrations[handle] else { return }
                registration.keepMark(kind, value) { work in instance.afterwards { work(instance.server) } }
            }
        }
        table.netInput = { owner, handle, frame, count in
            guard let frame else { return }
            with(owner, ()) { instance in
                guard let registration = instance.ledger.registrations[handle] else { return }
                guard let link = registration.link,
                    link.keep(UnsafeRawBufferPointer(start: frame, count: Int(count)))
                else { return }
                instance.afterwards { instance.server.tell(DEV_READY, registration, DRV_READY_INPUT) }
            }
        }
    }
}

/// The instance that `owner` names: always one, since the fence says whose call it is.
private func with<Result>(_ owner: UnsafeMutableRawPointer?, _ none: Result, _ body: (DriverInstance) -> Result)
    -> Result
{
    guard let owner else { return none }
    return Unmanaged<DriverInstance>.fromOpaque(owner)._withUnsafeGuaranteedRef(body)
}

/// Into a C array of characters, cut to fit, always ended by NUL.
func copyText<Field>(_ text: String, _ field: inout Field) {
    withUnsafeMutableBytes(of: &field) { bytes in
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
        for (index, byte) in text.utf8.prefix(bytes.count - 1).enumerated() { bytes[index] = byte }
    }
}
