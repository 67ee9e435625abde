/// The characters of a document: position, line, blanks, keys and scalars.
struct TomlScanner {
    private let bytes: [UInt8]
    private(set) var position = 0
    private(set) var line = 1

    init(_ source: String) { bytes = Array(source.utf8) }

    var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    func peek(_ ahead: Int) -> UInt8? { position + ahead < bytes.count ? bytes[position + ahead] : nil }

    func error(_ problem: String) -> TomlError { TomlError(line: line, problem: problem) }

    mutating func advance(_ count: Int = 1) {
        for _ in 0..<count where position < bytes.count {
            if bytes[position] == UInt8(ascii: "\n") { line += 1 }
            position += 1
        }
    }

    mutating func take(_ byte: UInt8) -> Bool {
        guard peek == byte else { return false }
        advance()
        return true
    }

    mutating func expect(_ byte: UInt8, _ place: String) throws(TomlError) {
        skipBlanks()
        guard take(byte) else {
            throw error("expected \"\(Character(Unicode.Scalar(byte)))\" \(place), found \(found)")
        }
    }

    /// The next character as an error message names it.
    var found: String {
        switch peek {
        case nil: "the end of the file"
        case UInt8(ascii: "\n"), UInt8(ascii: "\r"): "the end of the line"
        case let byte? where byte > 0x20 && byte < 0x7f: "\"\(Character(Unicode.Scalar(byte)))\""
        case let byte?: "byte 0x\(String(byte, radix: 16))"
        }
    }

    mutating func skipBlanks() {
        while let byte = peek, byte == 0x20 || byte == 0x09 { advance() }
    }

    private mutating func skipComment() {
        guard peek == UInt8(ascii: "#") else { return }
        while let byte = peek, byte != UInt8(ascii: "\n") { advance() }
    }

    mutating func skipBlanksAndLines() {
        while true {
            skipBlanks()
            skipComment()
            guard let byte = peek, byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") else { return }
            advance()
        }
    }

    /// False at the end of the document.
    mutating func skipToStatement() -> Bool {
        skipBlanksAndLines()
        return peek != nil
    }

    mutating func endOfLine() throws(TomlError) {
        skipBlanks()
        skipComment()
        if take(UInt8(ascii: "\r")), peek != UInt8(ascii: "\n") { throw error("a carriage return alone ends no line") }
        guard peek == nil || peek == UInt8(ascii: "\n") else {
            throw error("expected the end of the line, found \(found)")
        }
    }

    mutating func key() throws(TomlError) -> String {
        if peek == UInt8(ascii: "\"") || peek == UInt8(ascii: "'") { return try string() }
        let word = takeWhile(Self.isBare)
        guard !word.isEmpty else { throw error("expected a key, found \(found)") }
        return String(decoding: word, as: UTF8.self)
    }

    mutating func takeWhile(_ accept: (UInt8) -> Bool) -> ArraySlice<UInt8> {
        let start = position
        while let byte = peek, accept(byte) { advance() }
        return bytes[start..<position]
    }

    private static func isBare(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    /// A boolean or a number.
    mutating func scalar() throws(TomlError) -> TomlValue {
        let word = takeWhile { Self.isBare($0) || $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: ".") }
        let text = String(decoding: word, as: UTF8.self)
        if text.isEmpty { throw error("expected a value, found \(found)") }
        if text == "true" { return .bool(true) }
        if text == "false" { return .bool(false) }
        if let number = Self.integer(text) { return .integer(number) }
        if let number = Self.float(text) { return .float(number) }
        throw error("\"\(text)\" is no value; strings stand in quotes: \"\(text)\"")
    }

    /// TOML allows `_` between digits only.
    private static func digits(_ text: Substring) -> String? {
        guard let first = text.first, let last = text.last, first != "_", last != "_" else { return nil }
        var before: Character = "0"
        for character in text {
            if character == "_" && before == "_" { return nil }
            before = character
        }
        return text.filter { $0 != "_" }
    }

    private static func integer(_ text: String) -> Int64? {
        for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] where text.hasPrefix(prefix) {
            guard let body = digits(text.dropFirst(2)), body.first?.isHexDigit == true else { return nil }
            return Int64(body, radix: radix)
        }
        let sign = text.hasPrefix("-") || text.hasPrefix("+") ? String(text.prefix(1)) : ""
        guard let body = digits(text.dropFirst(sign.count)), body.allSatisfy({ $0.isASCII && $0.isNumber }),
            body == "0" || !body.hasPrefix("0")
        else { return nil }
        return Int64(sign + body)
    }

    private static func float(_ text: String) -> Double? {
        let unsigned = text.hasPrefix("-") || text.hasPrefix("+") ? text.dropFirst() : text[...]
        if unsigned == "inf" || unsigned == "nan" { return Double(text) }
        guard let body = digits(unsigned), let first = body.first, first.isASCII, first.isNumber,
            body.contains(".") || body.contains("e") || body.contains("E"),
            body.allSatisfy({ "0123456789.eE+-".contains($0) }), !body.hasSuffix("."), !body.contains(".e")
        else { return nil }
        return Double((text.hasPrefix("-") ? "-" : "") + body)
    }
}
