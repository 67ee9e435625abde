import Glibc
import Loader

enum RootDirectory {
    /// The real path of a directory that can be a root.
    static func absolute(_ path: String) throws(LoadError) -> String {
        guard let real = realpath(path, nil) else {
            throw LoadError("--root \(path): \(String(cString: strerror(errno)))")
        }
        defer { free(real) }
        var status = stat()
        guard stat(real, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            throw LoadError("--root \(path): is not a directory")
        }
        return String(cString: real).split(separator: " ", omittingEmptySubsequences: false).joined(separator: "\\040")
    }
}
