import ArgumentParser
import Loader

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure a site against the host in one run.",
        discussion: """
            NAME is `trap` (single system calls), `process` (fork, exec, wait), or `ipc` (calls between actors in every \
            pairing of privileges, on one processor and on all, beside what the host offers between processes).
            """)

    @Argument(help: "trap, process or ipc.")
    var name: String

    @Option(name: .shortAndLong, help: "Manifest of the site (trap, process).")
    var manifest = "mix"

    @Option(name: .long, help: "How often host and site take turns; the best of each counts.")
    var rounds = 3

    @Flag(name: .long, help: "One JSON object a line: name, ns, native_ns, ratio.")
    var json = false

    func validate() throws {
        if !["trap", "process", "ipc"].contains(name) {
            throw ValidationError("\(name): known are trap, process and ipc")
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
                let missing = report.missing
                if missing.isEmpty { return }
                throw LoadError("the actors gave no figure for \(missing.joined(separator: ", "))")
            }
            var native = BenchFigures()
            var guest = BenchFigures()
            for _ in 0..<rounds {
                native.take(try ChildOutput.of([program, name]))
                guest.take(try ChildOutput.of([chorus, "run", "--manifest", manifest, "--", program, name]))
            }
            print(BenchReport(native: native, guest: guest).text(json: json), terminator: "")
            let missing = native.names.filter { guest.best[$0] == nil }
            if !missing.isEmpty { throw LoadError("the site gave no figure for \(missing.joined(separator: ", "))") }
        } catch {
            SiteStart.fail(error)
        }
    }
}
