import CChorus

/// A static-stamp group by the name a manifest gives it. Further servers use four capital letters of their own,
/// which are their stamp.
public struct GroupName: Sendable, Hashable {
    public var name: String
    public var stamp: UInt32

    public static let accepted = "PROCESS, FILE, DEVICE, SOCKET, DRIVER, or four capital letters of your own"

    public init?(_ name: String) {
        switch name {
        case "PROCESS": stamp = K_STAMP_PROCESS
        case "FILE": stamp = K_STAMP_FILE
        case "DEVICE": stamp = K_STAMP_DEVICE
        case "SOCKET": stamp = K_STAMP_SOCKET
        case "DRIVER": stamp = K_STAMP_DRIVER
        default:
            let letters = Array(name.utf8)
            guard letters.count == 4, letters.allSatisfy({ (0x41...0x5a).contains($0) }) else { return nil }
            stamp = letters.reduce(0) { $0 << 8 | UInt32($1) }
        }
        self.name = name
    }
}
