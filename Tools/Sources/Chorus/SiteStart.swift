import CKeeper
import Glibc
import Loader
import Manifest

/// From a manifest to the exit status of its program, or of `sysShutdown` where there is none; never returns.
enum SiteStart {
    static func run(_ options: SiteOptions, manifest: Manifest, tree: InstallTree, program: ProgramStart?) -> Never {
        do {
            let plan = try LoadPlan(manifest, tree: tree)
            if program != nil { try manifest.checkRunsPrograms() }
            let name = options.name ?? "\(manifest.subsystem.name)-\(getpid())"
            let run = SiteRun(
                plan: plan, tree: tree, name: name, log: try options.siteLog(), program: program,
                rawTerminal: { keeper_terminal_raw() != 0 }, removeAtEnd: { keeper_remove_at_end($0) })
            exit(try run.run())
        } catch {
            fail(error)
        }
    }

    /// One line; 125 says that the site, not the program, is the trouble.
    static func fail(_ error: any Error) -> Never {
        let text = Array("chorus: \(error)\n".utf8)
        _ = write(2, text, text.count)
        exit(125)
    }
}
