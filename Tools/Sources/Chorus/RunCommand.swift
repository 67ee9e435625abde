import ArgumentParser
import Loader
import Manifest

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a program on a site of its own.",
        discussion: """
            The exit status is the program's: 128+n when signal n ended it, 127 when it is not found, 126 when it \
            cannot be executed, 125 when the site does not come up. By default the program sees the host's files, \
            read-only under a layer of memory: what it writes is gone at the end.
            """)

    @Option(name: .shortAndLong, help: "Manifest: a file, or the name of a shipped one (mix, mix-user, mix-mixed).")
    var manifest = "mix"

    @Option(name: .long, help: "Directory that becomes / , under a layer of memory.")
    var root: String?

    @OptionGroup var options: SiteOptions

    @Argument(parsing: .captureForPassthrough, help: "Program and its arguments; without a / it is searched in PATH.")
    var program: [String]

    func run() throws {
        let words = try Self.words(program)
        do {
            let tree = try InstallTree.here()
            var manifest = try Manifest.load(tree.manifest(self.manifest))
            if let root {
                let mount = MountEntry(at: "/", type: "overlay", source: "host:\(try RootDirectory.absolute(root))")
                manifest.mounts = [mount] + manifest.mounts.filter { $0.at != "/" }
            }
            let environment = options.environment(ProgramStart.cleanEnvironment())
            let start = ProgramStart(words: words, environment: environment, directory: options.cwd ?? "/")
            SiteStart.run(options, manifest: manifest, tree: tree, program: start)
        } catch {
            SiteStart.fail(error)
        }
    }

    /// What was captured begins with the program, or with an option that is none of ours.
    static func words(_ captured: [String]) throws -> [String] {
        guard let first = captured.first, first.hasPrefix("-") else { return captured }
        switch first {
        case "--": return Array(captured.dropFirst())
        case "-h", "--help": throw CleanExit.helpRequest(Self.self)
        default:
            throw ValidationError(
                "Unknown option '\(first)'. (A program of that name is run by: chorus run -- \(first))")
        }
    }
}
