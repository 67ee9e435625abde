import CChorus
import CDriverGuard
import CMiXDriver
import Glibc
import SimulatedBus

/// A driver at work on a device; what it holds is written down, so that it can be taken back.
class DriverInstance: @unchecked Sendable {
    // Sendable: everything that changes is reached with `lock` held.
    let object: DriverObject
    let device: BusDevice?
    let server: DriverServer
    /// What the driver knows us by.
    let own: UnsafeMutablePointer<DrvSelf>
    let lock = Lock()
    final var failure: String?
    var ledger = Ledger()
    /// What must not be done while the driver is inside: done when it has left.
    final var later: [() -> Void] = []

    /// Nanoseconds that one call may take.
    static let budget: UInt64 = 2_000_000_000

    init(_ object: DriverObject, _ device: BusDevice?) {
        self.object = object
        self.device = device
        server = object.server
        own = .allocate(capacity: 1)
        own.initialize(to: DrvSelf())
        drv_self_init(own, server.calls, Unmanaged.passUnretained(self).toOpaque(), Self.budget)
    }

    deinit {
        drv_stack_free(own)
        own.deallocate()
    }

    var label: String { device.map { "\(object.name) at \($0.name)" } ?? object.name }
    var state: String { lock.with { failure ?? "ok" } }
    static let unloaded = "unloaded"
    var isUnloaded: Bool { lock.with { failure == Self.unloaded } }
    var usage: (memory: Int, dma: Int) { lock.with { (ledger.memoryBytes, ledger.dmaBytes) } }

    // MARK: what is done where the driver is

    /// Returns when nobody is inside who was when it was called.
    func barrier() {}
    /// Calls the driver. DRV_EIO once it has failed, and when it does.
    func call(_ body: (UnsafeMutablePointer<DrvSelf>, UnsafeMutableRawPointer?, inout DrvFault) -> Int32) -> Int32 {
        DRV_EIO
    }
    /// Whose call the thread is in, if it is in one.
    static func current<Result>(_ body: (DriverInstance) -> Result) -> Result? {
        drv_owner().map { Unmanaged<DriverInstance>.fromOpaque($0)._withUnsafeGuaranteedRef(body) }
    }

    /// Inside a call of the driver only: who made the call has the line served when it is over. False: it cannot.
    func serves(_ line: UInt32) -> Bool { false }
    /// Inside a call of the driver only.
    func afterwards(_ work: @escaping () -> Void) {}
    func probe() -> Int32 { DRV_OK }
    func start() -> Int32 { DRV_EIO }
    func event(_ event: UInt32) {}
    /// DRV_OK, and everything is given back; else it goes on. One that has failed always goes.
    func stop() -> Int32 { DRV_OK }
    /// DMA memory is shared with another process.
    var isHosted: Bool { false }

    // MARK: the end

    /// What it does must not go on. With the lock held where the driver is in this process.
    func lockedFail(_ what: String) {
        guard failure == nil else { return }
        failure = what
        server.nucleus.sysLog(0, "driver \(label): \(what); out of use, its devices answer EIO")
        lockedCutOff()
    }

    /// Nothing of the device reaches the driver any more, and who waits for it is told.
    final func lockedCutOff() {
        device?.reset()
        let (interrupts, registrations) = (Array(ledger.interrupts.values), Array(ledger.registrations.values))
        for interrupt in interrupts { interrupt.isDetached = true }
        ledger.interrupts = [:]
        afterwards { [self] in
            leaveLine(interrupts)
            for registration in registrations {
                registration.fail()
                server.tell(DEV_READY, registration)
            }
        }
    }

    /// Its device has been reset. Whoever stays on the line gets another chance: this one may have been the trouble.
    final func leaveLine(_ interrupts: [Interrupt]) {
        for interrupt in interrupts { interrupt.disconnect(server.nucleus) }
        if let device { server.nucleus.svIntrUnMask(device.line) }
    }

    /// Takes back what the ledger still lists.
    final func reclaim(_ why: String, quietly: Bool) {
        let (left, interrupts, registrations) = lock.with { () -> (String, [Interrupt], [Registration]) in
            let left = ledger.leaks
            let interrupts = Array(ledger.interrupts.values)
            let registrations = Array(ledger.registrations.values)
            for interrupt in interrupts { interrupt.isDetached = true }
            for handle in ledger.timeouts { _ = server.timeouts.cancel(handle) }
            if failure == nil { failure = Self.unloaded }
            for memory in ledger.dma.values { device?.revoke(memory) }
            ledger.freeMemory()
            ledger = Ledger()
            return (left, interrupts, registrations)
        }
        device?.reset()
        leaveLine(interrupts)
        for registration in registrations { registration.leave(server) }
        if !quietly, !left.isEmpty { server.nucleus.sysLog(1, "driver \(label): \(left) \(why), taken back") }
    }
}
