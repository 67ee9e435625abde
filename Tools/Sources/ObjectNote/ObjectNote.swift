/// What an object says of itself in its CHORUS note (chorus/knNote.h), read from the file before anything of it runs.
public struct ObjectNote: Sendable, Equatable {
    public var kind: ObjectKind
    public var abiMajor: UInt16
    public var abiMinor: UInt16
    public var name: String
    public var version: String
}

public enum ObjectKind: UInt32, Sendable {
    case nucleus = 1
    case server = 2
    case driver = 3

    public var words: String {
        switch self {
        case .nucleus: "a nucleus"
        case .server: "a server"
        case .driver: "a driver"
        }
    }
}

/// `FILE: what was found; what was needed`.
public struct ObjectError: Error, CustomStringConvertible, Equatable {
    public var file: String
    public var found: String
    public var needed: String

    public var description: String { "\(file): \(found); needed: \(needed)" }
}
