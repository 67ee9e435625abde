import ActorKit
import CMiXFile

/// A device of a driver as a message of the state. The driver goes on meanwhile; a serial line's terminal has a message of its own.
extension DeviceManager {
    func write(_ device: AttachedDevice, _ out: inout StateWriter) {
        out.put(device.handle)
        out.put(device.class_.rawValue)
        out.put(Array(device.name.utf8))
        for value in [device.node.mode, device.node.major, device.node.minor, device.node.uid, device.node.gid] {
            out.put(value)
        }
        out.put(device.secret)
        out.put(Int32(clamping: device.state.withLock { $0.opens }))
    }

    func takeAttached(_ input: inout StateReader) -> Bool {
        guard let handle: UInt64 = input.get(), let raw: UInt32 = input.get(),
            let class_ = AttachedDevice.Class(rawValue: raw),
            let name = input.bytes(), name.count <= 31, let mode: UInt32 = input.get(), let major: UInt32 = input.get(),
            let minor: UInt32 = input.get(), minor < 4096, let uid: UInt32 = input.get(), let gid: UInt32 = input.get(),
            let secret: UInt64 = input.get(), let opens: Int32 = input.get()
        else { return false }
        let text = String(decoding: name, as: UTF8.self)
        let node = DeviceNode(name: text, mode: mode, major: major, minor: minor, uid: uid, gid: gid)
        let device = AttachedDevice(handle: handle, class_: class_, name: text, node: node, secret: secret)
        device.state.withLock { $0.opens = Int(opens) }
        attached.withLock { $0.add(device) }
        prepare(device)
        return true
    }
}
