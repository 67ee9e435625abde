import Glibc

/// A device on the bus: a model, its interrupt line, and the memory that it may reach.
package final class BusDevice: @unchecked Sendable {
    // Sendable: everything that changes is reached with `lock` held.
    package let name: String
    package let line: UInt32
    private let model: any DeviceModel
    private let host: any BusHost
    private let lock = Lock()
    private var windows: [UInt64: DmaMemory] = [:]
    private var nextAddress: UInt64 = 0x1000_0000
    private var asserted = false  // by the model
    private var gates = 0  // handlers that are masked; the device raises nothing meanwhile
    private var raised = false  // on the line
    private var removed = false
    private var settles = false
    package private(set) var faults: Faults?
    private var accesses: UInt64 = 0
    private var strays: UInt64 = 0

    package init(name: String, line: UInt32, model: any DeviceModel, host: any BusHost) {
        self.name = name
        self.line = line
        self.model = model
        self.host = host
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

    // MARK: registers

    /// All ones where there is nothing.
    package func load(_ offset: UInt32, _ width: UInt32) -> UInt64 {
        lock.with {
            accesses &+= 1
            guard inside(offset, width), !removed else { return .max }
            return model.load(offset, width, DeviceBus(device: self))
        }
    }

    package func store(_ offset: UInt32, _ width: UInt32, _ value: UInt64) {
        let settles = lock.with {
            accesses &+= 1
            guard inside(offset, width), !removed else { return false }
            model.store(offset, width, value, DeviceBus(device: self))
            return lockedSettles()
        }
        if settles { model.settle() }
    }

    private func inside(_ offset: UInt32, _ width: UInt32) -> Bool {
        offset % width == 0 && UInt64(offset) + UInt64(width) <= UInt64(model.registerSize)
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
            model.reset()
            lockedSetLevel(false)
        }
    }

    func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) -> Bool { host.startThread(name, body) }

    /// It is on the bus from now on.
    package func plug() throws(DeviceProblem) { try model.plugged(self) }

    /// Surprise removal, and the end of every other.
    package func remove() {
        let isFirst = lock.with {
            defer { removed = true }
            lockedSetLevel(false)
            return !removed
        }
        if isFirst { model.unplugged() }
    }

    // MARK: interrupts

    func lockedSetLevel(_ level: Bool) {
        var level = level
        if level, !asserted, faults?.strikes(.lostInterrupt) == true { level = false }
        asserted = level
        lockedUpdateLine()
        if !level, faults?.strikes(.spuriousInterrupt) == true { host.spurious(line) }
    }

    private func lockedUpdateLine() {
        let now = asserted && gates == 0 && !removed
        guard now != raised else { return }
        raised = now
        host.level(line, now)
    }

    /// Counts: while a handler of the device is masked it raises nothing.
    package func gate(_ closed: Bool) {
        lock.with {
            gates += closed ? 1 : -1
            lockedUpdateLine()
        }
    }

    // MARK: memory

    /// Pages with a hole behind them. nil: the host gives none.
    package func grant(_ size: Int) -> DmaMemory? {
        lock.with {
            guard let memory = DmaMemory(size, bus: nextAddress) else { return nil }
            // A gap between two grants: running over the end of one is not the beginning of the next.
            nextAddress += UInt64(memory.size) + 0x1_0000
            windows[memory.bus] = memory
            return memory
        }
    }

    package func revoke(_ memory: DmaMemory) { lock.with { windows[memory.bus] = nil } }

    func lockedMemory(_ address: UInt64, _ count: Int) -> UnsafeMutableRawBufferPointer? {
        for window in windows.values {
            guard address >= window.bus, count >= 0 else { continue }
            let offset = address - window.bus
            if offset <= UInt64(window.size), UInt64(count) <= UInt64(window.size) - offset {
                return UnsafeMutableRawBufferPointer(start: window.start + Int(offset), count: count)
            }
        }
        strays &+= 1
        if strays == 1 {
            host.report(
                "\(name): reaches for \(count) bytes at bus address 0x\(String(address, radix: 16)), which its driver did not grant"
            )
        }
        return nil
    }
}

/// Memory shared by a driver and its device.
package final class DmaMemory: @unchecked Sendable {
    // Sendable: constants; what is in it belongs to the driver and its device, who both treat it as shared.
    package let start: UnsafeMutableRawPointer
    package let size: Int
    package let bus: UInt64

    init?(_ wanted: Int, bus: UInt64) {
        let page = 4096
        guard wanted > 0, wanted <= 64 << 20 else { return nil }
        let size = (wanted + page - 1) / page * page
        // The page behind it stays inaccessible.
        let base = mmap(nil, size + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let base, base != MAP_FAILED else { return nil }
        mprotect(base, size, PROT_READ | PROT_WRITE)
        start = base
        self.size = size
        self.bus = bus
    }

    deinit { munmap(start, size + 4096) }
}

/// What the bus needs of whoever runs it. Called with the device's lock held.
package protocol BusHost: AnyObject, Sendable {
    /// The level that one device puts on a line; a line is raised while any device raises it.
    func level(_ line: UInt32, _ raised: Bool)
    func spurious(_ line: UInt32)
    func report(_ line: String)
    /// A thread for what comes from outside; false where there is none. Called without the lock.
    func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) -> Bool
}

/// A plain lock; not recursive.
package final class Lock: @unchecked Sendable {
    // Sendable: a pthread mutex is made to be used from several threads.
    private let raw: UnsafeMutablePointer<pthread_mutex_t>

    package init() {
        raw = .allocate(capacity: 1)
        raw.initialize(to: pthread_mutex_t())
        pthread_mutex_init(raw, nil)
    }

    deinit {
        pthread_mutex_destroy(raw)
        raw.deallocate()
    }

    @inline(__always) package func with<Result>(_ body: () throws -> Result) rethrows -> Result {
        pthread_mutex_lock(raw)
        defer { pthread_mutex_unlock(raw) }
        return try body()
    }
}
