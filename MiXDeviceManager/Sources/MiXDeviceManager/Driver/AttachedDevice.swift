import ActorKit
import CMiXDriver
import CMiXFile
import Glibc
import Synchronization

/// A device that a driver registered, as a node under /dev.
final class AttachedDevice: Sendable {
    /// DRV_CLASS_* of driver/drvClasses.h.
    enum Class: UInt32 { case block = 1, char, tty, net, clock, entropy }

    let handle: UInt64  // the drivers' home knows it by that
    let class_: Class
    let name: String
    let node: DeviceNode
    let secret: UInt64
    let state = Guarded(State())

    struct State {
        var opens = 0
        var isGone = false
        var watches = WatchList()
        /// Drivers say when it is worth asking again; until they have said EAGAIN it always is. Counts what they said, so that a
        /// word that overtakes an answer is not lost.
        var readies: UInt64 = 0
        var noInput = false
        var noOutput = false
        /// A serial line is a terminal.
        var terminal: Terminal?
    }

    init(handle: UInt64, class_: Class, name: String, node: DeviceNode, secret: UInt64) {
        self.handle = handle
        self.class_ = class_
        self.name = name
        self.node = node
        self.secret = secret
    }

    var isGone: Bool { state.withLock { $0.isGone } }
    var terminal: Terminal? { state.withLock { $0.terminal } }
    var key: UInt64 { DeviceKey.attachedBase | handle & 0xffff_ffff }

    /// Its driver says that it is worth asking again; `what`: DRV_READY_*, 0 where that is not known.
    func ready(_ what: UInt32, _ effects: EffectSink) {
        var gathered = Effects()
        state.withLock { state in
            state.readies += 1
            if what != DRV_READY_OUTPUT { state.noInput = false }
            if what != DRV_READY_INPUT { state.noOutput = false }
            let now = state.events
            state.watches.fire(&gathered.posts) { _ in now }
        }
        effects.perform(gathered)
    }

    /// `diag` of a transfer that began when `readies` was this.
    func answered(_ diag: Int64, since readies: UInt64, writing: Bool) {
        let isBusy = diag == failure(EAGAIN)
        state.withLock { state in
            if isBusy, state.readies != readies { return }
            if writing { state.noOutput = isBusy } else { state.noInput = isBusy }
        }
    }
}

extension AttachedDevice.State {
    /// Poll bits true now, as far as is known.
    var events: UInt32 {
        if isGone { return Poll.input | Poll.output | Poll.error | Poll.hangUp }
        return (noInput ? 0 : Poll.input) | (noOutput ? 0 : Poll.output)
    }
}

/// The attached devices by their handles, and the numbers of their nodes.
struct AttachedTable {
    private(set) var devices: [UInt64: AttachedDevice] = [:]

    func device(_ handle: UInt64) -> AttachedDevice? { devices[handle] }
    func device(node: UInt64) -> AttachedDevice? {
        devices.values.first { deviceKey($0.node.major, $0.node.minor) == node }
    }
    var all: [AttachedDevice] { devices.values.sorted { $0.handle < $1.handle } }
    mutating func add(_ device: AttachedDevice) { devices[device.handle] = device }
    mutating func remove(_ device: AttachedDevice) { devices[device.handle] = nil }

    /// Numbers as Documentation/admin-guide/devices.txt of Linux gives them, where it has any: 259 block extended, 4 serial from
    /// minor 64, 229 consoles, 10 miscellaneous with 183 for the random source, 254 and 240 to
    /// 241 for local use.
    func node(_ class_: AttachedDevice.Class, _ name: String) -> DeviceNode? {
        func free(_ major: UInt32, _ range: Range<UInt32>) -> UInt32? {
            range.first { minor in device(node: deviceKey(major, minor)) == nil }
        }
        let (major, range, mode, gid): (UInt32, Range<UInt32>, UInt32, UInt32)
        switch class_ {
        case .block: (major, range, mode, gid) = (259, 0..<4096, S_IFBLK | 0o660, 6)
        case .tty where name.hasPrefix("hvc"): (major, range, mode, gid) = (229, 0..<64, S_IFCHR | 0o660, 20)
        case .tty: (major, range, mode, gid) = (4, 64..<256, S_IFCHR | 0o660, 20)
        case .entropy: (major, range, mode, gid) = (10, name == "hwrng" ? 183..<184 : 200..<256, S_IFCHR | 0o600, 0)
        case .clock: (major, range, mode, gid) = (254, 0..<256, S_IFCHR | 0o600, 0)
        case .char: (major, range, mode, gid) = (240, 0..<4096, S_IFCHR | 0o666, 0)
        case .net: (major, range, mode, gid) = (241, 0..<256, S_IFCHR | 0o600, 0)
        }
        // ttyS3 and hvc3 are the fourth of their kind, where that place is free.
        let own =
            name.hasPrefix("ttyS") ? UInt32(name.dropFirst(4)) : name.hasPrefix("hvc") ? UInt32(name.dropFirst(3)) : nil
        let wanted = own.flatMap {
            $0 < 256 ? free(major, range.clamped(to: range.lowerBound + $0..<range.lowerBound + $0 + 1)) : nil
        }
        guard let minor = wanted ?? free(major, range) else { return nil }
        return DeviceNode(name: name, mode: mode, major: major, minor: minor, uid: 0, gid: gid)
    }
}
