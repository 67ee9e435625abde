import CDriverGuard
import CMiXDriver
import CMiXFile
import Glibc

/// Tables of the classes for devices of hosted drivers: each member is a message to the host. Their `instance` is the
/// registration.
struct HostedTables: @unchecked Sendable {  // Sendable: written once, before anybody has it.
    static let shared = HostedTables()
    private let tables: [UInt32: UnsafeRawPointer]

    func table(_ class_: UInt32) -> UnsafeRawPointer? { tables[class_] }

    private init() {
        func keep<Ops>(_ ops: Ops) -> UnsafeRawPointer {
            let place = UnsafeMutablePointer<Ops>.allocate(capacity: 1)
            place.initialize(to: ops)
            return UnsafeRawPointer(place)
        }
        func size<Ops>(_: Ops.Type) -> UInt32 { UInt32(MemoryLayout<Ops>.size) }
        tables = [
            DRV_CLASS_BLOCK: keep(
                DrvBlockOps(size: size(DrvBlockOps.self), geometry: hostedGeometry, submit: hostedSubmit)),
            DRV_CLASS_CHAR: keep(
                DrvCharOps(size: size(DrvCharOps.self), read: hostedRead, write: hostedWrite, control: hostedControl)),
            DRV_CLASS_TTY: keep(
                DrvTtyOps(
                    size: size(DrvTtyOps.self), output: hostedOutput, settings: hostedSettings, window: hostedWindow,
                    // Not asked of hosts: such a line has no modem, and is drained when the driver has taken what was written.
                    pending: nil, modem: nil, sendBreak: nil)),
            DRV_CLASS_NET: keep(DrvNetOps(size: size(DrvNetOps.self), info: hostedNetInfo, send: hostedSend)),
            DRV_CLASS_CLOCK: keep(DrvClockOps(size: size(DrvClockOps.self), get: hostedClockGet, set: hostedClockSet)),
            DRV_CLASS_ENTROPY: keep(DrvEntropyOps(size: size(DrvEntropyOps.self), read: hostedEntropy)),
        ]
    }
}

private func with(
    _ context: UnsafeMutableRawPointer?, _ body: (HostedInstance, UInt64) -> HostLife.Outcome
) -> HostLife.Outcome {
    guard let context else { return .dead }
    return Unmanaged<Registration>.fromOpaque(context)._withUnsafeGuaranteedRef { registration in
        guard let instance = registration.instance as? HostedInstance else { return .dead }
        return body(instance, registration.handle)
    }
}

extension HostLife.Outcome {
    /// What changes nothing by being asked twice is asked of the next host.
    fileprivate func repeatable(_ instance: HostedInstance) -> Int32 {
        isDead && instance.host.mayRestart ? HostedInstance.again : result
    }
}

private func bytes(_ start: UnsafeRawPointer?, _ count: UInt32) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : Int(count))
}

private func room(_ start: UnsafeMutableRawPointer?, _ count: UInt32) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: start, count: start == nil ? 0 : Int(count))
}

private let hostedGeometry:
    @convention(c) (UnsafeMutableRawPointer?, UnsafeMutablePointer<DrvBlockGeometry>?) -> Int32 =
        { context, geometry in
            guard let geometry else { return DRV_EINVAL }
            var code = DRV_EIO
            _ = with(context) { instance, device in
                if let known = instance.geometry(device) {
                    (geometry.pointee, code) = (known, DRV_OK)
                    return HostLife.Outcome(diag: 0)
                }
                let outcome = withUnsafeMutableBytes(of: &geometry.pointee) {
                    instance.ask(HOSTED_GEOMETRY, device, room: $0)
                }
                code = outcome.repeatable(instance)
                if code >= 0 {
                    if outcome.replied == MemoryLayout<DrvBlockGeometry>.size {
                        instance.keep(geometry.pointee, of: device)
                    } else {
                        code = DRV_EIO
                    }
                }
                return outcome
            }
            return code
        }

private let hostedSubmit: @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<DrvBlockRequest>?) -> Int32 = {
    context, asked in
    guard let asked = asked?.pointee else { return DRV_EINVAL }
    var code = DRV_EIO
    _ = with(context) { instance, device in
        let data = UnsafeMutableRawBufferPointer(
            start: asked.data, count: asked.data == nil ? 0 : Int(asked.count) * 512)
        if asked.op == DRV_BLOCK_READ { instance.begin(read: asked.request, data) }
        let body = asked.op == DRV_BLOCK_WRITE ? UnsafeRawBufferPointer(data) : bytes(nil, 0)
        let outcome = instance.ask(HOSTED_SUBMIT, device, body: body) { request in
            request.flags = asked.op
            request.size = UInt64(asked.count)
            request.offset = asked.sector
            request.arg.2 = asked.request
        }
        code = outcome.repeatable(instance)
        if code < 0 { instance.drop(read: asked.request) }
        return outcome
    }
    return code
}

private let hostedRead: @convention(c) (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, UInt32, UInt64) -> Int32 = {
    context, target, count, offset in
    let outcome = with(context) { instance, device in
        instance.ask(HOSTED_READ, device, room: room(target, count)) { request in
            (request.offset, request.size) = (offset, UInt64(count))
        }
    }
    return outcome.result > Int32(clamping: outcome.replied) ? DRV_EIO : outcome.result
}

private let hostedWrite: @convention(c) (UnsafeMutableRawPointer?, UnsafeRawPointer?, UInt32, UInt64) -> Int32 = {
    context, source, count, offset in
    with(context) { instance, device in
        instance.ask(HOSTED_WRITE, device, body: bytes(source, count)) { $0.offset = offset }
    }.result
}

private let hostedControl:
    @convention(c) (UnsafeMutableRawPointer?, UInt32, UnsafeMutableRawPointer?, UInt32) -> Int32 = {
        context, command, data, size in
        with(context) { instance, device in
            instance.ask(
                HOSTED_CONTROL, device, body: UnsafeRawBufferPointer(room(data, size)), room: room(data, size)
            ) { $0.arg.2 = UInt64(command) }
        }.result
    }

private let hostedOutput: @convention(c) (UnsafeMutableRawPointer?, UnsafeRawPointer?, UInt32) -> Int32 = {
    context, source, count in
    with(context) { instance, device in
        instance.ask(HOSTED_OUTPUT, device, body: bytes(source, count))
    }.result
}

private let hostedSettings: @convention(c) (UnsafeMutableRawPointer?, UInt32, UInt32) -> Int32 = {
    context, baud, flags in
    with(context) { instance, device in
        instance.ask(HOSTED_SETTINGS, device) { ($0.arg.2, $0.arg.3) = (UInt64(baud), UInt64(flags)) }
    }.result
}

private let hostedWindow:
    @convention(c) (UnsafeMutableRawPointer?, UnsafeMutablePointer<UInt16>?, UnsafeMutablePointer<UInt16>?) -> Int32 = {
        context, rows, columns in
        let outcome = with(context) { instance, device in instance.ask(HOSTED_WINDOW, device) }
        if outcome.result >= 0 {
            rows?.pointee = UInt16(clamping: outcome.reply.value.0)
            columns?.pointee = UInt16(clamping: outcome.reply.value.1)
        }
        return outcome.result
    }

private let hostedNetInfo: @convention(c) (UnsafeMutableRawPointer?, UnsafeMutablePointer<DrvNetInfo>?) -> Int32 = {
    context, info in
    guard let info else { return DRV_EINVAL }
    var code = DRV_EIO
    _ = with(context) { instance, device in
        let outcome = withUnsafeMutableBytes(of: &info.pointee) { instance.ask(HOSTED_NET_INFO, device, room: $0) }
        code = outcome.repeatable(instance)
        if code >= 0, outcome.replied != MemoryLayout<DrvNetInfo>.size { code = DRV_EIO }
        return outcome
    }
    return code
}

private let hostedSend: @convention(c) (UnsafeMutableRawPointer?, UnsafeRawPointer?, UInt32) -> Int32 = {
    context, frame, count in
    with(context) { instance, device in instance.ask(HOSTED_SEND, device, body: bytes(frame, count)) }.result
}

private let hostedClockGet: @convention(c) (UnsafeMutableRawPointer?, UnsafeMutablePointer<Int64>?) -> Int32 = {
    context, seconds in
    var code = DRV_EIO
    let outcome = with(context) { instance, device in
        let outcome = instance.ask(HOSTED_CLOCK_GET, device)
        code = outcome.repeatable(instance)
        return outcome
    }
    if code >= 0 { seconds?.pointee = Int64(bitPattern: outcome.reply.value.0) }
    return code
}

private let hostedClockSet: @convention(c) (UnsafeMutableRawPointer?, Int64) -> Int32 = { context, seconds in
    with(context) { instance, device in
        instance.ask(HOSTED_CLOCK_SET, device) { $0.arg.2 = UInt64(bitPattern: seconds) }
    }.result
}

private let hostedEntropy: @convention(c) (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, UInt32) -> Int32 = {
    context, target, count in
    var code = DRV_EIO
    let outcome = with(context) { instance, device in
        let outcome = instance.ask(HOSTED_ENTROPY, device, room: room(target, count)) { $0.size = UInt64(count) }
        code = outcome.repeatable(instance)
        return outcome
    }
    return code > Int32(clamping: outcome.replied) ? DRV_EIO : code
}
