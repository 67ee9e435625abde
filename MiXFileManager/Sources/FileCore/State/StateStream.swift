/// State as bytes: little-endian words and counted strings.
struct StateWriter {
    var bytes: [UInt8] = []

    mutating func put(_ value: UInt64) { withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) } }
    mutating func put(_ value: Int64) { put(UInt64(bitPattern: value)) }
    mutating func put(_ value: UInt32) { put(UInt64(value)) }
    mutating func put(_ value: Int) { put(UInt64(value)) }
    mutating func put(_ value: Bool) { put(UInt64(value ? 1 : 0)) }
    mutating func put(_ value: [UInt8]) {
        put(value.count)
        bytes.append(contentsOf: value)
    }
    mutating func put(_ value: String) { put(Array(value.utf8)) }
    mutating func put(_ value: FileTime) {
        put(value.seconds)
        put(value.nanoseconds)
    }
}

/// Reads it back; anything cut or out of range is EINVAL.
struct StateReader {
    private let bytes: [UInt8]
    private var at = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func word() throws(Errno) -> UInt64 {
        guard bytes.count - at >= 8 else { throw .EINVAL }
        defer { at += 8 }
        return bytes.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: at, as: UInt64.self)) }
    }
    mutating func half() throws(Errno) -> UInt32 {
        guard let value = UInt32(exactly: try word()) else { throw .EINVAL }
        return value
    }
    /// A number of things that are each at least a word long.
    mutating func count() throws(Errno) -> Int {
        let value = try word()
        guard value <= UInt64(bytes.count) else { throw .EINVAL }
        return Int(value)
    }
    mutating func flag() throws(Errno) -> Bool { try word() != 0 }
    mutating func data() throws(Errno) -> [UInt8] {
        let count = try count()
        guard bytes.count - at >= count else { throw .EINVAL }
        defer { at += count }
        return Array(bytes[at..<at + count])
    }
    mutating func text() throws(Errno) -> String { String(decoding: try data(), as: UTF8.self) }
    mutating func name() throws(Errno) -> Name {
        let bytes = try data()
        guard bytes.count > 0, bytes.count <= Linux.NAME_MAX, !bytes.contains(0), !bytes.contains(0x2f) else {
            throw .EINVAL
        }
        return Name(bytes)
    }
    mutating func time() throws(Errno) -> FileTime { FileTime(Int64(bitPattern: try word()), try half()) }
}
