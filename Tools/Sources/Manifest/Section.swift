import Toml

/// One table of the document while it is read: typed access that remembers which keys are known, so that what is
/// left over can be refused by name.
struct Section {
    let place: Place
    let table: TomlTable
    private var known: [String] = []

    init(_ table: TomlTable, at place: Place) {
        self.table = table
        self.place = place
    }

    /// The place of a key in this table.
    func place(_ key: String) -> Place {
        Place(
            file: place.file, line: table[key]?.line ?? place.line, key: place.key.isEmpty ? key : "\(place.key).\(key)"
        )
    }

    private mutating func node(_ key: String) -> TomlNode? {
        known.append(key)
        return table[key]
    }

    private func wrong(_ key: String, _ value: TomlValue, wanted: String) -> ManifestError {
        place(key).error("is \(value.kind)", "\(wanted) would do")
    }

    mutating func string(_ key: String, _ wanted: String = "a string in quotes") throws(ManifestError) -> String? {
        guard let node = node(key) else { return nil }
        guard case .string(let text) = node.value else { throw wrong(key, node.value, wanted: wanted) }
        if text.utf8.contains(where: { $0 < 0x20 }) {
            throw place(key).error("holds a control character", "text on one line would do")
        }
        return text
    }

    mutating func required(_ key: String, _ wanted: String) throws(ManifestError) -> String {
        guard let text = try string(key, wanted) else { throw place(key).error("is missing", "\(wanted) would do") }
        if text.isEmpty { throw place(key).error("is empty", "\(wanted) would do") }
        return text
    }

    /// One of an enumeration's words.
    mutating func word<Word: RawRepresentable & CaseIterable>(
        _ key: String, _: Word.Type
    ) throws(ManifestError) -> Word? where Word.RawValue == String {
        let choices = Word.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: " or ")
        guard let text = try string(key, choices) else { return nil }
        guard let word = Word(rawValue: text) else {
            throw place(key).error("\"\(text)\" is not known", "\(choices) would do")
        }
        return word
    }

    mutating func count(_ key: String, _ range: ClosedRange<Int64>) throws(ManifestError) -> UInt32? {
        let wanted = "a whole number from \(range.lowerBound) to \(range.upperBound)"
        guard let node = node(key) else { return nil }
        guard case .integer(let number) = node.value else { throw wrong(key, node.value, wanted: wanted) }
        guard range.contains(number), let value = UInt32(exactly: number) else {
            throw place(key).error("\(number) is out of range", "\(wanted) would do")
        }
        return value
    }

    /// "never", "always" or how often.
    mutating func restarts(_ key: String) throws(ManifestError) -> UInt64? {
        let wanted = "\"never\", \"always\" or a whole number"
        guard let node = node(key) else { return nil }
        switch node.value {
        case .string("never"): return 0
        case .string("always"): return .max
        case .integer(let number) where number >= 0: return UInt64(number)
        case .string(let text): throw place(key).error("\"\(text)\" is not known", "\(wanted) would do")
        case .integer(let number): throw place(key).error("\(number) is out of range", "\(wanted) would do")
        default: throw wrong(key, node.value, wanted: wanted)
        }
    }

    mutating func flag(_ key: String) throws(ManifestError) -> Bool? {
        guard let node = node(key) else { return nil }
        guard case .bool(let truth) = node.value else { throw wrong(key, node.value, wanted: "true or false") }
        return truth
    }

    mutating func size(_ key: String) throws(ManifestError) -> UInt64? {
        try quantity(key, Quantity.sizeForm, Quantity.bytes)
    }

    mutating func duration(_ key: String) throws(ManifestError) -> UInt64? {
        try quantity(key, Quantity.durationForm, Quantity.milliseconds)
    }

    private mutating func quantity(
        _ key: String, _ form: String, _ read: (String) -> UInt64?
    ) throws(ManifestError) -> UInt64? {
        guard let text = try string(key, form) else { return nil }
        guard let value = read(text), value > 0 else {
            throw place(key).error("cannot read \"\(text)\"", "\(form) would do")
        }
        return value
    }

    mutating func strings(_ key: String, _ wanted: String) throws(ManifestError) -> [String]? {
        guard let node = node(key) else { return nil }
        guard case .array(let items) = node.value else { throw wrong(key, node.value, wanted: wanted) }
        var texts: [String] = []
        for item in items {
            guard case .string(let text) = item.value, !text.utf8.contains(0) else {
                let where_ = Place(file: place.file, line: item.line, key: place(key).key)
                throw where_.error("element \(texts.count + 1) is \(item.value.kind)", "\(wanted) would do")
            }
            texts.append(text)
        }
        return texts
    }

    /// A table of strings; numbers and booleans are taken as they are written.
    mutating func stringTable(_ key: String, _ wanted: String) throws(ManifestError) -> [String: String]? {
        guard let inner = try section(key, wanted) else { return nil }
        var texts: [String: String] = [:]
        for name in inner.table.keys {
            guard let item = inner.table[name] else { continue }
            switch item.value {
            case .string(let text) where !text.utf8.contains(where: { $0 == 0 || $0 == 0x0a }): texts[name] = text
            case .integer(let number): texts[name] = String(number)
            case .bool(let truth): texts[name] = truth ? "true" : "false"
            case .string: throw inner.place(name).error("holds a NUL or a line break", "text on one line would do")
            default:
                throw inner.place(name).error("is \(item.value.kind)", "a string, a whole number or a boolean would do")
            }
            if name.isEmpty || name.utf8.contains(where: { $0 == UInt8(ascii: "=") || $0 < 0x20 }) {
                throw inner.place(name).error("is no name", "a name without \"=\" would do")
            }
        }
        return texts
    }

    mutating func section(_ key: String, _ wanted: String) throws(ManifestError) -> Section? {
        guard let node = node(key) else { return nil }
        guard case .table(let inner) = node.value else { throw wrong(key, node.value, wanted: wanted) }
        return Section(inner, at: place(key))
    }

    /// The tables of `[[key]]`.
    mutating func sections(_ key: String) throws(ManifestError) -> [Section] {
        guard let node = node(key) else { return [] }
        guard case .array(let items) = node.value else {
            throw wrong(key, node.value, wanted: "tables headed [[\(key)]]")
        }
        var found: [Section] = []
        for (index, item) in items.enumerated() {
            let spot = Place(file: place.file, line: item.line, key: "\(key)[\(index)]")
            guard case .table(let inner) = item.value else {
                throw spot.error("is \(item.value.kind)", "tables headed [[\(key)]] would do")
            }
            found.append(Section(inner, at: spot))
        }
        return found
    }

    /// Refuses the keys that nobody asked for.
    func finish() throws(ManifestError) {
        for key in table.keys where !known.contains(key) {
            let near = known.min { Self.distance(key, $0) < Self.distance(key, $1) } ?? ""
            let guess = Self.distance(key, near) <= 2 ? "did you mean \"\(near)\"? " : ""
            throw place(key).error("is not known here", "\(guess)known are \(known.joined(separator: ", "))")
        }
    }

    /// Edit distance, for the "did you mean" of a mistyped key.
    private static func distance(_ left: String, _ right: String) -> Int {
        let a = Array(left.utf8.prefix(40))
        let b = Array(right.utf8.prefix(40))
        var row = Array(0...b.count)
        for i in 0..<a.count {
            var diagonal = row[0]
            row[0] = i + 1
            for j in 0..<b.count {
                let cost = a[i] == b[j] ? diagonal : min(diagonal, row[j], row[j + 1]) + 1
                diagonal = row[j + 1]
                row[j + 1] = cost
            }
        }
        return row[b.count]
    }
}
