import ArgumentParser
import Glibc
import Loader

struct TraceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "Show what a running site did last: system calls, messages, faults, handlers, actors.",
        discussion: """
            Every site keeps its last 4096 events, at no noticeable cost. Lines are in the order in which things began; a \
            system call or message is listed once it is over.
              12:00:00.123456 [pid 7 sh] read(3, …) = 12 <2 us>
              12:00:00.123457 process-manager → FILE OBJ_READ 4096 B 3 us
            `→` waits for an answer, `⇢` does not. Bytes are the request's body, or request's+answer's.
            Open the JSON in https://ui.perfetto.dev or chrome://tracing.
            With --bus it is what happens between devices and their drivers, from now on: register accesses, interrupt lines, DMA, \
            resets, faults on purpose.
              12:00:00.123456 disk0 store32 0x050 0x0
              12:00:00.123457 disk0 DMA writes 0x10002000 512 B
              12:00:00.123458 disk0 line 16 raised
            """)

    @OptionGroup var choice: SiteChoice

    @Flag(name: .long, help: "Trace-event JSON for Perfetto, one event a line.")
    var json = false

    @Option(name: .shortAndLong, help: "The last so many events. (default: all that are kept; with --follow, 10)")
    var count: Int?

    @Flag(name: .shortAndLong, help: "Go on with what happens from now on, until the site ends.")
    var follow = false

    @Flag(name: .long, help: "The devices of the bus, from now on, until ^C.")
    var bus = false

    @Option(name: .long, help: "With --bus: for so many seconds.")
    var seconds: Double?

    func validate() throws {
        if bus, count != nil || follow { throw ValidationError("--bus: neither --count nor --follow goes with it") }
        if let seconds {
            guard bus else { throw ValidationError("--seconds goes with --bus") }
            guard seconds >= 0, seconds <= 1e9 else { throw ValidationError("--seconds \(seconds): wanted is a time") }
        }
        if let count, count < 0 { throw ValidationError("--count \(count): wanted is a number of events") }
    }

    func run() throws {
        do {
            let site = try choice.name()
            if bus { return try BusFollower(site: site, json: json, seconds: seconds).run() }
            var source = TraceSource(site: site, json: json)
            var lines = try source.next(last: count ?? (follow ? 10 : Int.max))
            guard follow else {
                if json {
                    print("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[")
                    print(lines.joined(separator: ",\n"))
                    print("]}")
                } else {
                    for line in lines { print(line) }
                }
                return
            }
            // The format allows an array without its end, for streams.
            if json { print("[") }
            while true {
                for line in lines { print(json ? line + "," : line) }
                fflush(nil)
                usleep(200_000)
                do { lines = try source.next(last: Int.max) } catch { return }  // the site has ended
                if source.lost > 0, !json { print("… \(source.lost) events lost …") }
            }
        } catch {
            SiteStart.fail(error)
        }
    }
}

/// Events of a site, from where the last question ended.
private struct TraceSource {
    let site: String
    let json: Bool
    private var from: UInt64 = 0
    private(set) var lost: UInt64 = 0

    init(site: String, json: Bool) {
        self.site = site
        self.json = json
    }

    mutating func next(last: Int) throws(LoadError) -> [Substring] {
        let answer = try ControlClient.ask(site: site, "trace \(json ? "json" : "text") \(from) \(last)")
        var lines = answer.split(separator: "\n")
        let numbers = lines.isEmpty ? [] : lines.removeFirst().split(separator: " ").compactMap { UInt64($0) }
        guard numbers.count == 2 else { throw LoadError("site \"\(site)\" gave an answer that is no trace") }
        from = numbers[0]
        lost = numbers[1]
        return lines
    }
}
