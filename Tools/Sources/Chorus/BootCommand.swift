import ArgumentParser
import Loader
import Manifest

struct BootCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "boot", abstract: "Boot a site from a manifest and run its [init] program.")

    @OptionGroup var options: SiteOptions

    @Argument(help: "Manifest: a file, or the name of a shipped one.")
    var manifest: String

    func run() throws {
        do {
            let tree = try InstallTree.here()
            let manifest = try Manifest.load(tree.manifest(self.manifest))
            guard let start = manifest.start else {
                throw Place(file: manifest.file, line: 0, key: "init").error(
                    "is missing", "a table [init] with program = [\"/bin/sh\"], or `chorus run --manifest`, would do")
            }
            let base = ProgramStart.cleanEnvironment().merging(start.environment) { _, own in own }
            let program = ProgramStart(
                words: start.program, environment: options.environment(base), directory: options.cwd ?? start.directory)
            SiteStart.run(options, manifest: manifest, tree: tree, program: program)
        } catch {
            SiteStart.fail(error)
        }
    }
}
