import Glibc

extension Manifest {
    /// Longest manifest that is read.
    private static let mostBytes = 1 << 20

    public static func load(_ path: String) throws(ManifestError) -> Manifest {
        let place = Place(file: path, line: 0, key: "")
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0 {
            throw place.error("cannot be read: \(String(cString: strerror(errno)))", "the path of a manifest would do")
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while bytes.count <= mostBytes {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            if count < 0 {
                throw place.error("cannot be read: \(String(cString: strerror(errno)))", "a manifest file would do")
            }
            if count == 0 { break }
            bytes.append(contentsOf: buffer[..<count])
        }
        if bytes.count > mostBytes { throw place.error("is longer than 1 MiB", "a shorter manifest would do") }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw place.error("is not UTF-8 text", "a TOML file would do")
        }
        return try parse(text, file: path)
    }
}
