import ArgumentParser
import Loader

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure a site against the host in one run.",
        discussion: """
            NAME is `trap` (single system calls), `process` (fork, exec, wait), `ipc` (calls between actors in every \
            pairing of privileges, on one processor and on all, beside what the host offers between processes), \
            `driver` (registers, interrupts, and a disk beside the same file on the host), or `app` (whole programs: gcc, \
            python, git over 5,000 files, sqlite, find over 20,000, those of them that are installed).
            """)

    @Argument(help: "trap, process, ipc, driver or app.")
    var name: String

    @Option(name: .shortAndLong, help: "Manifest of the site (trap, process, app).")
    var manifest = "mix"

    @Option(name: .long, help: "How often host and site take turns; the best of each counts.")
    var rounds = 3

    @Flag(name: .long, help: "One JSON object a line: name, ns, native_ns, ratio.")
    var json = false

    func validate() throws {
        if !["trap", "process", "ipc", "driver", "app"].contains(name) {
            throw ValidationError("\(name): known are trap, process, ipc, driver and app")
        }
        if !(1...100).contains(rounds) { throw ValidationError("--rounds: wanted is 1 to 100") }
    }

    func run() throws {
        do {
            let tree = try InstallTree.here()
            let program = tree.library + "/chorus-bench"
            guard let chorus = InstallTree.executable() else { throw LoadError("/proc/self/exe cannot be read") }
            if name == "ipc" {
                let bench = IpcBench(tree: tree, chorus: chorus, rounds: rounds)
                let report = try bench.run()
                print(report.text(json: json), terminator: "")
                try Self.demand(report.missing, "the actors gave")
                return
            }
            if name == "driver" {
                let report = try DriverBench(tree: tree, chorus: chorus, rounds: rounds).run()
                print(report.text(json: json), terminator: "")
                try Self.demand(report.missing, "the sites gave")
                return
            }
            var native = BenchFigures()
            var guest = BenchFigures()
            let words = name == "app" ? ["/bin/sh", tree.library + "/chorus-bench-app"] : [program, name]
            for _ in 0..<rounds {
                native.take(try ChildOutput.of(words))
                guest.take(try ChildOutput.of([chorus, "run", "--manifest", manifest, "--"] + words))
            }
            print(BenchReport(native: native, guest: guest).text(json: json), terminator: "")
            try Self.demand(native.names.filter { guest.best[$0] == nil }, "the site gave")
        } catch {
            SiteStart.fail(error)
        }
    }

    private static func demand(_ missing: [String], _ who: String) throws(LoadError) {
        if !missing.isEmpty { throw LoadError("\(who) no figure for \(missing.joined(separator: ", "))") }
    }
}
