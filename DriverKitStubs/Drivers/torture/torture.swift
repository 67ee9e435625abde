/// Drivers in Embedded Swift that do what drivers must not; -D says what: FAULT, LOOP, DEEP, LEAK, or nothing bad at all.

/// Something with a count of references, alive while the fault happens.
private final class Held {
    var numbers: [Int32]
    init(_ count: Int) { numbers = [Int32](repeating: 7, count: count) }
    deinit { numbers = [] }
}

/// Uses up the stack, in the driver's own code: in the C library a fault may leave a lock behind.
@inline(never) private func deep(_ held: Held, _ level: Int32) -> Int32 {
    withUnsafeTemporaryAllocation(of: Int32.self, capacity: 128) { room in
        room.initialize(repeating: level)
        if level < 0 { return 0 }
        return deep(held, level &+ 1) &+ room[Int(level & 127)] &+ held.numbers[0]
    }
}

private struct Torture: BitwiseCopyable {
    var ops = DrvCharOps()  // first: where the instance is
    let services: Services
    var device: DrvHandle = 0

    init(_ services: Services) {
        self.services = services
        ops.size = UInt32(MemoryLayout<DrvCharOps>.size)
        ops.read = { _, bytes, count, _ in
            let held = Held(Int(count))
            #if FAULT
                return held.numbers[Int(count) + 1]
            #elseif LOOP
                while held.numbers[0] == 7 { held.numbers[held.numbers.count - 1] = 7 }
                return 0
            #elseif DEEP
                return deep(held, 0)
            #else
                guard count > 0, let bytes else { return 0 }
                bytes.storeBytes(of: 0x78, as: UInt8.self)
                return 1
            #endif
        }
        ops.write = { _, _, count, _ in Int32(count) }
    }
}

@c(drvProbe)
func probe(_ services: Services?) -> Int32 { DRV_OK }

@c(drvInit)
func start(_ services: Services?, _ instance: UnsafeMutablePointer<UnsafeMutableRawPointer?>?) -> Int32 {
    guard let services, let instance else { return DRV_EINVAL }
    guard let memory = services.allocate(Torture.self) else { return DRV_ENOMEM }
    memory.initialize(to: Torture(services))
    let result = services.register(DRV_CLASS_CHAR, "torture", memory, &memory.pointee.device)
    if result < 0 { services.free(memory) }
    instance.pointee = UnsafeMutableRawPointer(memory)
    return result
}

@c(drvUnload)
func unload(_ instance: UnsafeMutableRawPointer?) -> Int32 {
    guard let memory = instance?.assumingMemoryBound(to: Torture.self) else { return DRV_EINVAL }
    let services = memory.pointee.services
    let result = services.unregister(memory.pointee.device)
    if result < 0 { return result }
    #if !LEAK
        services.free(memory)
    #endif
    return DRV_OK
}

@c(drvEvent)
func event(_ instance: UnsafeMutableRawPointer?, _ event: UInt32) {}
