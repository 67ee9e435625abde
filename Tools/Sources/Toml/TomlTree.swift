/// Placing keys and headers in the tree, with the rules of TOML about what may be defined twice.
extension TomlParser {
    /// `path = node` below the table that `prefix` names.
    static func insert(
        _ node: TomlNode, at path: [String], under prefix: ArraySlice<String>, into table: inout TomlTable, line: Int
    ) throws(TomlError) {
        if let first = prefix.first {
            try descend(first, of: &table, line: line, dotted: false) { (inner: inout TomlTable) throws(TomlError) in
                try insert(node, at: path, under: prefix.dropFirst(), into: &inner, line: line)
            }
        } else if path.count > 1, let first = path.first {
            try descend(first, of: &table, line: line, dotted: true) { (inner: inout TomlTable) throws(TomlError) in
                try insert(node, at: Array(path.dropFirst()), under: [], into: &inner, line: line)
            }
        } else if let key = path.first {
            if let before = table[key] {
                throw TomlError(line: line, problem: "key \"\(key)\" is already set on line \(before.line)")
            }
            table[key] = node
        }
    }

    /// A `[path]` or `[[path]]` header.
    static func open(_ path: ArraySlice<String>, array: Bool, in table: inout TomlTable, line: Int) throws(TomlError) {
        guard let key = path.first else { return }
        if path.count > 1 {
            try descend(key, of: &table, line: line, dotted: false) { (inner: inout TomlTable) throws(TomlError) in
                try open(path.dropFirst(), array: array, in: &inner, line: line)
            }
            return
        }
        var fresh = TomlTable()
        fresh.closed = true
        switch (table[key]?.value, array) {
        case (nil, false):
            table[key] = TomlNode(line: line, value: .table(fresh))
        case (nil, true):
            table[key] = TomlNode(line: line, value: .array([TomlNode(line: line, value: .table(fresh))]))
        case (.table(var old)?, false) where !old.closed && !old.inline:
            old.closed = true
            table[key] = TomlNode(line: line, value: .table(old))
        case (.array(var items)?, true) where items.allSatisfy(\.isOpenTable):
            items.append(TomlNode(line: line, value: .table(fresh)))
            table[key] = TomlNode(line: table[key]?.line ?? line, value: .array(items))
        default:
            let before = table[key]?.line ?? 0
            throw TomlError(line: line, problem: "\"\(key)\" is already defined on line \(before)")
        }
    }

    /// Runs `body` on the table that `key` names, made when missing; of an array of tables, on the last one.
    private static func descend(
        _ key: String, of table: inout TomlTable, line: Int, dotted: Bool,
        _ body: (inout TomlTable) throws(TomlError) -> Void
    ) throws(TomlError) {
        switch table[key]?.value {
        case nil:
            var inner = TomlTable()
            inner.closed = dotted
            try body(&inner)
            table[key] = TomlNode(line: line, value: .table(inner))
        case .table(var inner)? where !inner.inline:
            try body(&inner)
            table[key] = TomlNode(line: table[key]?.line ?? line, value: .table(inner))
        case .array(var items)? where !dotted:
            guard let last = items.last, case .table(var inner) = last.value, !inner.inline else { fallthrough }
            try body(&inner)
            items[items.count - 1] = TomlNode(line: last.line, value: .table(inner))
            table[key] = TomlNode(line: table[key]?.line ?? line, value: .array(items))
        default:
            let before = table[key]?.line ?? 0
            throw TomlError(line: line, problem: "\"\(key)\" of line \(before) cannot hold further keys")
        }
    }
}

extension TomlNode {
    fileprivate var isOpenTable: Bool {
        if case .table(let table) = value { return !table.inline }
        return false
    }
}
