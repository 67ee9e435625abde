import CChorus
import CDriverGuard
import Glibc
import SimulatedBus

/// A driver whose code is in this process. Its calls go one after the other, behind the fence.
final class LocalInstance: DriverInstance, @unchecked Sendable {
    // Sendable: as its base; every call into the driver holds `lock`.
    private let driver: UnsafePointer<DrvDriver>
    private let hasOwnStack: Bool
    private var instance: UnsafeMutableRawPointer?
    /// A line that was raised in the call, to be served then.
    private var raised: UInt32?

    init(_ object: DriverObject, _ image: DriverImage, _ device: BusDevice?) {
        driver = image.driver
        hasOwnStack = image.hasOwnStack
        super.init(object, device)
        own.pointee.textStart = image.text.start
        own.pointee.textEnd = image.text.end
    }

    override func barrier() { lock.with {} }

    override func call(_ body: (UnsafeMutablePointer<DrvSelf>, UnsafeMutableRawPointer?, inout DrvFault) -> Int32)
        -> Int32
    {
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

    override func serves(_ line: UInt32) -> Bool {
        guard raised == nil || raised == line else { return false }
        raised = line
        return true
    }

    override func afterwards(_ work: @escaping () -> Void) { later.append(work) }

    private func lockedFail(_ fault: DrvFault) {
        lockedFail(
            faultText(fault, budget: Self.budget)
                + (ledger.isBehindDma(fault.address) ? ", behind the end of its DMA memory" : ""))
    }

    // MARK: life

    override func probe() -> Int32 {
        if hasOwnStack, drv_stack_make(own) < 0 { return DRV_ENOMEM }
        guard let probe = driver.pointee.probe else { return DRV_OK }
        return call { own, _, fault in drv_call_probe(own, probe, &fault) }
    }

    override func start() -> Int32 {
        guard let function = driver.pointee.`init` else { return DRV_EINVAL }
        var made: UnsafeMutableRawPointer?
        let result = call { own, _, fault in
            let result = drv_call_init(own, function, &made, &fault)
            instance = made
            return result
        }
        if result < 0 { reclaim("its init failed", quietly: true) }
        return result
    }

    override func event(_ event: UInt32) {
        let end = MemoryLayout<DrvDriver>.offset(of: \DrvDriver.event).map { $0 + 8 } ?? 0
        guard driver.pointee.size >= end, let function = driver.pointee.event else { return }
        _ = call { own, instance, fault in drv_call_event(own, function, instance, event, &fault) }
    }

    override func stop() -> Int32 {
        if state == "ok" {
            guard let unload = driver.pointee.unload else { return DRV_ENOTSUP }
            let result = call { own, instance, fault in drv_call_unload(own, unload, instance, &fault) }
            if result < 0, state == "ok" { return result }
        }
        reclaim("left behind", quietly: false)
        return DRV_OK
    }
}
