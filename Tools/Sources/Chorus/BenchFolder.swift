import Glibc
import Loader

/// A folder for the files of a measurement.
struct BenchFolder {
    let path: String
    private let files: Names

    private final class Names {
        var all: Set<String> = []
    }

    init() throws(LoadError) {
        var name = Array("/tmp/chorus-bench.XXXXXX".utf8CString)
        guard mkdtemp(&name) != nil else { throw Self.error("/tmp") }
        path = String(decoding: name.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        files = Names()
    }

    func remove() {
        for file in files.all { unlink(file) }
        rmdir(path)
    }

    /// The path of the file.
    func write(_ name: String, _ text: String) throws(LoadError) -> String {
        try create(name) { stream in fputs(text, stream) >= 0 }
    }

    /// A file of so many bytes that are all there on the disk.
    func fill(_ name: String, _ size: Int) throws(LoadError) -> String {
        let block = (0..<(1 << 17)).map { UInt64($0) &* 0x9e37_79b9_7f4a_7c15 }
        return try create(name) { stream in
            for _ in 0..<size / (8 * block.count) where fwrite(block, 8, block.count, stream) != block.count {
                return false
            }
            return fflush(stream) == 0 && fsync(fileno(stream)) == 0
        }
    }

    private func create(_ name: String, _ put: (UnsafeMutablePointer<FILE>) -> Bool) throws(LoadError) -> String {
        let file = path + "/" + name
        guard let stream = fopen(file, "w") else { throw Self.error(file) }
        files.all.insert(file)
        let isPut = put(stream)
        let error = errno
        guard fclose(stream) == 0, isPut else { throw LoadError("\(file): \(String(cString: strerror(error)))") }
        return file
    }

    private static func error(_ file: String) -> LoadError { LoadError("\(file): \(String(cString: strerror(errno)))") }
}
