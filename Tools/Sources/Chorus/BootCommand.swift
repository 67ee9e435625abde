import ArgumentParser
import Loader
import Manifest

struct BootCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "boot", abstract: "Boot a site from a manifest and run its [init] program, if it has one.")

    @OptionGroup var options: SiteOptions

    @Argument(help: "Manifest: a file, or the name of a shipped one.")
    var manifest: String

    func run() throws {
        do {
            let tree = try InstallTree.here()
            let manifest = try Manifest.load(tree.manifest(self.manifest))
            let program = manifest.start.map { start in
                let base = ProgramStart.cleanEnvironment().merging(start.environment) { _, own in own }
                return ProgramStart(
                    words: start.program, environment: options.environment(base),
                    directory: options.cwd ?? start.directory)
            }
            if program == nil, manifest.runsPrograms {
                throw Place(file: manifest.file, line: 0, key: "init").error(
                    "is missing", "a table [init] with program = [\"/bin/sh\"], or `chorus run --manifest`, would do")
            }
            SiteStart.run(options, manifest: manifest, tree: tree, program: program)
        } catch {
            SiteStart.fail(error)
        }
    }
}
