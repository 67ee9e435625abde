import Glibc
import Loader
import Synchronization

/// ^C was typed.
private let interrupted = Atomic<Bool>(false)

/// Prints what happens on the bus of a site, until the time is over, ^C, or the end of the site.
struct BusFollower {
    let site: String
    let json: Bool
    let seconds: Double?
    /// So many at once: there may be more.
    private static let most = 1000

    func run() throws(LoadError) {
        signal(SIGINT) { _ in interrupted.store(true, ordering: .relaxed) }
        var (from, _) = try fetch("now")
        let end = seconds.map { Self.now + $0 }
        var isFirst = true
        if json { print("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[") }
        fflush(nil)
        while true {
            // What came before the end belongs to it.
            let isOver = interrupted.load(ordering: .relaxed) || end.map { $0 <= Self.now } ?? false
            for _ in 0..<16 {
                let lines: [Substring]
                do { (from, lines) = try fetch(from) } catch {
                    if json { print("\n]}") }
                    return  // the site has ended
                }
                for line in lines {
                    print(json && !isFirst ? ",\n\(line)" : "\(line)", terminator: json ? "" : "\n")
                    isFirst = false
                }
                if lines.count < Self.most { break }
            }
            fflush(nil)
            if isOver { break }
            usleep(useconds_t(min(100_000, max(1000, (end.map { $0 - Self.now } ?? 1) * 1e6))))
        }
        if json { print("\n]}") }
        fflush(nil)
        _ = try? ControlClient.ask(site: site, "bus-trace end")
    }

    private func fetch(_ from: String) throws(LoadError) -> (String, [Substring]) {
        let answer = try ControlClient.ask(site: site, "bus-trace \(json ? "json" : "text") \(from)")
        var lines = answer.split(separator: "\n")
        let numbers = lines.isEmpty ? [] : lines.removeFirst().split(separator: " ")
        guard numbers.count == 2 else { throw LoadError("site \"\(site)\" gave an answer that is no trace") }
        if numbers[1] != "0", !json { print("… \(numbers[1]) events lost …") }
        return (String(numbers[0]), lines)
    }

    private static var now: Double {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
    }
}
