/// A value of a TOML document and the line it stands on.
public struct TomlNode: Sendable, Equatable {
    public var line: Int
    public var value: TomlValue

    public init(line: Int, value: TomlValue) {
        self.line = line
        self.value = value
    }
}

public enum TomlValue: Sendable, Equatable {
    case string(String)
    case integer(Int64)
    case float(Double)
    case bool(Bool)
    case array([TomlNode])
    case table(TomlTable)

    /// What a person calls it.
    public var kind: String {
        switch self {
        case .string: "a string"
        case .integer: "an integer"
        case .float: "a floating-point number"
        case .bool: "a boolean"
        case .array: "an array"
        case .table: "a table"
        }
    }
}

/// Keys in the order of the document. `keyLines` holds where each key was written: for `[[x]]` the node's own line.
public struct TomlTable: Sendable, Equatable {
    public private(set) var keys: [String] = []
    private var nodes: [String: TomlNode] = [:]
    /// Written by a header or a value of its own; a second definition is an error.
    var closed = false
    /// `{ … }`: never extended later.
    var inline = false

    public init() {}

    public subscript(key: String) -> TomlNode? {
        get { nodes[key] }
        set {
            if nodes[key] == nil, newValue != nil { keys.append(key) }
            nodes[key] = newValue
        }
    }
}

/// Why a document is not TOML, and where.
public struct TomlError: Error, Equatable {
    public var line: Int
    public var problem: String
}
