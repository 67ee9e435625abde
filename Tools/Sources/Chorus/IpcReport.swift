import Loader

/// What one placement on processors gave.
struct IpcFigures {
    var host = BenchFigures()
    var site = BenchFigures()
}

/// The rows of `chorus bench ipc`: here, what the host does instead, and what is aimed for.
struct IpcReport {
    let one, all: IpcFigures

    struct Row {
        let name: String
        let label: String
        /// The host's row it is compared with.
        var against: String?
        var aim = ""
    }

    static let rows: [Row] = {
        let sides: [Character: String] = ["s": "supervisor", "u": "user"]
        var rows: [Row] = []
        for pair in IpcBench.pairs {
            let names = pair.compactMap { sides[$0] }.joined(separator: " > ")
            for (size, text) in [("null", "null"), ("64", "64 B"), ("4k", "4 KiB"), ("64k", "64 KiB"), ("1m", "1 MiB")]
            {
                rows.append(
                    Row(
                        name: "\(pair)-\(size)", label: "\(names), \(text)", against: "unix-\(size)",
                        aim: aim(pair, size)))
            }
            rows.append(
                Row(
                    name: "\(pair)-move", label: "\(names), 1 MiB moved", against: "unix-1m",
                    aim: pair == "ss" ? "\u{2264} 0.01\u{d7}" : "\u{2264} 0.4\u{d7}"))
            rows.append(Row(name: "\(pair)-trap", label: "\(names), trap, specific handler (libffi)"))
            rows.append(Row(name: "\(pair)-trap-general", label: "\(names), trap, general handler"))
            rows.append(
                Row(name: "\(pair)-queued", label: "\(names), null, received by a thread", against: "unix-null"))
            rows.append(Row(name: "\(pair)-async", label: "\(names), each of many sent"))
            rows.append(Row(name: "\(pair)-broadcast", label: "\(names), each of many to 8 ports"))
        }
        for pair in ["ss", "uu"] {
            let name = pair.first.flatMap { sides[$0] } ?? ""
            rows.append(Row(name: "\(pair)-port", label: "\(name), port created and deleted"))
            rows.append(Row(name: "\(pair)-switch", label: "\(name), two threads and back", against: "futex-null"))
            for point in ["min", "50", "99", "max"] {
                rows.append(
                    Row(
                        name: "\(pair)-timer-\(point)", label: "\(name), timer late, \(point)",
                        against: "timer-\(point)"))
            }
        }
        for pair in ["ss", "uu"] {
            let name = pair.first.flatMap { sides[$0] } ?? ""
            rows.append(Row(name: "\(pair)-interrupt-1", label: "\(name), interrupt, round through 1 handler"))
            rows.append(Row(name: "\(pair)-interrupt-4", label: "\(name), interrupt, round through 4 handlers"))
            rows.append(Row(name: "\(pair)-interrupt-edge", label: "\(name), interrupt, trigger to handler"))
        }
        rows.append(Row(name: "handler-direct", label: "handler, direct"))
        rows.append(Row(name: "handler-ffi", label: "handler, through libffi"))
        return rows
    }()

    private static func aim(_ pair: String, _ size: String) -> String {
        switch (pair, size) {
        case ("ss", "null"): "\u{2264} 100 ns"
        case ("uu", "null"): "\u{2264} 0.6\u{d7} on one, \u{2264} 1 us"
        default: ""
        }
    }

    /// Rows that the actors did not give.
    var missing: [String] { Self.rows.map(\.name).filter { one.site.best[$0] == nil || all.site.best[$0] == nil } }

    func text(json: Bool) -> String {
        json ? lines : table
    }

    private var lines: String {
        var lines = ""
        for (processors, figures) in [("one", one), ("all", all)] {
            for row in Self.rows {
                guard let here = figures.site.best[row.name] else { continue }
                lines +=
                    "{\"name\":\"\(row.name)\",\"processors\":\"\(processors)\",\"ns\":\(BenchReport.fixed(here, 1))"
                if let host = row.against.flatMap({ figures.host.best[$0] }), host > 0 {
                    lines +=
                        ",\"native_ns\":\(BenchReport.fixed(host, 1)),\"ratio\":\(BenchReport.fixed(here / host, 2))"
                }
                lines += "}\n"
            }
        }
        for name in ["ss-allocations", "ss-queued-allocations"] {
            if let count = one.site.best[name] { lines += "{\"name\":\"\(name)\",\"count\":\(Int(count))}\n" }
        }
        return lines
    }

    private var table: String {
        var table = TextTable(["row", "one processor", "native", "ratio", "all", "native", "ratio", "aim"])
        for row in Self.rows { table.add([row.label] + cells(row, one) + cells(row, all) + [row.aim]) }
        for name in one.host.names where !name.hasPrefix("timer") {
            let cells = [one, all].flatMap { ["", $0.host.best[name].map(BenchReport.duration) ?? "", ""] }
            table.add(["host, \(name)"] + cells + [""])
        }
        guard let null = one.site.best["ss-allocations"], let queued = one.site.best["ss-queued-allocations"] else {
            return table.text
        }
        return table.text
            + "allocations in 1000 null calls between supervisors: \(Int(null)); through a queue: \(Int(queued))\n"
    }

    private func cells(_ row: Row, _ figures: IpcFigures) -> [String] {
        guard let here = figures.site.best[row.name] else { return ["", "", ""] }
        guard let host = row.against.flatMap({ figures.host.best[$0] }), host > 0 else {
            return [BenchReport.duration(here), "", ""]
        }
        return [
            BenchReport.duration(here), BenchReport.duration(host), "\(BenchReport.fixed(here / host, 2))\u{d7}",
        ]
    }
}
