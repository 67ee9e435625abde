/// A message of a server's state (knActor.h): numbers little-endian, byte strings behind their length.
public struct StateWriter {
    public private(set) var bytes: [UInt8] = []

    public init() {}

    public mutating func put<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }
    public mutating func put(_ value: Bool) { bytes.append(value ? 1 : 0) }
    public mutating func put(_ text: [UInt8]) {
        put(UInt32(text.count))
        bytes.append(contentsOf: text)
    }
}

/// Reads what `StateWriter` wrote; nil where the message is too short.
public struct StateReader {
    private let source: UnsafeRawBufferPointer
    private var offset = 0

    /// `source` is valid as long as the reader is used.
    public init(_ source: UnsafeRawBufferPointer) { self.source = source }

    public var isAtEnd: Bool { offset == source.count }

    public mutating func get<T: FixedWidthInteger & BitwiseCopyable>() -> T? {
        let size = MemoryLayout<T>.size
        guard source.count - offset >= size else { return nil }
        defer { offset += size }
        return T(littleEndian: source.loadUnaligned(fromByteOffset: offset, as: T.self))
    }
    public mutating func flag() -> Bool? {
        guard let byte: UInt8 = get() else { return nil }
        return byte != 0
    }
    public mutating func bytes() -> [UInt8]? {
        guard let count: UInt32 = get(), source.count - offset >= Int(count) else { return nil }
        defer { offset += Int(count) }
        return Array(source[offset..<offset + Int(count)])
    }
}
