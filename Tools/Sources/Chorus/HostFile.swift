import Glibc
import Loader

/// Files of the host, whole.
enum HostFile {
    static func read(_ file: String) throws(LoadError) -> String {
        guard let stream = fopen(file, "r") else {
            throw LoadError("\(file): \(String(cString: strerror(errno)))")
        }
        defer { fclose(stream) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = fread(&buffer, 1, buffer.count, stream)
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
