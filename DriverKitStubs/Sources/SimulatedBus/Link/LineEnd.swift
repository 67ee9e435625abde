/// What lies at the far end of a serial line. The model calls it with its device's lock held; it waits for nothing.
protocol LineEnd: AnyObject, Sendable {
    /// How many bytes it took; after less than all of them the device is told (BusDevice.arrive) when it takes more.
    func send(_ bytes: UnsafeRawBufferPointer) -> Int
    /// Bytes from there; 0 for none.
    func receive(_ target: UnsafeMutableRawBufferPointer) -> Int
    /// The driver has reset its device: what it has not taken yet was for another.
    func reset()
    func plug(_ device: BusDevice) throws(DeviceProblem)
    func unplug()
    /// Somebody is there: the line has a carrier.
    var isConnected: Bool { get }
    /// What is sent comes back, a break too.
    var isLoop: Bool { get }
    var notes: String { get }
}

/// A loop plug: what is sent comes back.
final class LoopPlug: LineEnd, @unchecked Sendable {
    // Sendable: used with the device's lock held.
    private var bytes: [UInt8] = []
    private static let most = 4096

    func send(_ more: UnsafeRawBufferPointer) -> Int {
        let taken = min(more.count, Self.most - bytes.count)
        bytes += more[..<taken]
        return taken
    }

    func receive(_ target: UnsafeMutableRawBufferPointer) -> Int {
        let taken = min(target.count, bytes.count)
        target.copyBytes(from: bytes[..<taken])
        bytes.removeFirst(taken)
        return taken
    }

    func reset() { bytes = [] }
    func plug(_ device: BusDevice) {}
    func unplug() {}
    var isConnected: Bool { true }
    var isLoop: Bool { true }
    var notes: String { "loop plug" }
}
