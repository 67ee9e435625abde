import CChorus

/// Columns as wide as their widest entry; numbers to the right.
public struct TextTable {
    private var rows: [[String]]

    public init(_ heads: [String]) { rows = [heads] }

    public mutating func add(_ row: [String]) { rows.append(row) }

    public var text: String {
        let columns = rows[0].count
        let widths = (0..<columns).map { column in rows.map { $0[column].count }.max() ?? 0 }
        let numeric = (0..<columns).map { column in
            rows.dropFirst().allSatisfy { $0[column].first.map { $0.isNumber || $0 == "-" } ?? true }
        }
        var text = ""
        for row in rows {
            var line = ""
            for column in 0..<columns {
                let pad = String(repeating: " ", count: widths[column] - row[column].count)
                line += (column == 0 ? "" : "  ") + (numeric[column] ? pad + row[column] : row[column] + pad)
            }
            while line.hasSuffix(" ") { line.removeLast() }
            text += line + "\n"
        }
        return text
    }
}

func hex(_ number: UInt64) -> String { "0x" + String(number, radix: 16) }

func uiText(_ ui: KnUniqueId) -> String {
    let number = UInt64(ui.uiHead) << 32 | UInt64(ui.uiTail)
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}

func sizeText(_ bytes: UInt64) -> String { bytes < 10 << 20 ? "\(bytes >> 10)K" : "\(bytes >> 20)M" }

/// Text in a fixed C field.
func fieldText<Field>(_ field: Field) -> String {
    withUnsafeBytes(of: field) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
}
