/// The four kinds of strings.
extension TomlScanner {
    mutating func string() throws(TomlError) -> String {
        let quote = peek ?? 0
        let triple = peek(1) == quote && peek(2) == quote
        advance(triple ? 3 : 1)
        if triple {  // a newline right behind the opening quotes is not part of the string
            if peek == UInt8(ascii: "\r"), peek(1) == UInt8(ascii: "\n") { advance() }
            if peek == UInt8(ascii: "\n") { advance() }
        }
        let start = line
        var text: [UInt8] = []
        while let byte = peek {
            if byte == quote {
                if !triple {
                    advance()
                    return try utf8(text)
                }
                if peek(1) == quote, peek(2) == quote {
                    while peek(3) == quote {  // up to two quotes may touch the closing ones
                        text.append(quote)
                        advance()
                    }
                    advance(3)
                    return try utf8(text)
                }
            }
            if byte == UInt8(ascii: "\n") && !triple { break }
            if byte == UInt8(ascii: "\\") && quote == UInt8(ascii: "\"") {
                try escape(into: &text, multiline: triple)
                continue
            }
            if byte < 0x20 && byte != 0x09 && byte != 0x0a && byte != 0x0d || byte == 0x7f {
                throw error("control character 0x\(String(byte, radix: 16)) in a string; write it as \\u00XX")
            }
            text.append(byte)
            advance()
        }
        throw TomlError(line: start, problem: "the string is not closed")
    }

    private func utf8(_ bytes: [UInt8]) throws(TomlError) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw error("the string is not UTF-8") }
        return text
    }

    private mutating func escape(into text: inout [UInt8], multiline: Bool) throws(TomlError) {
        advance()
        guard let byte = peek else { throw error("the string is not closed") }
        let simple: [UInt8: UInt8] = [
            UInt8(ascii: "b"): 8, UInt8(ascii: "t"): 9, UInt8(ascii: "n"): 10, UInt8(ascii: "f"): 12,
            UInt8(ascii: "r"): 13, UInt8(ascii: "\""): 0x22, UInt8(ascii: "\\"): 0x5c,
        ]
        if let code = simple[byte] {
            advance()
            text.append(code)
        } else if byte == UInt8(ascii: "u") || byte == UInt8(ascii: "U") {
            advance()
            let length = byte == UInt8(ascii: "u") ? 4 : 8
            var digits = ""
            while digits.count < length, let next = peek, Character(Unicode.Scalar(next)).isHexDigit {
                digits.append(Character(Unicode.Scalar(next)))
                advance()
            }
            guard digits.count == length, let code = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(code) else {
                throw error("\\\(Character(Unicode.Scalar(byte))) wants \(length) hex digits of a Unicode scalar")
            }
            text.append(contentsOf: Array(String(scalar).utf8))
        } else if multiline, byte == 0x0a || byte == 0x0d || byte == 0x20 || byte == 0x09 {
            var crossed = false
            while let blank = peek, blank == 0x0a || blank == 0x0d || blank == 0x20 || blank == 0x09 {
                crossed = crossed || blank == 0x0a
                advance()
            }
            if !crossed { throw error("\\ before blanks is allowed only at the end of a line") }
        } else {
            throw error("\\\(found) is no escape; \\\\ writes a backslash, '…' takes text as it is")
        }
    }
}
