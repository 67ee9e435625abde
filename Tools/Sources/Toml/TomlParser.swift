/// Reads a TOML 1.0 document (toml.io/en/v1.0.0) without dates, which no manifest uses. Every node keeps its line, which
/// is what lets a later semantic error point at it. Nesting is bounded: a hostile file cannot exhaust the stack.
public struct TomlParser {
    var scanner: TomlScanner
    static let maxDepth = 64

    public static func parse(_ source: String) throws(TomlError) -> TomlTable {
        var parser = TomlParser(scanner: TomlScanner(source))
        return try parser.document()
    }

    private mutating func document() throws(TomlError) -> TomlTable {
        var root = TomlTable()
        var prefix: [String] = []
        while scanner.skipToStatement() {
            if scanner.peek == UInt8(ascii: "[") {
                prefix = try header(&root)
            } else {
                let line = scanner.line
                let path = try keyPath()
                try scanner.expect(UInt8(ascii: "="), "after the key")
                let node = TomlNode(line: line, value: try value(depth: 0))
                try Self.insert(node, at: path, under: prefix[...], into: &root, line: line)
            }
            try scanner.endOfLine()
        }
        return root
    }

    /// `[a.b]` or `[[a.b]]`; returns the path that following keys live under.
    private mutating func header(_ root: inout TomlTable) throws(TomlError) -> [String] {
        let line = scanner.line
        scanner.advance()
        let isArray = scanner.peek == UInt8(ascii: "[")
        if isArray { scanner.advance() }
        let path = try keyPath()
        try scanner.expect(UInt8(ascii: "]"), "to close the table header")
        if isArray { try scanner.expect(UInt8(ascii: "]"), "to close the table header") }
        try Self.open(path[...], array: isArray, in: &root, line: line)
        return path
    }

    mutating func keyPath() throws(TomlError) -> [String] {
        var path: [String] = []
        repeat {
            scanner.skipBlanks()
            path.append(try scanner.key())
            scanner.skipBlanks()
            if path.count > Self.maxDepth { throw scanner.error("the key has too many parts") }
        } while scanner.take(UInt8(ascii: "."))
        return path
    }

    mutating func value(depth: Int) throws(TomlError) -> TomlValue {
        if depth > Self.maxDepth { throw scanner.error("values are nested too deeply") }
        scanner.skipBlanks()
        switch scanner.peek {
        case UInt8(ascii: "\""), UInt8(ascii: "'"): return .string(try scanner.string())
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "{"): return try inlineTable(depth: depth)
        default: return try scanner.scalar()
        }
    }

    private mutating func array(depth: Int) throws(TomlError) -> TomlValue {
        scanner.advance()
        var items: [TomlNode] = []
        while true {
            scanner.skipBlanksAndLines()
            if scanner.take(UInt8(ascii: "]")) { return .array(items) }
            items.append(TomlNode(line: scanner.line, value: try value(depth: depth + 1)))
            scanner.skipBlanksAndLines()
            if scanner.take(UInt8(ascii: "]")) { return .array(items) }
            try scanner.expect(UInt8(ascii: ","), "or \"]\" in the array")
        }
    }

    private mutating func inlineTable(depth: Int) throws(TomlError) -> TomlValue {
        scanner.advance()
        var table = TomlTable()
        scanner.skipBlanks()
        if !scanner.take(UInt8(ascii: "}")) {
            while true {
                let line = scanner.line
                let path = try keyPath()
                try scanner.expect(UInt8(ascii: "="), "after the key")
                let node = TomlNode(line: line, value: try value(depth: depth + 1))
                try Self.insert(node, at: path, under: [], into: &table, line: line)
                scanner.skipBlanks()
                if scanner.take(UInt8(ascii: "}")) { break }
                try scanner.expect(UInt8(ascii: ","), "or \"}\" in the inline table")
            }
        }
        table.inline = true
        return .table(table)
    }
}
