import CFileHost

/// Bytes being written as text: procfs files, mount lines, paths.
struct Text {
    var bytes: [UInt8] = []

    mutating func add(_ text: String) { bytes.append(contentsOf: text.utf8) }
    mutating func add(_ more: [UInt8]) { bytes.append(contentsOf: more) }
    mutating func add(_ name: Name) { name.withBytes { bytes.append(contentsOf: $0) } }
    mutating func newline() { bytes.append(0x0a) }

    /// With blanks and backslashes as octal, as /proc/mounts has them (proc(5), getmntent(3)).
    mutating func addEscaped(_ more: [UInt8]) {
        for byte in more {
            switch byte {
            case 0x20, 0x09, 0x0a, 0x5c, 0x23:
                bytes.append(0x5c)
                bytes.append(0x30 + (byte >> 6))
                bytes.append(0x30 + (byte >> 3 & 7))
                bytes.append(0x30 + (byte & 7))
            default: bytes.append(byte)
            }
        }
    }
}

/// A host file of a few pages as bytes; empty where it cannot be read.
func hostText(_ path: String, limit: Int = 1 << 18) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
        count = max(0, Int(fm_read_file(path, buffer.baseAddress, UInt64(limit))))
    }
}
