import Glibc
import Loader

/// Runs the actors of `chorus bench ipc` in every pairing of privileges, and the host's rows, in turn: all of them on one
/// processor, then on all.
struct IpcBench {
    let tree: InstallTree
    let chorus: String
    let rounds: Int

    /// First who calls.
    static let pairs = ["ss", "us", "su", "uu"]

    private var program: String { tree.library + "/chorus-bench" }

    func run() throws(LoadError) -> IpcReport {
        let folder = try BenchFolder()
        defer { folder.remove() }
        var (one, all) = (IpcFigures(), IpcFigures())
        for _ in 0..<rounds {
            try round(&one, folder, processors: 1)
            try round(&all, folder, processors: 1024)
        }
        return IpcReport(one: one, all: all)
    }

    private func round(_ figures: inout IpcFigures, _ folder: BenchFolder, processors: Int) throws(LoadError) {
        let on = [program, "on", "\(processors)"]
        figures.host.take(try ChildOutput.of(on + [program, "ipc"]))
        for pair in IpcBench.pairs {
            let file = try folder.write("\(pair).toml", manifest(pair))
            // Counting costs, if little: once is enough.
            let counts = pair == "ss" && processors == 1
            if counts { setenv("LD_PRELOAD", tree.library + "/bench/counting.so", 1) }
            defer { if counts { unsetenv("LD_PRELOAD") } }
            figures.site.take(try ChildOutput.of(on + [chorus, "boot", file]))
        }
    }

    private func manifest(_ pair: String) -> String {
        func actor(_ name: String, _ privilege: Character?, _ more: String) -> String {
            """
            [[actor]]
            name = "bench-\(name)"
            object = "\(tree.library)/bench/\(name).so"
            privilege = "\(privilege == "u" ? "user" : "supervisor")"
            \(more)

            """
        }
        return "[subsystem]\nname = \"bench\"\n" + actor("server", pair.last, "")
            + actor("client", pair.first, "needs = [\"bench-server\"]\noptions = { pair = \"\(pair)\" }")
    }
}
