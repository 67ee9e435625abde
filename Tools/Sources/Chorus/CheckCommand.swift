import ArgumentParser
import CChorus
import Loader
import Manifest
import ObjectNote

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Check a manifest and its objects, and say what would be loaded here.")

    @Argument(help: "Manifest: a file, or the name of a shipped one.")
    var manifest: String = "mix"

    func run() throws {
        do {
            let tree = try InstallTree.here()
            let manifest = try Manifest.load(tree.manifest(self.manifest))
            let nucleus = try ObjectNote.check(file: tree.nucleus, kind: .nucleus, entry: K_BOOT_ENTRY)
            let plan = try LoadPlan(manifest, tree: tree)
            print("\(manifest.file): subsystem \(manifest.subsystem.name)")
            print(
                "nucleus: \(nucleus.name) \(nucleus.version), ABI \(nucleus.abiMajor).\(nucleus.abiMinor), \(tree.nucleus)\n"
            )
            var table = TextTable(["ACTOR", "PRIVILEGE", "GROUP", "NEEDS", "VERSION", "OBJECT"])
            for step in plan.steps {
                table.add([
                    step.entry.name, step.entry.privilege.rawValue, step.entry.group?.name ?? "",
                    step.entry.needs.joined(separator: ","), "\(step.note.name) \(step.note.version)", step.object,
                ])
            }
            print(table.text)
            var mounts = TextTable(["MOUNT", "TYPE", "SOURCE", "OPTIONS"])
            for mount in manifest.mounts { mounts.add([mount.at, mount.type, mount.source, mount.options]) }
            if !manifest.mounts.isEmpty { print(mounts.text) }
            if let start = manifest.start { print("init: \(start.program.joined(separator: " "))\n") }
            print(HostLimits.text)
        } catch {
            SiteStart.fail(error)
        }
    }
}
