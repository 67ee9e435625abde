/// Columns without Foundation.
enum Text {
    /// Right-aligned.
    static func right(_ text: some CustomStringConvertible, _ width: Int, with fill: Character = " ") -> String {
        let text = String(describing: text)
        return String(repeating: fill, count: max(0, width - text.utf8.count)) + text
    }
    /// Left-aligned.
    static func left(_ text: some CustomStringConvertible, _ width: Int) -> String {
        let text = String(describing: text)
        return text + String(repeating: " ", count: max(0, width - text.utf8.count))
    }
    static func hex<T: BinaryInteger>(_ value: T, _ width: Int = 0) -> String {
        right(String(value, radix: 16), width, with: "0")
    }
}
