import CChorus
import CDriverGuard
import CMiXDriver
import CMiXFile
import Glibc
import ActorKit
import SimulatedBus

/// A driver at work, in its host. Its calls go one after the other, behind the same fence as in the home; behind it waits the
/// end of the process.
final class HostInstance: @unchecked Sendable {
    // Sendable: everything that changes is reached with `lock` held, which every call into the driver holds.
    let host: HostActor
    /// What the home calls it.
    let id: UInt64
    let info: DrvDeviceInfo?
    private let own: UnsafeMutablePointer<DrvSelf>
    private let lock = Lock()
    private var instance: UnsafeMutableRawPointer?
    var ledger = Ledger()
    var handlers: [UInt64: (function: DrvIntrFn, cookie: UnsafeMutableRawPointer?)] = [:]
    var devices: [UInt64: UnsafeRawPointer] = [:]
    var requests: [UInt64: Transfer] = [:]
    var dma: [UInt64: HostDma] = [:]

    /// A block request's data while the driver has it.
    struct Transfer {
        let op: UInt32
        let data: UnsafeMutableRawBufferPointer
    }

    init(_ host: HostActor, _ id: UInt64, _ body: UnsafeRawBufferPointer) {
        self.host = host
        self.id = id
        info = body.count == MemoryLayout<DrvDeviceInfo>.size ? body.loadUnaligned(as: DrvDeviceInfo.self) : nil
        own = .allocate(capacity: 1)
        own.initialize(to: DrvSelf())
        drv_self_init(
            own, HostServices.shared.pointer, Unmanaged.passUnretained(self).toOpaque(), DriverInstance.budget)
        own.pointee.textStart = host.image.text.start
        own.pointee.textEnd = host.image.text.end
    }

    deinit {
        ledger.freeMemory()
        for request in requests.values { request.data.deallocate() }
        for region in dma.values { region.free(host.nucleus) }
        own.deallocate()
    }

    func call(_ body: (UnsafeMutablePointer<DrvSelf>, UnsafeMutableRawPointer?, inout DrvFault) -> Int32) -> Int32 {
        lock.with {
            var fault = DrvFault()
            let result = body(own, instance, &fault)
            if fault.signal != 0 { host.end(self, faultText(fault, budget: DriverInstance.budget)) }
            return result
        }
    }

    // MARK: life

    func start() -> Int32 {
        let driver = host.image.driver.pointee
        if let probe = driver.probe {
            let result = call { own, _, fault in drv_call_probe(own, probe, &fault) }
            if result < 0 { return result }
        }
        guard let function = driver.`init` else { return DRV_EINVAL }
        var made: UnsafeMutableRawPointer?
        return call { own, _, fault in
            let result = drv_call_init(own, function, &made, &fault)
            instance = made
            return result
        }
    }

    func event(_ event: UInt32) -> Int32 {
        let driver = host.image.driver.pointee
        let end = MemoryLayout<DrvDriver>.offset(of: \DrvDriver.event).map { $0 + 8 } ?? 0
        guard driver.size >= end, let function = driver.event else { return DRV_OK }
        return call { own, instance, fault in drv_call_event(own, function, instance, event, &fault) }
    }

    func stop() -> Int32 {
        guard let unload = host.image.driver.pointee.unload else { return DRV_ENOTSUP }
        let result = call { own, instance, fault in drv_call_unload(own, unload, instance, &fault) }
        if result < 0 { return result }
        let left = lock.with { () -> String in
            for handle in ledger.timeouts { _ = host.timeouts.cancel(handle) }
            defer {
                ledger.freeMemory()
                ledger = Ledger()
            }
            return ledger.leaks
        }
        if !left.isEmpty { log(1, "\(left) left behind, taken back") }
        return DRV_OK
    }

    func interrupt(_ name: UInt64) -> Int32 {
        call { own, _, fault in
            guard let handler = handlers[name] else { return BUS_INTR_UNCLAIMED }
            return drv_call_interrupt(own, handler.function, handler.cookie, &fault)
        }
    }

    // MARK: asking the home

    func request(_ op: UInt32, _ name: UInt64 = 0) -> MixObjRequest {
        var request = MixObjRequest()
        request.op = op
        request.arg.0 = id
        request.arg.1 = name
        return request
    }

    func ask(_ op: UInt32, _ name: UInt64 = 0, _ fill: (inout MixObjRequest) -> Void = { _ in }) -> MixObjReply {
        var request = request(op, name)
        fill(&request)
        return host.ask(request)
    }

    func log(_ level: Int32, _ text: String) {
        var request = request(HOST_LOG)
        request.flags = UInt32(max(0, min(3, level)))
        _ = host.ask(request, body: Array(text.utf8) + [0])
    }
}

/// DMA memory as it is mapped here, with a page behind it that cannot be touched.
struct HostDma {
    let start: UInt64
    let size: UInt64

    /// `segment` of the home's; nil where it cannot be mapped.
    init?(_ segment: KnCap, size: UInt64, _ nucleus: Nucleus) {
        let page: UInt64 = 4096
        guard size > 0, size <= 64 << 20, size % page == 0 else { return nil }
        let base = mmap(nil, Int(size + page), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let base, base != MAP_FAILED else { return nil }
        munmap(base, Int(size))
        start = UInt64(UInt(bitPattern: base))
        self.size = size
        var region = KnRgnDesc()
        (region.startAddr, region.size, region.options) = (start, size, K_READABLE | K_WRITABLE)
        var object = KnObjDesc(dataObject: segment, startOffset: 0, size: size)
        guard nucleus.rgnMap(nil, &region, &object) >= 0 else {
            munmap(base + Int(size), Int(page))
            return nil
        }
    }

    func free(_ nucleus: Nucleus) {
        var region = KnRgnDesc()
        (region.startAddr, region.size) = (start, size)
        nucleus.rgnFree(nil, &region)
        munmap(UnsafeMutableRawPointer(bitPattern: UInt(start + size)), 4096)
    }
}
