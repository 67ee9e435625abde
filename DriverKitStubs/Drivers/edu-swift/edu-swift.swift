/// edu-swift: the teaching device as /dev/edu, in Embedded Swift: write a number in decimal, read its factorial (modulo 2^32). edu.c does
/// the same in C. An instance lives in memory of the ledger; calls of one instance never overlap, so it needs no lock.

private enum Register {
    static let identity: UInt32 = 0x00, factorial: UInt32 = 0x08, status: UInt32 = 0x20
    static let interrupts: UInt32 = 0x24, acknowledge: UInt32 = 0x64
}

private struct Edu: BitwiseCopyable {
    var ops = DrvCharOps()  // first: where the instance is
    let services: Services
    var device: DrvHandle = 0
    var interrupt: DrvHandle = 0
    /// Decimal digits and a newline at its end, from `next` on yet to be read.
    var answer: (UInt64, UInt64) = (0, 0)
    var next = Self.end
    static let end = 16
    /// The device has not answered yet.
    var isWorking = false

    mutating func write(_ bytes: UnsafeRawBufferPointer) -> Int32 {
        var number: UInt32 = 0
        var digits = 0
        for byte in bytes {
            if byte == 0x0a { break }
            guard (0x30...0x39).contains(byte), digits < 4 else { return DRV_EINVAL }
            number = number * 10 + UInt32(byte - 0x30)
            digits += 1
        }
        guard digits > 0 else { return DRV_EINVAL }
        next = Self.end
        isWorking = true
        services.store32(Register.factorial, number)
        return Int32(clamping: bytes.count)
    }

    mutating func read(into target: UnsafeMutableRawBufferPointer) -> Int32 {
        if isWorking { return DRV_EAGAIN }  // `ready` follows
        let count = min(target.count, Self.end - next)
        withUnsafeBytes(of: answer) { answer in
            for index in 0..<count { target[index] = answer[next + index] }
        }
        next += count
        return Int32(count)
    }

    mutating func interrupted() -> Int32 {
        let bits = services.load32(Register.interrupts)
        if bits == 0 { return BUS_INTR_UNCLAIMED }  // somebody else's, on a shared line
        services.store32(Register.acknowledge, bits)
        if bits & 1 != 0 {
            put(services.load32(Register.factorial))
            isWorking = false
            services.ready(device)
        }
        return BUS_INTR_CLAIMED
    }

    private mutating func put(_ number: UInt32) {
        withUnsafeMutableBytes(of: &answer) { bytes in
            var (at, rest) = (Self.end - 1, number)
            bytes[at] = 0x0a
            repeat {
                at -= 1
                bytes[at] = UInt8(0x30 + rest % 10)
                rest /= 10
            } while rest > 0
            next = at
        }
    }

    init(_ services: Services) {
        self.services = services
        ops.size = UInt32(MemoryLayout<DrvCharOps>.size)
        ops.read = { own, bytes, count, _ in
            edu(own) { $0.read(into: UnsafeMutableRawBufferPointer(start: bytes, count: Int(count))) }
        }
        ops.write = { own, bytes, count, _ in
            edu(own) { $0.write(UnsafeRawBufferPointer(start: bytes, count: Int(count))) }
        }
    }
}

private func edu(_ instance: UnsafeMutableRawPointer?, _ body: (inout Edu) -> Int32) -> Int32 {
    guard let instance else { return DRV_EINVAL }
    return body(&instance.assumingMemoryBound(to: Edu.self).pointee)
}

@c(drvProbe)
func probe(_ services: Services?) -> Int32 {
    guard let services else { return DRV_EINVAL }
    return services.load32(Register.identity) & 0xff == 0xed ? DRV_OK : DRV_ENODEV
}

@c(drvInit)
func start(_ services: Services?, _ instance: UnsafeMutablePointer<UnsafeMutableRawPointer?>?) -> Int32 {
    guard let services, let instance else { return DRV_EINVAL }
    guard let memory = services.allocate(Edu.self) else { return DRV_ENOMEM }
    memory.initialize(to: Edu(services))
    var result = services.attach(priority: 10, memory, &memory.pointee.interrupt) { own in
        edu(own) { $0.interrupted() }
    }
    if result >= 0 {
        services.store32(Register.status, 0x80)  // an interrupt when a factorial is done
        result = services.register(DRV_CLASS_CHAR, "edu", memory, &memory.pointee.device)
    }
    if result < 0 { _ = unload(memory) }
    instance.pointee = UnsafeMutableRawPointer(memory)
    return result
}

@c(drvUnload)
func unload(_ instance: UnsafeMutableRawPointer?) -> Int32 {
    guard let memory = instance?.assumingMemoryBound(to: Edu.self) else { return DRV_EINVAL }
    let services = memory.pointee.services
    if memory.pointee.device != 0 {
        let result = services.unregister(memory.pointee.device)
        if result < 0 { return result }
    }
    services.store32(Register.status, 0)
    if memory.pointee.interrupt != 0 { _ = services.detach(memory.pointee.interrupt) }
    services.free(memory)
    return DRV_OK
}

@c(drvEvent)
func event(_ instance: UnsafeMutableRawPointer?, _ event: UInt32) {}
