import ArgumentParser
import Loader

/// What `run` and `boot` share.
struct SiteOptions: ParsableArguments {
    @Option(name: .long, help: "Variable for the program's environment; may be repeated.")
    var env: [String] = []

    @Option(name: .long, help: "The program's working directory.")
    var cwd: String?

    @Option(
        name: .long, help: "A level (error, warning, info, debug) or a file for the site's log; may be given twice.")
    var log: [String] = []

    @Option(name: .long, help: "Name of the site, for `chorus ps`.")
    var name: String?

    func validate() throws {
        for variable in env where !variable.dropFirst().contains("=") {
            throw ValidationError("--env \(variable): wanted is NAME=VALUE")
        }
        if let cwd, !cwd.hasPrefix("/") { throw ValidationError("--cwd \(cwd): wanted is an absolute path") }
        if let name, name.isEmpty || name.contains("/") || name.utf8.count > 31 {
            throw ValidationError("--name \(name): wanted are up to 31 characters without /")
        }
    }

    /// A file alone is told everything down to "info".
    func siteLog() throws(LoadError) -> SiteLog {
        var level: SiteLog.Level?
        var file: String?
        for word in log {
            if let known = SiteLog.Level(word: word) { level = known } else { file = word }
        }
        return try SiteLog(level: level ?? (file == nil ? .error : .info), file: file)
    }

    func environment(_ base: [String: String]) -> [String: String] {
        var all = base
        for variable in env {
            guard let split = variable.firstIndex(of: "=") else { continue }
            all[String(variable[..<split])] = String(variable[variable.index(after: split)...])
        }
        return all
    }
}
