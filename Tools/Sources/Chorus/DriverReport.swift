import Loader

/// The rows of `chorus bench driver`, for each home of drivers beside the host's file, through its page cache and with O_DIRECT.
struct DriverReport {
    var host = BenchFigures()
    /// By `DriverBench.Home.id`.
    var sites: [String: BenchFigures] = [:]

    struct Row {
        let name: String
        let label: String
        /// Bytes of a transfer; 0: its time is the figure.
        var bytes = 0
        /// At random places: so many a second.
        var isRandom = false
        /// The host's row it is compared with.
        var against: String?
        var aim = ""
    }

    static let rows: [Row] = {
        var rows = [
            Row(name: "load32", label: "register read"), Row(name: "store32", label: "register written"),
            Row(name: "interrupt-1", label: "interrupt, round through 1 handler", aim: "\u{2264} 150 ns"),
            Row(name: "interrupt-4", label: "interrupt, round through 4 handlers"),
            Row(name: "interrupt-edge", label: "interrupt, raised to handled"),
        ]
        for prefix in ["", "direct-"] {
            let way = prefix.isEmpty ? "" : ", O_DIRECT"
            for op in ["read", "write"] {
                for (size, bytes, text) in [("1m", 1 << 20, "1 MiB"), ("64k", 65536, "64 KiB")] {
                    let name = "\(prefix)\(op)-\(size)"
                    rows.append(
                        Row(
                            name: name, label: "\(op) in order, \(text)\(way)", bytes: bytes, against: name,
                            aim: "\u{2265} 0.7\u{d7}"))
                }
                let name = "\(prefix)random-\(op)-4k"
                rows.append(
                    Row(
                        name: name, label: "\(op) at random, 4 KiB\(way)", bytes: 4096, isRandom: true, against: name,
                        aim: "\u{2265} 0.7\u{d7}"))
            }
        }
        return rows
    }()

    /// Rows that a site did not give.
    var missing: [String] {
        DriverBench.homes.flatMap { home in
            Self.rows.filter { home.measures || $0.bytes > 0 }.map(\.name)
                .filter { sites[home.id]?.best[$0] == nil }.map { "\(home.id)-\($0)" }
        }
    }

    func text(json: Bool) -> String { json ? lines : table }

    private var lines: String {
        var lines = ""
        for home in DriverBench.homes {
            for row in Self.rows {
                guard let here = sites[home.id]?.best[row.name] else { continue }
                lines += "{\"name\":\"\(home.id)-\(row.name)\",\"ns\":\(BenchReport.fixed(here, 1))"
                if let host = row.against.flatMap({ host.best[$0] }) {
                    lines +=
                        ",\"native_ns\":\(BenchReport.fixed(host, 1)),\"ratio\":\(BenchReport.fixed(host / here, 2))"
                }
                lines += "}\n"
            }
        }
        return lines
    }

    /// More is better where something is moved: the ratio is of throughput.
    private var table: String {
        var table = TextTable(["row"] + DriverBench.homes.flatMap { [$0.label, "ratio"] } + ["host", "aim"])
        for row in Self.rows {
            let host = row.against.flatMap { self.host.best[$0] }
            var cells = [row.label]
            for home in DriverBench.homes {
                let here = sites[home.id]?.best[row.name]
                cells.append(here.map { Self.figure($0, row) } ?? "")
                if let here, let host, here > 0 {
                    cells.append("\(BenchReport.fixed(host / here, 2))\u{d7}")
                } else {
                    cells.append("")
                }
            }
            table.add(cells + [host.map { Self.figure($0, row) } ?? "", row.aim])
        }
        return table.text
    }

    private static func figure(_ nanoseconds: Double, _ row: Row) -> String {
        guard row.bytes > 0 else { return BenchReport.duration(nanoseconds) }
        if row.isRandom { return "\(BenchReport.fixed(1e6 / nanoseconds, 1)) k/s" }
        return "\(BenchReport.fixed(Double(row.bytes) * 1e3 / nanoseconds, 0)) MB/s"
    }
}
