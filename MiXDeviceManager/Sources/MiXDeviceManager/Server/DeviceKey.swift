import CMiXDevice
import CMiXFile

/// What a key names. Node names carry tag 0; keys of opened terminals carry an authenticator.
enum DeviceKey {
    case memory(MemoryDevice)
    case controllingTerminal
    case consoleNode
    case stdio(Int)
    case ptmxNode
    case slaveNode(Int)
    case terminal(Int, byTty: Bool)  // opened; by /dev/tty, which it then is for stat(2)
    case master(Int)  // opened
    case attached(UInt64)  // opened
    case attachedNode(UInt64)

    static let terminalBase: UInt64 = 0xffff_fffd_0000_0000
    static let byTtyBase: UInt64 = 0xffff_fffa_0000_0000
    static let masterBase: UInt64 = 0xffff_fffc_0000_0000
    static let attachedBase: UInt64 = 0xffff_fffb_0000_0000
    static let stdioBase: UInt64 = 0xffff_fffe_0000_0000

    init?(_ key: MixKey) {
        let low = Int(key.object & 0xffff_ffff)
        switch key.object >> 32 {
        case 1:
            guard let device = MemoryDevice(rawValue: UInt32(low)) else { return nil }
            self = .memory(device)
        case 5 where low == 0: self = .controllingTerminal
        case 5 where low == 1: self = .consoleNode
        case 5 where low == 2: self = .ptmxNode
        case 136: self = .slaveNode(low)
        case Self.stdioBase >> 32 where low < 3: self = .stdio(low)
        case Self.terminalBase >> 32: self = .terminal(low, byTty: false)
        case Self.byTtyBase >> 32: self = .terminal(low, byTty: true)
        case Self.masterBase >> 32: self = .master(low)
        case Self.attachedBase >> 32: self = .attached(key.object & 0xffff_ffff)
        case 4, 10, 229, 240, 241, 254, 259: self = .attachedNode(key.object)
        default: return nil
        }
    }
}

/// Stands for DEV_KEY of mixDevice.h, a function-like macro that Swift does not see.
func deviceKey(_ major: UInt32, _ minor: UInt32) -> UInt64 { UInt64(major) << 32 | UInt64(minor) }
