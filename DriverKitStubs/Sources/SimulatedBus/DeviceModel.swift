/// A device as its specification describes it: registers, and what reading and writing them does. The bus calls it with its lock
/// held, one access at a time.
package protocol DeviceModel: AnyObject {
    /// What drivers match: "virtio-mmio", "ns16550a", ...
    var kind: String { get }
    /// The virtio device id; 0 where the model has none.
    var id: UInt32 { get }
    var registerSize: UInt32 { get }
    /// Back to the state after power-on.
    func reset()
    /// `width` is 1, 2, 4 or 8 bytes; `offset` lies inside the registers.
    func load(_ offset: UInt32, _ width: UInt32, _ bus: DeviceBus) -> UInt64
    func store(_ offset: UInt32, _ width: UInt32, _ value: UInt64, _ bus: DeviceBus)
    /// Bytes from outside (a serial line's far end). How many were taken.
    func input(_ bytes: UnsafeRawBufferPointer, _ bus: DeviceBus) -> Int
    /// Something came from outside: BusDevice.arrive.
    func arrived(_ bus: DeviceBus)

    // Without the bus' lock: of devices that have to do with what lies outside.

    /// It is on the bus. What is wrong otherwise.
    func plugged(_ device: BusDevice) throws(DeviceProblem)
    /// An access asked for it (DeviceBus.settleLater), or the device has been removed: other devices are told.
    func settle()
    /// It is on the bus no more; once. Nothing of it stays outside.
    func unplugged()
    /// What it counts, in words; "" for nothing. With the lock held.
    var notes: String { get }
}

package extension DeviceModel {
    func input(_ bytes: UnsafeRawBufferPointer, _ bus: DeviceBus) -> Int { 0 }
    func arrived(_ bus: DeviceBus) {}
    func plugged(_ device: BusDevice) throws(DeviceProblem) {}
    func settle() {}
    func unplugged() {}
    var notes: String { "" }
}

/// What a model sees of the machine: its interrupt line and the memory that its driver lets it reach.
package struct DeviceBus {
    unowned let device: BusDevice

    /// The level of its interrupt line.
    func interrupt(_ raised: Bool) { device.lockedSetLevel(raised) }

    /// The driver has reset the device: its line falls, whatever kept it up.
    func isReset() { device.lockedLetGo() }

    /// Memory at a bus address, to be read, or written too; nil, reported, where the driver has not granted all of it.
    func memory(_ address: UInt64, _ count: Int, writes: Bool = false) -> UnsafeMutableRawBufferPointer? {
        device.lockedMemory(address, count, writes: writes)
    }

    /// The model's `settle`, when this access is over and the lock free.
    func settleLater() { device.lockedSettleLater() }

    /// Whether this goes wrong now, on purpose.
    func fails(_ kind: Faults.Kind) -> Bool { device.lockedFails(kind) }
}
