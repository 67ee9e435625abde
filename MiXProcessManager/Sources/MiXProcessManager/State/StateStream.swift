/// Writes numbers little-endian and byte strings behind their length.
struct StateWriter {
    private(set) var bytes: [UInt8] = []

    mutating func put<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }
    mutating func put(_ text: [UInt8]) {
        put(UInt32(text.count))
        bytes.append(contentsOf: text)
    }
}

/// Reads what `StateWriter` wrote; nil where the message is too short.
struct StateReader {
    private let source: UnsafeRawBufferPointer
    private var offset = 0

    init(_ source: UnsafeRawBufferPointer) { self.source = source }

    mutating func get<T: FixedWidthInteger & BitwiseCopyable>() -> T? {
        let size = MemoryLayout<T>.size
        guard source.count - offset >= size else { return nil }
        defer { offset += size }
        return T(littleEndian: source.loadUnaligned(fromByteOffset: offset, as: T.self))
    }
    mutating func bytes() -> [UInt8]? {
        guard let count: UInt32 = get(), source.count - offset >= Int(count) else { return nil }
        defer { offset += Int(count) }
        return Array(source[offset..<offset + Int(count)])
    }
}
