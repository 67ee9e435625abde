/// The services of drvServices.h as methods, for drivers in Embedded Swift: compiled into the driver, imports driver.h.
typealias Services = UnsafePointer<DrvServices>

extension UnsafePointer where Pointee == DrvServices {
    private var own: UnsafeMutableRawPointer? { pointee.`self` }

    func log(_ level: Int32, _ text: StaticString) {
        text.withUTF8Buffer { bytes in
            bytes.withMemoryRebound(to: CChar.self) { pointee.log(own, level, $0.baseAddress) }
        }
    }

    /// Memory of the ledger, zeroed; nil over the instance's limit.
    func allocate<State: BitwiseCopyable>(_ type: State.Type) -> UnsafeMutablePointer<State>? {
        pointee.memAlloc(own, MemoryLayout<State>.size)?.bindMemory(to: State.self, capacity: 1)
    }
    func free(_ memory: UnsafeMutableRawPointer?) { pointee.memFree(own, memory) }

    var now: UInt64 { pointee.now(own) }
    func timeout(
        _ nanoseconds: UInt64, _ cookie: UnsafeMutableRawPointer?, _ handle: inout DrvHandle, _ body: DrvTimeoutFn
    ) -> Int32 { pointee.timeoutSet(own, body, cookie, nanoseconds, &handle) }
    func cancel(timeout: DrvHandle) -> Int32 { pointee.timeoutCancel(own, timeout) }

    var device: DrvDeviceInfo? {
        var info = DrvDeviceInfo()
        info.size = UInt32(MemoryLayout<DrvDeviceInfo>.size)
        return pointee.deviceInfo(own, &info) >= 0 ? info : nil
    }
    func load8(_ offset: UInt32) -> UInt8 { pointee.load8(own, offset) }
    func load16(_ offset: UInt32) -> UInt16 { pointee.load16(own, offset) }
    func load32(_ offset: UInt32) -> UInt32 { pointee.load32(own, offset) }
    func load64(_ offset: UInt32) -> UInt64 { pointee.load64(own, offset) }
    func store8(_ offset: UInt32, _ value: UInt8) { pointee.store8(own, offset, value) }
    func store16(_ offset: UInt32, _ value: UInt16) { pointee.store16(own, offset, value) }
    func store32(_ offset: UInt32, _ value: UInt32) { pointee.store32(own, offset, value) }
    func store64(_ offset: UInt32, _ value: UInt64) { pointee.store64(own, offset, value) }

    func attach(
        priority: Int32, _ cookie: UnsafeMutableRawPointer?, _ handle: inout DrvHandle, _ handler: DrvIntrFn
    ) -> Int32 { pointee.intrAttach(own, 0, priority, handler, cookie, &handle) }
    func detach(_ interrupt: DrvHandle) -> Int32 { pointee.intrDetach(own, interrupt) }
    func mask(_ interrupt: DrvHandle) -> Int32 { pointee.intrMask(own, interrupt) }
    func unmask(_ interrupt: DrvHandle) -> Int32 { pointee.intrUnmask(own, interrupt) }

    func dmaAllocate(
        _ size: Int, _ memory: inout UnsafeMutableRawPointer?, _ bus: inout UInt64, _ handle: inout DrvHandle
    ) -> Int32 { pointee.dmaAlloc(own, size, &memory, &bus, &handle) }
    func dmaFree(_ dma: DrvHandle) -> Int32 { pointee.dmaFree(own, dma) }

    /// `ops`: the table of the class, in memory that stays until unload.
    func register(_ class_: UInt32, _ name: StaticString, _ ops: UnsafeRawPointer, _ handle: inout DrvHandle) -> Int32 {
        name.withUTF8Buffer { bytes in
            bytes.withMemoryRebound(to: CChar.self) {
                pointee.deviceRegister(own, class_, $0.baseAddress, ops, &handle)
            }
        }
    }
    func unregister(_ device: DrvHandle) -> Int32 { pointee.deviceUnregister(own, device) }
    func blockDone(_ request: DrvHandle, _ status: Int32) { pointee.blockDone(own, request, status) }
    func ready(_ device: DrvHandle) { pointee.charReady(own, device) }
}
