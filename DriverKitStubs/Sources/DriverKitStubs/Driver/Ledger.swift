import ActorKit
import CChorus
import CDriverGuard
import Glibc
import SimulatedBus

/// What a driver's instance holds of the system.
struct Ledger {
    var memory: [UnsafeMutableRawPointer: Int] = [:]
    var dma: [UInt64: DmaMemory] = [:]
    var interrupts: [UInt64: Interrupt] = [:]
    var timeouts: Set<UInt64> = []
    var registrations: [UInt64: Registration] = [:]

    /// Bytes an instance may have.
    static let mostMemory = 256 << 20
    static let mostDma = 64 << 20
    static let mostEntries = 4096

    var memoryBytes: Int { memory.values.reduce(0, +) }
    var dmaBytes: Int { dma.values.reduce(0) { $0 + $1.size } }

    /// In the page that nobody may touch.
    func isBehindDma(_ address: UInt) -> Bool {
        dma.values.contains { memory in
            let end = UInt(bitPattern: memory.start) + UInt(memory.size)
            return (end..<end + UInt(DmaMemory.hole)).contains(address)
        }
    }

    /// Zeroed; nil over the limits.
    mutating func allocate(_ size: Int) -> UnsafeMutableRawPointer? {
        guard size > 0, size <= Self.mostMemory - memoryBytes, memory.count < Self.mostEntries,
            let place = calloc(1, (size + 15) / 16 * 16)
        else { return nil }
        memory[place] = size
        return place
    }

    /// False for what it does not have.
    mutating func free(_ place: UnsafeMutableRawPointer) -> Bool {
        guard memory.removeValue(forKey: place) != nil else { return false }
        Glibc.free(place)
        return true
    }

    mutating func freeMemory() {
        for pointer in memory.keys { Glibc.free(pointer) }
        memory = [:]
    }

    /// What a driver should have given back, in words; "" for nothing.
    var leaks: String {
        var words: [String] = []
        if !memory.isEmpty { words.append("\(memoryBytes) bytes of memory") }
        if !dma.isEmpty { words.append("\(dmaBytes) bytes of DMA memory") }
        if !interrupts.isEmpty { words.append("\(interrupts.count) interrupt handlers") }
        if !timeouts.isEmpty { words.append("\(timeouts.count) timeouts") }
        return words.joined(separator: ", ")
    }
}

/// An interrupt handler of a driver, on a line of the nucleus.
final class Interrupt: @unchecked Sendable {
    // Sendable: what changes is reached with the instance's lock held; the rest is set before it is connected.
    unowned let instance: DriverInstance
    let handler: DrvIntrFn
    let cookie: UnsafeMutableRawPointer?
    let line: UInt32
    /// Where the device has no line of its own.
    let raw: RawDevice?
    var number: Int32 = 0
    var isDetached = false
    var masks = 0
    private var quietings: UInt64 = 0
    private var idleClaims = 0

    init(_ instance: DriverInstance, _ line: UInt32, _ handler: @escaping DrvIntrFn, _ cookie: UnsafeMutableRawPointer?)
    {
        self.instance = instance
        self.line = line
        raw = instance.device.flatMap { instance.server.raw($0) }
        self.handler = handler
        self.cookie = cookie
    }

    func connect(_ nucleus: Nucleus, _ priority: Int32) -> Int32 {
        if let raw {
            raw.add(self)
            return K_OK
        }
        let result = nucleus.svIntrConnect(
            line, priority,
            { cookie, _ in
                guard let cookie else { return K_INTR_UNCLAIMED }
                return Unmanaged<Interrupt>.fromOpaque(cookie)._withUnsafeGuaranteedRef { $0.run() }
            }, Unmanaged.passRetained(self).toOpaque())
        if result < 0 { Unmanaged.passUnretained(self).release() } else { number = result }
        guard result >= 0 else { return result }
        instance.server.lineWatch.watch(line, instance.server)
        // A driver that claimed nothing may have left the line masked; with this one it gets another chance.
        nucleus.svIntrUnMask(line)
        return result
    }

    private func run() -> Int32 {
        instance.call { own, _, fault in
            guard !isDetached else { return DRV_EIO }
            let result = drv_call_interrupt(own, handler, cookie, &fault)
            if result == BUS_INTR_CLAIMED, raw == nil { lockedCountClaim() }
            return result
        } == BUS_INTR_CLAIMED ? K_INTR_CLAIMED : K_INTR_UNCLAIMED
    }

    /// The nucleus masks a line that nobody claims. One that somebody claims without serving his device would keep it busy for ever.
    private static let mostClaims = 10_000

    private func lockedCountClaim() {
        let now = instance.device?.quietings ?? 0
        idleClaims = now == quietings ? idleClaims + 1 : 0
        quietings = now
        guard idleClaims >= Self.mostClaims else { return }
        instance.lockedFail("claimed \(idleClaims) interrupts on line \(line) without quieting its device")
    }

    /// Has it run, here or by message.
    func post() {
        guard let hosted = instance as? HostedInstance else { return _ = run() }
        hosted.post(cookie)
    }

    /// Returns when the handler runs no more; never inside a call of the driver.
    func disconnect(_ nucleus: Nucleus) {
        if let raw { return raw.remove(self) }
        if nucleus.svIntrDisConnect(line, number) >= 0 { Unmanaged.passUnretained(self).release() }
        for _ in 0..<masks { instance.device?.gate(false) }
        masks = 0
    }
}
