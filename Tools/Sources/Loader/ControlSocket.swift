import CToolHost
import Glibc

/// Where running sites of this user listen.
public enum ControlSocket {
    /// The directory, mode 0700 and owned by this user, or nil with errno.
    public static func directory(create: Bool) -> String? {
        let user = getuid()
        var path = "/tmp/chorus-\(user)"
        if let runtime = getenv("XDG_RUNTIME_DIR"), runtime.pointee == CChar(bitPattern: UInt8(ascii: "/")) {
            path = String(cString: runtime) + "/chorus"
        }
        if create { _ = mkdir(path, 0o700) }
        var status = stat()
        // Not through a link that another user planted in /tmp.
        guard lstat(path, &status) == 0 else { return nil }
        guard status.st_mode & S_IFMT == S_IFDIR, status.st_uid == user, status.st_mode & 0o077 == 0 else {
            errno = EPERM
            return nil
        }
        return path
    }

    public static func path(_ site: String) -> String? {
        directory(create: false).map { "\($0)/\(site).sock" }
    }

    /// Names of the sites that answer; what is left of dead ones is removed.
    public static func sites() -> [String] {
        guard let path = directory(create: false), let handle = opendir(path) else { return [] }
        defer { closedir(handle) }
        var found: [String] = []
        while let entry = readdir(handle) {
            let file = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard file.hasSuffix(".sock") else { continue }
            let socket = tool_connect("\(path)/\(file)")
            if socket >= 0 {
                close(socket)
                found.append(String(file.dropLast(5)))
            } else if errno == ECONNREFUSED {
                unlink("\(path)/\(file)")
            }
        }
        return found.sorted()
    }
}

/// Whole texts over a descriptor.
enum Stream {
    static func write(_ descriptor: Int32, _ text: String) {
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0 && errno == EINTR { continue }
            if count <= 0 { return }
            done += count
        }
    }

    /// To the end, or to the first line feed when `line`.
    static func read(_ descriptor: Int32, line: Bool, most: Int) -> String? {
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: line ? 1 : 4096)
        while text.count < most {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            if count < 0 { return nil }
            if count == 0 { return line ? nil : String(decoding: text, as: UTF8.self) }
            if line && buffer[0] == UInt8(ascii: "\n") { return String(decoding: text, as: UTF8.self) }
            text.append(contentsOf: buffer[..<count])
        }
        return line ? nil : String(decoding: text, as: UTF8.self)
    }
}
