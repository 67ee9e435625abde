/// One component of a path: 1 to 255 bytes without NUL and slash. Up to 31 bytes live in the value itself, so that a walk
/// through ordinary names allocates nothing.
public struct Name: Hashable, Sendable {
    private var w0: UInt64 = 0
    private var w1: UInt64 = 0
    private var w2: UInt64 = 0
    private var w3: UInt64 = 0  // short: bytes 24...30 and the length on top; long: a hash with 255 on top
    private var long: [UInt8]?

    public init(_ bytes: UnsafeRawBufferPointer) {
        let count = bytes.count
        withUnsafeMutableBytes(of: &self) { raw in
            raw.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[0..<min(count, count <= 31 ? 31 : 24)]))
        }
        if count <= 31 {
            w3 |= UInt64(count) << 56
        } else {
            var hash: UInt64 = 0xcbf2_9ce4_8422_2325  // FNV-1a: spreads long names that share a beginning
            for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
            w3 = hash | 0xff << 56
            long = Array(bytes)
        }
    }

    public init(_ text: StaticString) {
        self.init(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    public init(_ bytes: [UInt8]) { self = bytes.withUnsafeBytes { Name($0) } }

    public init(_ text: String) { self.init(Array(text.utf8)) }

    public var count: Int { long?.count ?? Int(w3 >> 56) }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(w0)
        hasher.combine(w1 ^ w2 &* 0x9e37_79b9_7f4a_7c15)
        hasher.combine(w3)
    }

    public func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        if let long { return long.withUnsafeBytes(body) }
        let words = (w0, w1, w2, w3)
        let count = self.count
        return withUnsafeBytes(of: words) { body(UnsafeRawBufferPointer(rebasing: $0[0..<count])) }
    }

    /// NUL-terminated, for a host call.
    func withCString<R>(_ body: (UnsafePointer<CChar>) -> R) -> R {
        withBytes { bytes in
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
                for i in 0..<min(bytes.count, 255) { buffer[i] = CChar(bitPattern: bytes[i]) }
                buffer[min(bytes.count, 255)] = 0
                guard let base = buffer.baseAddress else { return body("") }
                return body(base)
            }
        }
    }

    public var bytes: [UInt8] { withBytes { Array($0) } }
    public var string: String { withBytes { String(decoding: $0, as: UTF8.self) } }

    /// The decimal number this name spells, without sign or leading zero (directory names of procfs).
    public var number: Int32? {
        withBytes { bytes in
            guard bytes.count > 0, bytes.count <= 9, bytes[0] != 0x30 || bytes.count == 1 else { return nil }
            var value: Int32 = 0
            for byte in bytes {
                guard byte >= 0x30, byte <= 0x39 else { return nil }
                value = value * 10 + Int32(byte - 0x30)
            }
            return value
        }
    }
}
