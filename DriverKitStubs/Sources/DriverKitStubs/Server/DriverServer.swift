import ActorKit
import CChorus
import CDriverGuard
import CMiXFile
import Glibc
import SimulatedBus
import Synchronization

/// One instance of the drivers' home: the bus with its devices, the drivers, and what these registered.
final class DriverServer: @unchecked Sendable {
    // Sendable: constants, and state behind locks.
    let nucleus: Nucleus
    /// In a host process; else in the nucleus' own.
    let isUserActor: Bool
    let calls: UnsafePointer<DrvCalls> = ServiceTable.shared.pointer
    private let lock = Lock()
    private var devices: [String: BusDevice] = [:]
    private var raws: [String: RawDevice] = [:]
    private var drivers: [String: DriverObject] = [:]
    private var registrations: [UInt64: Registration] = [:]
    private var lastHandle: UInt64 = 0
    private let cables = Cables()
    private var lines = [Int](repeating: 0, count: Int(K_INTRLINES))
    private let lineLock = Lock()
    /// One load or unload at a time.
    let changing = Lock()
    private let connection = Mutex((port: KnPortLid(0), name: KnUniqueId(), group: KnCap()))
    let timeouts: Timeouts
    let sweeper: Sweeper
    let trace = BusTrace()
    let lineWatch = LineWatch()

    init(nucleus: Nucleus, isUserActor: Bool) {
        self.nucleus = nucleus
        self.isUserActor = isUserActor
        timeouts = Timeouts(nucleus: nucleus)
        sweeper = Sweeper(nucleus: nucleus)
    }

    // MARK: the bus

    func addDevice(_ text: String) -> Result<BusDevice, DeviceProblem> {
        do throws(DeviceProblem) {
            var description = try DeviceDescription(text)
            let wanted = description.settings.removeValue(forKey: "line")
            let faults = description.settings.removeValue(forKey: "faults")
            let model = try description.makeModel(cables)
            if let unknown = description.settings.keys.min() {
                throw DeviceProblem("\(description.name): \(description.model) has no setting \"\(unknown)\"")
            }
            let used = lock.with { Set(devices.values.map(\.line)) }
            guard let line = wanted.map({ UInt32($0) }) ?? (16..<256).first(where: { !used.contains($0) }), line < 256
            else {
                throw DeviceProblem("\(description.name): there is no such interrupt line")
            }
            let device = BusDevice(name: description.name, line: line, model: model, host: self, trace: trace)
            if let faults {
                guard let faults = Faults(faults) else {
                    throw DeviceProblem("\(device.name): \"\(faults)\" names no faults")
                }
                device.setFaults(faults)
            }
            let isNew = lock.with {
                guard devices[device.name] == nil else { return false }
                devices[device.name] = device
                return true
            }
            guard isNew else { throw DeviceProblem("there is a device \"\(device.name)\" already") }
            do throws(DeviceProblem) { try device.plug() } catch {
                forget(device)
                throw error
            }
            // One that is pulled out at once goes when its driver has come.
            changing.with { offer(device) }
            return .success(device)
        } catch {
            return .failure(error)
        }
    }

    func device(_ name: String) -> BusDevice? { lock.with { devices[name] } }
    var allDevices: [BusDevice] { lock.with { devices.values.sorted { $0.name < $1.name } } }
    func forget(_ device: BusDevice) {
        lock.with { (devices[device.name], raws[device.name]) = (nil, nil) }
        device.remove()
    }

    func enlist(_ device: BusDevice, _ raw: RawDevice) -> Bool {
        lock.with {
            guard devices[device.name] == nil else { return false }
            (devices[device.name], raws[device.name]) = (device, raw)
            return true
        }
    }

    /// Through whom the device is reached, where another driver gives it.
    func raw(_ device: BusDevice) -> RawDevice? { lock.with { raws[device.name] } }
    func raw(_ registration: Registration) -> RawDevice? {
        lock.with { raws.values.first { $0.registration === registration } }
    }

    // MARK: drivers

    var allDrivers: [DriverObject] { lock.with { drivers.values.sorted { $0.name < $1.name } } }
    func driver(_ name: String) -> DriverObject? { lock.with { drivers[name] } }
    func enlist(_ driver: DriverObject) -> Bool {
        lock.with {
            guard drivers[driver.name] == nil else { return false }
            drivers[driver.name] = driver
            return true
        }
    }
    func dismiss(_ driver: DriverObject) { lock.with { drivers[driver.name] = nil } }

    func instance(of device: BusDevice) -> DriverInstance? {
        allDrivers.flatMap(\.instances).first { $0.device === device }
    }

    // MARK: registrations

    func newHandle() -> UInt64 {
        lock.with {
            lastHandle += 1
            return lastHandle
        }
    }

    func registration(_ handle: UInt64) -> Registration? { lock.with { registrations[handle] } }
    var allRegistrations: [Registration] { lock.with { registrations.values.sorted { $0.handle < $1.handle } } }

    /// A new one, or one that a driver left behind for its successor. nil: the name is taken.
    func register(_ class_: UInt32, _ name: String) -> (registration: Registration, isNew: Bool)? {
        let handle = newHandle()
        return lock.with {
            if let same = registrations.values.first(where: { $0.name == name }) {
                return same.class_ == class_ && same.isWaiting ? (same, false) : nil
            }
            let made = Registration(handle: handle, class_: class_, name: name, nucleus: nucleus)
            registrations[handle] = made
            return (made, true)
        }
    }

    func unregister(_ registration: Registration) { lock.with { registrations[registration.handle] = nil } }

    // MARK: connection

    func connect(stamp: UInt32) -> Int32 {
        var (port, name, group) = (KnPortLid(0), KnUniqueId(), KnCap())
        port = nucleus.portCreate(nil, &name)
        guard port > 0 else { return port < 0 ? port : K_ENOMEM }
        var result = nucleus.svMsgHandler(port, driverMessage, Unmanaged.passUnretained(self).toOpaque())
        if result >= 0 { result = nucleus.grpAllocate(K_STATSYS, &group, stamp) }
        if result >= 0 { result = nucleus.grpPortInsert(&group, &name) }
        guard result >= 0 else {
            nucleus.portDelete(nil, port)
            return result
        }
        connection.withLock { $0 = (port, name, group) }
        return K_OK
    }

    var port: KnPortLid { connection.withLock { $0.port } }
    var portName: KnUniqueId { connection.withLock { $0.name } }

    func disconnect() {
        var made = connection.withLock { connection in
            defer { connection.port = 0 }
            return connection
        }
        if made.port > 0 {
            nucleus.grpPortRemove(&made.group, &made.name)
            _ = nucleus.svMsgHandler(made.port, nil, nil)
            nucleus.portDelete(nil, made.port)
        }
        for driver in allDrivers { driver.shutdown() }
        for device in allDevices { device.remove() }
        timeouts.stop()
        sweeper.stop()
    }
}

extension DriverServer: BusHost {
    /// A line is raised while any of its devices raises it. One that a driver's own call raises, as a device does that answers at once,
    /// is handled by that very thread as soon as the driver has left: nobody has to be woken.
    func level(_ line: UInt32, _ raised: Bool) {
        let isServed = raised ? DriverInstance.current { $0.serves(line) } ?? false : false
        lineLock.with {
            let before = lines[Int(line)]
            let now = before + (raised ? 1 : -1)
            lines[Int(line)] = now
            if before == 0, now == 1 {
                nucleus.svIntrTrigger(line, isServed ? K_INTR_RAISE | K_INTR_LATER : K_INTR_RAISE)
            }
            if before == 1, now == 0 { nucleus.svIntrTrigger(line, K_INTR_LOWER) }
        }
    }

    func isGone(_ device: BusDevice) { later { $0.endDriver(of: device) } }
    func spurious(_ line: UInt32) { nucleus.svIntrTrigger(line, K_INTR_EDGE) }
    func report(_ line: String) { nucleus.sysLog(1, line) }
    func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) -> Bool { nucleus.startThread(name, body) }
}
