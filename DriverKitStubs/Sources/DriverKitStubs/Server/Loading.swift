import CChorus
import CDriverGuard
import CMiXDriver
import Glibc
import RestartPolicy
import SimulatedBus

/// Drivers come and go.
extension DriverServer {
    typealias Answer = (diag: Int64, text: String)

    /// How a driver is to be loaded.
    struct LoadOrder {
        var path: String
        var device: String?
        var replaces = false
        /// nil: where the home is.
        var isUser: Bool?
        var restarts: UInt64 = 0
    }

    func load(_ order: LoadOrder) -> Answer {
        changing.with {
            if let name = order.device, device(name) == nil {
                let names = allDevices.map(\.name).joined(separator: ", ")
                return (-Int64(ENODEV), "no device \"\(name)\"" + (names.isEmpty ? "" : "; there are \(names)"))
            }
            let object: DriverObject
            do throws(DriverObject.Problem) { object = try open(order) } catch {
                return (-Int64(error.code), error.description)
            }
            if let old = driver(object.name) {
                guard order.replaces else {
                    _ = object.close()
                    return (-Int64(EEXIST), "driver \(object.name) is loaded already, from \(old.file)")
                }
                if old.isSame(object) {
                    _ = object.close()
                    return (-Int64(EEXIST), "\(object.file) is the very object that is loaded")
                }
                let gone = unload(old, keeping: true)
                if gone.diag < 0 {
                    _ = object.close()
                    return gone
                }
            }
            let result = start(object)
            for registration in allRegistrations { registration.abandon(self) }
            return result
        }
    }

    private func open(_ order: LoadOrder) throws(DriverObject.Problem) -> DriverObject {
        if order.isUser == false, isUserActor {
            throw DriverObject.Problem(
                code: EPERM,
                description: "the drivers' home is a user actor: no driver of it is in supervisor privilege")
        }
        let code: DriverObject.Code =
            order.isUser == true
            ? .host(try DriverHost(order.path, RestartPolicy(most: order.restarts), self))
            : .here(try DriverImage(order.path))
        return DriverObject(code, path: order.path, only: order.device, self)
    }

    private func start(_ object: DriverObject) -> Answer {
        guard enlist(object) else { return (-Int64(EEXIST), "driver \(object.name) is loaded already") }
        sweeper.begin()
        var made = 0
        var refusal = ""
        for device in object.needsDevice ? allDevices.map(Optional.some) : [nil] {
            if let device {
                guard object.matches(device), instance(of: device) == nil, !device.status.isRemoved else { continue }
            }
            switch attach(object, device) {
            case .success: made += 1
            case .failure(let problem): refusal = problem.description
            }
        }
        if made == 0, refusal.isEmpty, let only = object.only, let device = device(only) {
            let other = instance(of: device)?.object.name
            refusal =
                "driver \(object.name): " + (other.map { "\(only) has driver \($0)" } ?? "drives no \(device.kind)")
        }
        if made == 0, !refusal.isEmpty || !object.needsDevice {
            dismiss(object)
            sweeper.end()
            let stays = !object.close()
            if stays { nucleus.sysLog(1, "driver \(object.name): \(object.file) cannot be unmapped") }
            return (-Int64(EIO), refusal)
        }
        if case .host(let host) = object.code, !host.watch(object) {
            _ = unload(object, keeping: false)
            return (-Int64(ENOMEM), "no thread to watch the host of driver \(object.name)")
        }
        nucleus.sysLog(2, "driver \(object.name) from \(object.file): \(made) instances")
        return (Int64(made), "")
    }

    /// An instance for a device, or without one.
    private func attach(_ object: DriverObject, _ device: BusDevice?) -> Result<DriverInstance, DriverObject.Problem> {
        let instance = object.makeInstance(device)
        let probed = instance.probe()
        if probed < 0 {
            return .failure(
                .init(
                    code: EIO, description: "driver \(instance.label): its probe refuses with \(probed)\(why(instance))"
                ))
        }
        object.add(instance)
        let result = instance.start()
        guard result >= 0 else {
            object.remove(instance)
            return .failure(
                .init(code: EIO, description: "driver \(instance.label): its init fails with \(result)\(why(instance))")
            )
        }
        hold(device)
        return .success(instance)
    }

    /// Who gives raw access to a device stays while it is driven.
    private func hold(_ device: BusDevice?) {
        if let device, let raw = raw(device) { raw.registration.open() }
    }

    private func letGo(_ device: BusDevice?) {
        if let device, let raw = raw(device) { raw.registration.close() }
    }

    private func why(_ instance: DriverInstance) -> String {
        let state = instance.state
        return state == "ok" || state == "unloaded" ? "" : " (\(state))"
    }

    /// A new device goes to the driver that is there for it.
    func offer(_ device: BusDevice) {
        for object in allDrivers where object.matches(device) {
            if case .success = attach(object, device) { return }
        }
    }

    func unload(_ name: String) -> Answer {
        changing.with {
            guard let object = driver(name) else {
                let names = allDrivers.map(\.name).joined(separator: ", ")
                return (
                    -Int64(ENOENT), "no driver \"\(name)\" is loaded" + (names.isEmpty ? "" : "; there are \(names)")
                )
            }
            return unload(object, keeping: false)
        }
    }

    /// `keeping`: the open devices wait for another driver. The object is not in memory any more afterwards.
    private func unload(_ object: DriverObject, keeping: Bool) -> Answer {
        let mine = allRegistrations.filter { registration in object.instances.contains { $0 === registration.instance }
        }
        if let busy = mine.first(where: { $0.class_ == DRV_CLASS_BUS && $0.openCount > 0 && $0.instance?.state == "ok" }
        ) {
            return (-Int64(EBUSY), "driver \(object.name): \(busy.name) is driven (\(busy.openCount))")
        }
        func restore() { for registration in mine { registration.release() } }
        if keeping {
            for registration in mine where !registration.hold(milliseconds: 5000) {
                restore()
                return (-Int64(EBUSY), "driver \(object.name): requests of \(registration.name) do not come to an end")
            }
        } else if let busy = mine.first(where: { !$0.mayGo && $0.instance?.state == "ok" }) {
            return (-Int64(EBUSY), "driver \(object.name): \(busy.name) is open (\(busy.openCount))")
        }
        if case .host(let host) = object.code { host.leaving(true) }
        // Those that wait for a restart in vain end with their driver, unless another one comes.
        if !keeping { for registration in mine where registration.isAwaited { registration.giveUp() } }
        for instance in object.instances {
            let result = instance.stop()
            guard result >= 0 else {
                restore()
                if case .host(let host) = object.code { host.leaving(false) }
                let what = result == DRV_ENOTSUP ? "cannot be unloaded" : "refuses with \(result)"
                return (-Int64(EBUSY), "driver \(instance.label) \(what)")
            }
            object.remove(instance)
            letGo(instance.device)
        }
        dismiss(object)
        sweeper.end()
        guard object.close() else {
            nucleus.sysLog(1, "driver \(object.name): \(object.file) cannot be unmapped")
            return (0, "\(object.file) cannot be unmapped")
        }
        return (0, "")
    }

    func removeDevice(_ name: String, bySurprise: Bool) -> Answer {
        changing.with {
            guard let device = device(name) else { return (-Int64(ENOENT), "no device \"\(name)\"") }
            if let giver = raw(device)?.registration.instance {
                return (-Int64(EBUSY), "\(name) goes with driver \(giver.label), which gives it")
            }
            if let instance = instance(of: device) {
                if !bySurprise, let busy = allRegistrations.first(where: { $0.instance === instance && !$0.mayGo }) {
                    return (
                        -Int64(EBUSY),
                        "\(name): \(busy.name) of driver \(instance.object.name) is open (\(busy.openCount))"
                    )
                }
                if bySurprise { pullOut(device, instance) }
                if instance.stop() < 0 { return (-Int64(EBUSY), "driver \(instance.label) does not let it go") }
                instance.object.remove(instance)
            }
            forget(device)
            return (0, "")
        }
    }

    private func pullOut(_ device: BusDevice, _ instance: DriverInstance) {
        device.remove()
        instance.event(DRV_EVENT_REMOVAL)
        for registration in allRegistrations where registration.instance === instance { registration.pullOut() }
    }

    /// The device was pulled out by itself. It stays listed as removed, until it is taken away.
    func endDriver(of device: BusDevice) {
        changing.with {
            nucleus.sysLog(1, "\(device.name): pulled out")
            device.remove()
            guard let instance = instance(of: device) else { return }
            pullOut(device, instance)
            if instance.stop() >= 0 {
                instance.object.remove(instance)
            } else {
                nucleus.sysLog(1, "driver \(instance.label) does not let it go")
            }
        }
    }
}
