import ActorKit
import CDriverGuard
import CMiXDriver
import Glibc
import SimulatedBus

/// A device to which one driver gives another raw access (DRV_CLASS_BUS): on the bus it is a device like others, whose
/// registers are the first driver's members.
final class RawDevice: DeviceModel, @unchecked Sendable {
    // Sendable: constants, and a list behind its lock.
    let kind: String
    let id: UInt32
    let registerSize: UInt32
    let registration: Registration
    private let lock = Lock()
    private var handlers: [Interrupt] = []

    /// nil: the driver says nothing of it that makes sense.
    init?(_ registration: Registration) {
        var info = DrvBusInfo()
        info.size = UInt32(MemoryLayout<DrvBusInfo>.size)
        let result = registration.call(DrvBusOps.self) { own, ops, instance, fault in
            drv_call_bus_info(own, ops, instance, &info, &fault)
        }
        let model = fieldString(info.model)
        guard result >= 0, !model.isEmpty, model.utf8.count <= 31, info.registerSize <= 1 << 24 else { return nil }
        (kind, id, registerSize) = (model, info.id, info.registerSize)
        self.registration = registration
    }

    func reset() {
        _ = registration.call(DrvBusOps.self) { own, ops, instance, fault in
            drv_call_bus_reset(own, ops, instance, &fault)
        }
    }

    func load(_ offset: UInt32, _ width: UInt32, _ bus: DeviceBus) -> UInt64 {
        var value = UInt64.max
        let result = registration.call(DrvBusOps.self) { own, ops, instance, fault in
            drv_call_bus_load(own, ops, instance, offset, width, &value, &fault)
        }
        return result >= 0 ? value : .max
    }

    func store(_ offset: UInt32, _ width: UInt32, _ value: UInt64, _ bus: DeviceBus) {
        _ = registration.call(DrvBusOps.self) { own, ops, instance, fault in
            drv_call_bus_store(own, ops, instance, offset, width, value, &fault)
        }
    }

    // MARK: interrupts

    func add(_ handler: Interrupt) { lock.with { handlers.append(handler) } }
    func remove(_ handler: Interrupt) { lock.with { handlers.removeAll { $0 === handler } } }

    /// On the thread of the first driver's interrupt, when that has left it.
    func interrupt() {
        // While a handler is in the list its instance is there; from here on it is held.
        for (handler, instance) in lock.with({ handlers.map { ($0, $0.instance) } }) {
            withExtendedLifetime(instance) { handler.post() }
        }
    }
}

extension DriverServer {
    /// The device is there for whoever drives it.
    func attachRaw(_ registration: Registration) {
        guard let parent = registration.instance?.device, let model = RawDevice(registration) else {
            nucleus.sysLog(1, "\(registration.name): its driver has no device to give")
            return
        }
        let device = BusDevice(
            name: registration.name, line: BusDevice.noLine, model: model, host: self, trace: trace, parent: parent)
        guard enlist(device, model) else {
            nucleus.sysLog(1, "\(registration.name): there is a device of that name already")
            return
        }
        offer(device)
    }

    func detachRaw(_ registration: Registration) {
        if let device = device(registration.name), raw(device)?.registration === registration { forget(device) }
    }
}
