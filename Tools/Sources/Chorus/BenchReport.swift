import Loader

/// "name ns" lines of the benchmark program; the best of all rounds, of `-99` and `-max` the worst.
struct BenchFigures {
    private(set) var names: [String] = []
    private(set) var best: [String: Double] = [:]

    mutating func take(_ output: String) {
        for line in output.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 2, let figure = Double(words[1]) else { continue }
            let name = String(words[0])
            if best[name] == nil { names.append(name) }
            let isWorst = name.hasSuffix("-99") || name.hasSuffix("-max")
            best[name] = best[name].map { isWorst ? max($0, figure) : min($0, figure) } ?? figure
        }
    }
}

struct BenchReport {
    let native, guest: BenchFigures

    func text(json: Bool) -> String {
        var table = TextTable(["row", "here", "native", "ratio"])
        var lines = ""
        for name in native.names {
            guard let host = native.best[name], let here = guest.best[name], host > 0 else { continue }
            let ratio = Self.fixed(here / host, 2)
            lines +=
                "{\"name\":\"\(name)\",\"ns\":\(Self.fixed(here, 1)),\"native_ns\":\(Self.fixed(host, 1)),"
                + "\"ratio\":\(ratio)}\n"
            table.add([name, Self.duration(here), Self.duration(host), "\(ratio)\u{d7}"])
        }
        return json ? lines : table.text
    }

    static func duration(_ nanoseconds: Double) -> String {
        if nanoseconds < 10_000 { return "\(fixed(nanoseconds, 0)) ns" }
        if nanoseconds < 10_000_000 { return "\(fixed(nanoseconds / 1000, 1)) us" }
        return "\(fixed(nanoseconds / 1_000_000, 1)) ms"
    }

    /// Decimal text with so many places (no Foundation here).
    static func fixed(_ number: Double, _ places: Int) -> String {
        let scale = [1, 10, 100][min(max(places, 0), 2)]
        let whole = Int64((number * Double(scale)).rounded())
        if scale == 1 { return "\(whole)" }
        return "\(whole / Int64(scale)).\(String(Int64(scale) + whole % Int64(scale)).dropFirst())"
    }
}
