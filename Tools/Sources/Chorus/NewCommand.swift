import ArgumentParser
import Glibc
import Loader

struct NewCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new", abstract: "Begin something of your own.", subcommands: [Driver.self])

    struct Driver: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make the folder of a new driver.",
            discussion: """
                The folder NAME holds a driver that works, for the teaching device: a Makefile against the installed headers, the \
                source, a site to try it on, and a test (`make test`). docs/drivers.md has the rest.
                """)
        @Argument(
            help: "Its name, and that of its device under /dev: a letter, then letters, digits and -, 31 at most.")
        var name: String
        @Flag(name: .long, help: "In Embedded Swift instead of C.")
        var swift = false

        func validate() throws {
            if let problem = DriverName.problem(name) { throw ValidationError("\(name): \(problem)") }
        }

        func run() throws {
            do {
                let tree = try InstallTree.here()
                let template = Template(["NAME": name, "TREE": tree.root])
                let kinds = ["common", swift ? "swift" : "c"].map { "\(tree.root)/templates/driver/\($0)" }
                try template.make(name, from: kinds, renaming: "driver")
                print("\(name): made. make -C \(name) test")
            } catch {
                SiteStart.fail(error)
            }
        }
    }
}

/// What a driver, its folder and its device may be called.
enum DriverName {
    /// Names that /dev has already.
    private static let taken: Set<String> = [
        "console", "fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty", "urandom",
        "zero",
    ]

    static func problem(_ name: String) -> String? {
        let bytes = Array(name.utf8)
        guard let first = bytes.first, bytes.count <= 31, isLetter(first),
            bytes.allSatisfy({ isLetter($0) || (0x30...0x39).contains($0) || $0 == 0x2d })
        else { return "wanted are a letter, then letters, digits and -, 31 at most" }
        return taken.contains(name) ? "/dev/\(name) is there already" : nil
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7a).contains(byte | 0x20) }
}
