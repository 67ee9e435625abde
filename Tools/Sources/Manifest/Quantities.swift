/// Sizes ("256MiB") and durations ("500ms") as people write them.
public enum Quantity {
    public static let sizeForm = "a size such as \"256MiB\" (B, KiB, MiB, GiB, TiB)"
    public static let durationForm = "a duration such as \"500ms\" (ms, s, min)"

    public static func bytes(_ text: String) -> UInt64? {
        let units: [String: UInt64] = ["B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40]
        return scaled(text, units)
    }

    public static func milliseconds(_ text: String) -> UInt64? {
        scaled(text, ["ms": 1, "s": 1000, "min": 60_000])
    }

    private static func scaled(_ text: String, _ units: [String: UInt64]) -> UInt64? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let unit = text.dropFirst(digits.count).drop { $0 == " " }
        guard let number = UInt64(digits), let factor = units[String(unit)] else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: factor)
        return overflow ? nil : product
    }
}
