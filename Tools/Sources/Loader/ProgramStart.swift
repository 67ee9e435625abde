import CChorus
import CMiXFile
import CMiXProcess
import Glibc

/// The program that a site is made for: PROC_SPAWN, with the search of PATH that a shell would make.
public struct ProgramStart: Sendable {
    public var words: [String]
    public var environment: [String: String]
    public var directory: String

    public init(words: [String], environment: [String: String], directory: String) {
        self.words = words
        self.environment = environment
        self.directory = directory
    }

    /// Why it does not run: 127 not found, 126 found but not executable, as a shell has it.
    public struct Failure: Error, Sendable {
        public var status: Int32
        public var reason: String
    }

    /// The process identifier.
    public func start(on site: Site) throws -> Int32 {
        guard let name = words.first, !name.isEmpty else { throw Failure(status: 127, reason: "no program is named") }
        if let error = directoryError(on: site) {
            throw Failure(status: 125, reason: "cannot start in \(directory): \(String(cString: strerror(error)))")
        }
        var worst = ENOENT
        let paths = candidates(name)
        for path in paths {
            if paths.count > 1 && !exists(path, on: site) { continue }
            let diag = try spawn(path, on: site)
            if diag >= 0 { return Int32(truncatingIfNeeded: diag) }
            let error = Int32(truncatingIfNeeded: -diag)
            if error == ENOENT || error == ENOTDIR { continue }
            worst = error
            if error != EACCES { break }  // execvp(3) goes on after EACCES only
        }
        let text = String(cString: strerror(worst))
        throw Failure(status: worst == ENOENT ? 127 : 126, reason: "\(name): \(worst == ENOENT ? "not found" : text)")
    }

    func candidates(_ name: String) -> [String] {
        if name.contains("/") { return [name] }
        let path = environment["PATH"] ?? "/bin:/usr/bin"
        return path.split(separator: ":", omittingEmptySubsequences: false).map { $0.isEmpty ? name : "\($0)/\(name)" }
    }

    /// Why the directory to start in cannot be that, so that the program is not blamed for it.
    private func directoryError(on site: Site) -> Int32? {
        if directory == "/" { return nil }
        // "/." asks for a directory.
        return error(of: directory + "/.", mode: UInt64(X_OK), on: site)
    }

    /// A look at the name before a process is made for it. Where the File Manager cannot tell, spawning will.
    private func exists(_ path: String, on site: Site) -> Bool {
        let error = error(of: path, mode: UInt64(F_OK), on: site)
        return error != ENOENT && error != ENOTDIR
    }

    /// What access(2) says of a name; nil: nothing against it, or nobody to ask.
    private func error(of path: String, mode: UInt64, on site: Site) -> Int32? {
        var request = MixObjRequest()
        request.op = UInt32(FILE_ACCESS)
        request.cred.capabilities = UInt32(MIX_CAP_ROOT)
        request.arg.2 = mode
        guard let answer = try? site.call(K_STAMP_FILE, request, body: Array(path.utf8) + [0]) else { return nil }
        return answer.reply.diag < 0 ? Int32(truncatingIfNeeded: -answer.reply.diag) : nil
    }

    private func spawn(_ path: String, on site: Site) throws(LoadError) -> Int64 {
        var request = MixObjRequest()
        request.op = UInt32(PROC_SPAWN)
        request.flags = 3  // the console is its terminal; its end is the site's end
        request.arg.0 = UInt64(words.count)
        request.arg.1 = UInt64(environment.count)
        request.cred.capabilities = UInt32(MIX_CAP_ROOT)
        let variables = environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        var body: [UInt8] = []
        for text in [path, directory] + words + variables {
            body.append(contentsOf: text.utf8)
            body.append(0)
        }
        if body.count > Int(K_CMSGSIZEMAX) { return -Int64(E2BIG) }
        return try site.call(K_STAMP_PROCESS, request, body: body, delay: K_NOTIMEOUT).reply.diag
    }

    /// What a program finds in its environment unless it is told otherwise: nothing of the host's but the terminal
    /// and the language.
    public static func cleanEnvironment() -> [String: String] {
        var clean = [
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root", "USER": "root", "LOGNAME": "root", "SHELL": "/bin/sh",
        ]
        for name in ["TERM", "COLORTERM", "LANG", "LC_ALL", "TZ"] {
            if let value = getenv(name) { clean[name] = String(cString: value) }
        }
        if clean["TERM"] == nil { clean["TERM"] = "dumb" }
        return clean
    }
}
