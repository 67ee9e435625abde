import CChorus
import CDriverGuard
import CMiXDriver
import CMiXFile
import Glibc
import SimulatedBus

/// A driver at work on a device in a host process. Its calls are messages, and it orders them itself: nothing is locked here
/// while it works, since it asks meanwhile.
final class HostedInstance: DriverInstance, @unchecked Sendable {
    // Sendable: as its base; everything that changes is reached with `lock` held.
    let id: UInt64
    let host: DriverHost
    let life: HostLife
    private var inside = 0
    /// Threads that do what came up `later`.
    private var settling = 0
    private var isRestarting = false
    /// Where a read's data goes, by request.
    private var reads: [UInt64: UnsafeMutableRawBufferPointer] = [:]
    private var segments: [UInt64: KnCap] = [:]
    private var handlers: [HostedHandler] = []
    private var geometries: [UInt64: DrvBlockGeometry] = [:]

    init(_ object: DriverObject, _ host: DriverHost, _ device: BusDevice?) {
        id = object.server.newHandle()
        self.host = host
        life = host.life
        super.init(object, device)
        own.pointee.isElsewhere = 1
    }

    override var isHosted: Bool { true }

    // MARK: calls

    /// A request that met the host's end and may be made again.
    static let again = Registration.again

    override func call(
        _ body: (UnsafeMutablePointer<DrvSelf>, UnsafeMutableRawPointer?, inout DrvFault) -> Int32
    ) -> Int32 {
        let refusal = lock.with { () -> Int32? in
            guard failure == nil else { return isRestarting ? Self.again : DRV_EIO }
            inside += 1
            return nil
        }
        if let refusal { return refusal }
        var fault = DrvFault()
        let result = body(own, nil, &fault)
        let work = lock.with { () -> [() -> Void] in
            inside -= 1
            return lockedTakeLater()
        }
        carryOut(work)
        return result
    }

    /// What came up and nobody does yet; who takes it carries it out. With the lock held.
    private func lockedTakeLater() -> [() -> Void] {
        guard !later.isEmpty else { return [] }
        defer { later = [] }
        settling += 1
        return later
    }

    private func carryOut(_ work: [() -> Void]) {
        guard !work.isEmpty else { return }
        for item in work { item() }
        lock.with { settling -= 1 }
    }

    /// With the lock held.
    override func afterwards(_ work: @escaping () -> Void) { later.append(work) }

    /// What came up while nobody was inside from here (a timeout of the driver's) is done too.
    func settle() {
        let work = lock.with { () -> [() -> Void] in
            guard inside == 0 else { return [] }
            return lockedTakeLater()
        }
        guard !work.isEmpty else { return }
        nonisolated(unsafe) let items = work  // run once, on the thread of timeouts
        if !server.timeouts.set(server.newHandle(), at: monotonicNow(), { [self] in carryOut(items) }) { carryOut(work) }
    }

    override func barrier() {
        for _ in 0..<HostLife.patience where lock.with({ inside > 0 }) { server.nucleus.threadDelay(1) }
    }

    func ask(
        _ op: UInt32, _ device: UInt64 = 0,
        body: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0),
        room: UnsafeMutableRawBufferPointer = UnsafeMutableRawBufferPointer(start: nil, count: 0),
        delay: Int32 = HostLife.patience, _ fill: (inout MixObjRequest) -> Void = { _ in }
    ) -> HostLife.Outcome {
        var request = MixObjRequest()
        request.op = op
        request.arg.0 = id
        request.arg.1 = device
        fill(&request)
        return life.ask(request, body: body, room: room, delay: delay)
    }

    /// An interrupt as a message that nobody waits for. One that the port's queue has no room for follows many that it holds.
    func post(_ cookie: UnsafeMutableRawPointer?) {
        guard let cookie else { return }
        let name = Unmanaged<HostedHandler>.fromOpaque(cookie)._withUnsafeGuaranteedRef { $0.name }
        var request = MixObjRequest()
        request.op = HOSTED_INTERRUPT
        (request.arg.0, request.arg.1) = (id, name)
        life.tell(request)
    }

    // MARK: life

    override func start() -> Int32 {
        life.enter(self)
        var info = DrvDeviceInfo()
        info.size = UInt32(MemoryLayout<DrvDeviceInfo>.size)
        let known = device.map { fill($0, &info) } != nil
        let result = call { _, _, _ in
            withUnsafeBytes(of: info) { bytes in
                let outcome = ask(HOSTED_START, body: known ? bytes : UnsafeRawBufferPointer(start: nil, count: 0))
                if outcome.isDead { lock.with { failure = life.epitaph } }
                return min(0, outcome.result)
            }
        }
        if result < 0 {
            reclaim("its init failed", quietly: true)
            release()
        }
        return result
    }

    override func event(_ event: UInt32) {
        _ = call { _, _, _ in ask(HOSTED_EVENT, delay: 1000) { $0.flags = event }.result }
    }

    override func stop() -> Int32 {
        if state == "ok" {
            // As one inside: what it gives back is done here, and not some time later on the thread of timeouts.
            var isDead = false
            let result = call { _, _, _ in
                let outcome = ask(HOSTED_STOP)
                isDead = outcome.isDead
                return outcome.result
            }
            if !isDead, result < 0 { return result }
        }
        reclaim("left behind", quietly: false)
        release()
        carryOut(lock.with { lockedTakeLater() })
        // Its lines and names are free when this returns: it may be loaded again at once.
        for _ in 0..<HostLife.patience where lock.with({ settling > 0 }) { server.nucleus.threadDelay(1) }
        return DRV_OK
    }

    /// Its process is ended; the rest follows from its death.
    override func lockedFail(_ what: String) { life.fail(what) }

    /// The host is gone. `restarts`: the open devices wait for the next one.
    func die(_ text: String, restarts: Bool) {
        let isFirst = lock.with { () -> Bool in
            defer { if failure != Self.unloaded { (failure, isRestarting) = (text, restarts) } }
            return failure == nil
        }
        // Before its memory is taken away.
        if isFirst { device?.reset() }
        let (interrupts, registrations) = lock.with { () -> ([Interrupt], [Registration]) in
            reads = [:]
            let interrupts = Array(ledger.interrupts.values)
            for interrupt in interrupts { interrupt.isDetached = true }
            ledger.interrupts = [:]
            for memory in ledger.dma.values { device?.revoke(memory) }
            ledger.dma = [:]
            return (interrupts, Array(ledger.registrations.values))
        }
        release()
        leaveLine(interrupts)
        for registration in registrations {
            if restarts { registration.awaitRestart() } else { registration.giveUp() }
        }
    }

    /// Another instance has taken its place; what that did not register again ends.
    func handOver() {
        let registrations = lock.with { () -> [Registration] in
            defer { ledger = Ledger() }
            failure = Self.unloaded
            return Array(ledger.registrations.values)
        }
        for registration in registrations where registration.instance === self {
            registration.giveUp()
            registration.leave(server)
        }
    }

    private func release() {
        life.leave(self)
        let segments = lock.with { () -> [KnCap] in
            defer { self.segments = [:] }
            return Array(self.segments.values)
        }
        for var segment in segments { server.nucleus.sgRelease(&segment) }
    }

    // MARK: what requests leave here; with the lock held where it says so

    func begin(read request: UInt64, _ target: UnsafeMutableRawBufferPointer) {
        lock.with { reads[request] = target }
    }
    func drop(read request: UInt64) { lock.with { reads[request] = nil } }
    func lockedTake(read request: UInt64) -> UnsafeMutableRawBufferPointer? { reads.removeValue(forKey: request) }

    func geometry(_ device: UInt64) -> DrvBlockGeometry? { lock.with { geometries[device] } }
    func keep(_ geometry: DrvBlockGeometry, of device: UInt64) { lock.with { geometries[device] = geometry } }

    func lockedKeep(_ handler: HostedHandler) { handlers.append(handler) }
    func lockedKeep(segment: KnCap, of dma: UInt64) { segments[dma] = segment }
    func lockedTake(segmentOf dma: UInt64) -> KnCap? { segments.removeValue(forKey: dma) }
}

/// An interrupt handler of a driver that lives elsewhere: the cookie of its line's handler here.
final class HostedHandler: Sendable {
    unowned let instance: HostedInstance
    /// What the host calls it.
    let name: UInt64

    init(_ instance: HostedInstance, _ name: UInt64) {
        self.instance = instance
        self.name = name
    }
}

/// What a driver is told of its device.
func fill(_ device: BusDevice, _ info: inout DrvDeviceInfo) {
    info.id = device.id
    copyText(device.name, &info.name)
    copyText(device.kind, &info.model)
    info.registerSize = device.registerSize
    info.interrupts = 1
}
