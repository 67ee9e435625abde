import CChorus
import CDriverGuard
import CMiXDriver
import Glibc
import SimulatedBus

/// A driver at work on a device. Its calls go one after the other, behind the fence; what it holds is written down, so that it
/// can be taken back.
final class DriverInstance: @unchecked Sendable {
    // Sendable: everything that changes is reached with `lock` held, which every call into the driver holds.
    let object: DriverObject
    let device: BusDevice?
    let server: DriverServer
    /// What the driver knows us by.
    let own: UnsafeMutablePointer<DrvSelf>
    private let lock = Lock()
    private var instance: UnsafeMutableRawPointer?
    private var failure: String?
    var ledger = Ledger()
    /// What must not be done while the driver is inside: done when it has left.
    private var later: [() -> Void] = []
    /// A line that was raised in the call, to be served then.
    private var raised: UInt32?

    /// Nanoseconds that one call may take.
    static let budget: UInt64 = 2_000_000_000

    init(_ object: DriverObject, _ device: BusDevice?) {
        self.object = object
        self.device = device
        server = object.server
        own = .allocate(capacity: 1)
        own.initialize(to: DrvSelf())
        drv_self_init(own, server.calls, Unmanaged.passUnretained(self).toOpaque(), Self.budget)
        own.pointee.textStart = object.text.start
        own.pointee.textEnd = object.text.end
    }

    deinit {
        drv_stack_free(own)
        own.deallocate()
    }

    var label: String { device.map { "\(object.name) at \($0.name)" } ?? object.name }
    var state: String { lock.with { failure ?? "ok" } }
    private static let unloaded = "unloaded"
    var isUnloaded: Bool { lock.with { failure == Self.unloaded } }
    /// Returns when nobody is inside who was when it was called.
    func barrier() { lock.with {} }
    var usage: (memory: Int, dma: Int) { lock.with { (ledger.memoryBytes, ledger.dmaBytes) } }

    /// Calls the driver. DRV_EIO once it has failed, and when it does.
    func call(_ body: (UnsafeMutablePointer<DrvSelf>, UnsafeMutableRawPointer?, inout DrvFault) -> Int32) -> Int32 {
        var work: [() -> Void] = []
        var line: UInt32?
        let result = lock.with { () -> Int32 in
            guard failure == nil else { return DRV_EIO }
            var fault = DrvFault()
            let result = body(own, instance, &fault)
            if fault.signal != 0 {
                own.pointee.stack = 0  // left as it is
                lockedFail(fault)
            }
            if !later.isEmpty { swap(&work, &later) }
            swap(&line, &raised)
            return result
        }
        for item in work { item() }
        if let line { server.nucleus.svIntrTrigger(line, K_INTR_RUN) }
        return result
    }

    /// Whose call the thread is in, if it is in one.
    static func current<Result>(_ body: (DriverInstance) -> Result) -> Result? {
        drv_owner().map { Unmanaged<DriverInstance>.fromOpaque($0)._withUnsafeGuaranteedRef(body) }
    }

    /// Inside a call of the driver only: who made the call has the line served when it is over. False: it has another one to serve.
    func serves(_ line: UInt32) -> Bool {
        guard raised == nil || raised == line else { return false }
        raised = line
        return true
    }

    /// Inside a call of the driver only.
    func afterwards(_ work: @escaping () -> Void) { later.append(work) }

    private func lockedFail(_ fault: DrvFault) {
        var text = [CChar](repeating: 0, count: 256)
        drv_symbol(fault.pc, &text, text.count)
        let place = text.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
        let what =
            fault.signal == DRV_LATE
            ? "took longer than \(Self.budget / 1_000_000_000) s and was cut off in \(place)"
            : "\(Self.signalName(fault.signal)) at address 0x\(String(fault.address, radix: 16)) in \(place)"
                + (ledger.isBehindDma(fault.address) ? ", behind the end of its DMA memory" : "")
        lockedFail(what)
    }

    /// Inside a call of the driver only.
    func lockedFail(_ what: String) {
        guard failure == nil else { return }
        failure = what
        server.nucleus.sysLog(0, "driver \(label): \(what); out of use, its devices answer EIO")
        lockedCutOff()
    }

    private static func signalName(_ number: Int32) -> String {
        switch number {
        case SIGSEGV: "SIGSEGV"
        case SIGBUS: "SIGBUS"
        case SIGFPE: "SIGFPE"
        case SIGILL: "SIGILL"
        case SIGABRT: "SIGABRT"
        default: "signal \(number)"
        }
    }

    /// Nothing of the device reaches the driver any more, and who waits for it is told.
    private func lockedCutOff() {
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
    private func leaveLine(_ interrupts: [Interrupt]) {
        for interrupt in interrupts { interrupt.disconnect(server.nucleus) }
        if let device { server.nucleus.svIntrUnMask(device.line) }
    }

    // MARK: life

    func probe() -> Int32 {
        if object.hasOwnStack, drv_stack_make(own) < 0 { return DRV_ENOMEM }
        guard let probe = object.driver.pointee.probe else { return DRV_OK }
        return call { own, _, fault in drv_call_probe(own, probe, &fault) }
    }

    func start() -> Int32 {
        guard let function = object.driver.pointee.`init` else { return DRV_EINVAL }
        var made: UnsafeMutableRawPointer?
        let result = call { own, _, fault in
            let result = drv_call_init(own, function, &made, &fault)
            instance = made
            return result
        }
        if result < 0 { reclaim("its init failed", quietly: true) }
        return result
    }

    func event(_ event: UInt32) {
        let end = MemoryLayout<DrvDriver>.offset(of: \DrvDriver.event).map { $0 + 8 } ?? 0
        guard object.driver.pointee.size >= end, let function = object.driver.pointee.event else { return }
        _ = call { own, instance, fault in drv_call_event(own, function, instance, event, &fault) }
    }

    /// DRV_OK, and everything is given back; else it goes on. One that has failed always goes.
    func stop() -> Int32 {
        if state == "ok" {
            guard let unload = object.driver.pointee.unload else { return DRV_ENOTSUP }
            let result = call { own, instance, fault in drv_call_unload(own, unload, instance, &fault) }
            if result < 0, state == "ok" { return result }
        }
        reclaim("left behind", quietly: false)
        return DRV_OK
    }

    /// Takes back what the ledger still lists.
    private func reclaim(_ why: String, quietly: Bool) {
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
