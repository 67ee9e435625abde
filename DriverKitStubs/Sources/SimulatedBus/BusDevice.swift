import Synchronization

/// A device on the bus: a model, its interrupt line, and the memory that it may reach.
package final class BusDevice: @unchecked Sendable {
    // Sendable: everything that changes is reached with `lock` held, or atomic.
    package let name: String
    package let line: UInt32
    private let model: any DeviceModel
    private let host: any BusHost
    private let trace: BusTrace
    /// Whose memory it shares: a driver of that device gives raw access to it under this one's name.
    private let parent: BusDevice?
    private let lock = Lock()
    private var windows: [UInt64: DmaMemory] = [:]
    private var nextAddress: UInt64 = 0x1000_0000
    private var asserted = false  // by the model
    private var stuck = false  // raised whatever the model says, until the device is reset
    private var gates = 0  // handlers that are masked; the device raises nothing meanwhile
    private var raised = false  // on the line
    private var removed = false
    private var unplugged = false  // the model knows
    private var settles = false
    package private(set) var faults: Faults?
    private var accesses: UInt64 = 0
    private var strays: UInt64 = 0
    private var straysAreTold = false  // of this driver's; the log is not for every one
    private let quieted = Atomic<UInt64>(0)

    /// The line of what has none of its own.
    package static let noLine = UInt32.max

    package init(
        name: String, line: UInt32, model: any DeviceModel, host: any BusHost, trace: BusTrace = BusTrace(),
        parent: BusDevice? = nil
    ) {
        self.name = name
        self.parent = parent
        self.line = line
        self.model = model
        self.host = host
        self.trace = trace
    }

    package var kind: String { model.kind }
    package var id: UInt32 { model.id }
    package var registerSize: UInt32 { model.registerSize }

    package struct Status {
        package var accesses, strays: UInt64
        package var isRemoved: Bool
        package var faults: String
        package var notes: String
    }

    package var status: Status {
        lock.with {
            Status(
                accesses: accesses, strays: strays, isRemoved: removed, faults: faults?.text ?? "", notes: model.notes)
        }
    }

    package func setFaults(_ faults: Faults?) { lock.with { self.faults = faults } }

    func lockedFails(_ kind: Faults.Kind) -> Bool {
        guard let faults, faults.strikes(kind) else { return false }
        trace.add(.fault, name, text: kind.rawValue)
        return true
    }

    // MARK: registers

    /// All ones where there is nothing.
    package func load(_ offset: UInt32, _ width: UInt32) -> UInt64 {
        lock.with {
            accesses &+= 1
            guard inside(offset, width), lockedIsThere() else { return .max }
            let value = model.load(offset, width, DeviceBus(device: self))
            trace.add(.load, name, at: UInt64(offset), width, value)
            return value
        }
    }

    package func store(_ offset: UInt32, _ width: UInt32, _ value: UInt64) {
        let settles = lock.with {
            accesses &+= 1
            guard inside(offset, width), lockedIsThere() else { return false }
            // First what was done, then what came of it.
            trace.add(.store, name, at: UInt64(offset), width, value)
            model.store(offset, width, value, DeviceBus(device: self))
            return lockedSettles()
        }
        if settles { model.settle() }
    }

    private func inside(_ offset: UInt32, _ width: UInt32) -> Bool {
        offset % width == 0 && UInt64(offset) + UInt64(width) <= UInt64(model.registerSize)
    }

    private func lockedIsThere() -> Bool {
        guard !removed else { return false }
        guard let faults, faults.removes() else { return true }
        trace.add(.fault, name, text: Faults.Kind.surpriseRemoval.rawValue)
        lockedRemove()
        host.isGone(self)
        return false
    }

    package func input(_ bytes: UnsafeRawBufferPointer) -> Int {
        lock.with { removed ? bytes.count : model.input(bytes, DeviceBus(device: self)) }
    }

    /// Something waits outside: the model looks. No device's lock is held by the caller.
    package func arrive() {
        let settles = lock.with {
            guard !removed else { return false }
            model.arrived(DeviceBus(device: self))
            return lockedSettles()
        }
        if settles { model.settle() }
    }

    func lockedSettleLater() { settles = true }

    private func lockedSettles() -> Bool {
        defer { settles = false }
        return settles
    }

    /// As after power-on; without a driver it raises nothing and reaches nothing.
    package func reset() {
        lock.with {
            trace.add(.reset, name)
            straysAreTold = false
            model.reset()
            lockedLetGo()
        }
    }

    func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) -> Bool { host.startThread(name, body) }

    /// It is on the bus from now on.
    package func plug() throws(DeviceProblem) { try model.plugged(self) }

    /// Surprise removal, and the end of every other.
    package func remove() {
        let isFirst = lock.with {
            if !removed { lockedRemove() }
            defer { unplugged = true }
            return !unplugged
        }
        if isFirst { model.unplugged() }
    }

    private func lockedRemove() {
        trace.add(.removal, name)
        removed = true
        lockedLetGo()
    }

    // MARK: interrupts

    func lockedSetLevel(_ level: Bool) {
        if !level { quieted.wrappingAdd(1, ordering: .relaxed) }
        var level = level
        if level, !asserted {
            if lockedFails(.lostInterrupt) {
                level = false
            } else if !stuck, lockedFails(.stuckInterrupt) {
                stuck = true
            }
        }
        asserted = level
        lockedUpdateLine()
        if !level, !removed, lockedFails(.spuriousInterrupt) { host.spurious(line) }
    }

    /// The device was reset: a line that was stuck falls.
    func lockedLetGo() {
        stuck = false
        asserted = false
        lockedUpdateLine()
    }

    private func lockedUpdateLine() {
        let now = (asserted || stuck) && gates == 0 && !removed
        guard now != raised else { return }
        raised = now
        trace.add(now ? .raise : .lower, name, at: UInt64(line))
        host.level(line, now)
    }

    /// How often the device has said that nothing wants service any more: who serves it sees this grow.
    package var quietings: UInt64 { quieted.load(ordering: .relaxed) }

    /// Counts: while a handler of the device is masked it raises nothing.
    package func gate(_ closed: Bool) {
        lock.with {
            gates += closed ? 1 : -1
            lockedUpdateLine()
        }
    }

    // MARK: memory

    /// Pages with a hole behind them. nil: the host gives none. `shared`: with another process, by its descriptor.
    package func grant(_ size: Int, shared: Bool = false) -> DmaMemory? {
        if let parent { return parent.grant(size, shared: shared) }
        return lock.with {
            guard let memory = DmaMemory(size, bus: nextAddress, shared: shared) else { return nil }
            // A gap between two grants: running over the end of one is not the beginning of the next.
            nextAddress += UInt64(memory.size) + 0x1_0000
            windows[memory.bus] = memory
            return memory
        }
    }

    package func revoke(_ memory: DmaMemory) {
        if let parent { return parent.revoke(memory) }
        lock.with { windows[memory.bus] = nil }
    }

    func lockedMemory(_ address: UInt64, _ count: Int, writes: Bool) -> UnsafeMutableRawBufferPointer? {
        for window in windows.values {
            guard address >= window.bus, count >= 0 else { continue }
            let offset = address - window.bus
            if offset <= UInt64(window.size), UInt64(count) <= UInt64(window.size) - offset {
                trace.add(writes ? .write : .read, name, at: address, UInt32(clamping: count))
                return UnsafeMutableRawBufferPointer(start: window.start + Int(offset), count: count)
            }
        }
        strays &+= 1
        trace.add(.stray, name, at: address, UInt32(clamping: count))
        if !straysAreTold {
            straysAreTold = true
            host.report(
                "\(name): reaches for \(count) bytes at bus address 0x\(String(address, radix: 16)), which its driver did not grant"
            )
        }
        return nil
    }
}

/// What the bus needs of whoever runs it. Called with the device's lock held.
package protocol BusHost: AnyObject, Sendable {
    /// The level that one device puts on a line; a line is raised while any device raises it.
    func level(_ line: UInt32, _ raised: Bool)
    func spurious(_ line: UInt32)
    /// The device was pulled out in the middle of an access.
    func isGone(_ device: BusDevice)
    func report(_ line: String)
    /// A thread for what comes from outside; false where there is none. Called without the lock.
    func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) -> Bool
}
