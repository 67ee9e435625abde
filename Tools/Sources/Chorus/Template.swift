import Glibc
import Loader

/// Files that become somebody's own: @WORD@ in them is replaced.
struct Template {
    private let words: [String: String]

    init(_ words: [String: String]) { self.words = words }

    /// A new folder with copies of what the folders `sources` hold; `stem` at the beginning of a name becomes the folder's name.
    /// Refused where there is something of that name; what was begun is taken away when it fails.
    func make(_ folder: String, from sources: [String], renaming stem: String) throws(LoadError) {
        guard mkdir(folder, 0o777) == 0 else { throw Self.error(folder) }
        var made: [String] = []
        do throws(LoadError) {
            for source in sources {
                for name in try Self.names(source) {
                    let target = name.hasPrefix(stem + ".") ? folder + name.dropFirst(stem.utf8.count) : name
                    made.append("\(folder)/\(target)")
                    try copy("\(source)/\(name)", "\(folder)/\(target)")
                }
            }
        } catch {
            for file in made { unlink(file) }
            rmdir(folder)
            throw error
        }
    }

    private func copy(_ from: String, _ to: String) throws(LoadError) {
        var text = try HostFile.read(from)
        for (word, value) in words { text = text.replacing("@\(word)@", with: value) }
        var status = stat()
        guard stat(from, &status) == 0 else { throw Self.error(from) }
        let descriptor = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, status.st_mode & 0o111 | 0o666)
        guard descriptor >= 0, let stream = fdopen(descriptor, "w") else { throw Self.error(to) }
        let isPut = fputs(text, stream) >= 0
        guard fclose(stream) == 0, isPut else { throw Self.error(to) }
    }

    private static func names(_ folder: String) throws(LoadError) -> [String] {
        guard let stream = opendir(folder) else { throw error(folder) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }

    private static func error(_ file: String) -> LoadError { LoadError("\(file): \(String(cString: strerror(errno)))") }
}
