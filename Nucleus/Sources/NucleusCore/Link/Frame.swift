import CChorus

/// What a frame is about. Part of what goes over the wire: numbers are never used again.
enum FrameKind: UInt16 {
    /// The first frame of a site to another, and the one behind all that the other has to know at first.
    case hello = 1, ready
    case message, reply, fail, cancel, passed
    case moved, flush, flushed, gone
    case group
    case prepare, prepared, abandon, carried, commit, committed
}

/// What every frame begins with. Little-endian, as all of it.
struct Envelope: BitwiseCopyable {
    var version: UInt16 = Envelope.version
    var kind: UInt16
    var source: UInt32 = 0
    var destination: UInt32 = 0
    /// Bytes behind the envelope.
    var length: UInt32 = 0
    /// Counts the frames from source to destination since the link came up, from 1.
    var sequence: UInt64 = 0
    /// Drawn by the source when it is made: tells it from an earlier site of the same number.
    var incarnation: UInt64 = 0

    static var version: UInt16 { 1 }
    static var size: Int { 32 }
}

/// One message between two nuclei: an envelope, the fields of its kind, and what else belongs to that.
public struct Frame: Sendable {
    public private(set) var bytes: [UInt8]

    /// Bytes of the longest frame that a link has to carry.
    public static var longest: Int {
        Envelope.size + MemoryLayout<CarriedFields>.size + Int(K_CMSGANNEXSIZE) + Int(K_CMSGSIZEMAX)
    }

    /// As it came over a link; checked for nothing.
    public init(bytes: [UInt8]) { self.bytes = bytes }

    /// `more`: how many bytes are going to be appended.
    init<Fields: BitwiseCopyable>(_ kind: FrameKind, _ fields: Fields, more: Int = 0) {
        bytes = []
        bytes.reserveCapacity(Envelope.size + MemoryLayout<Fields>.size + more)
        append(Envelope(kind: kind.rawValue))
        append(fields)
    }

    init(_ kind: FrameKind) {
        bytes = []
        append(Envelope(kind: kind.rawValue))
    }

    mutating func append<Value: BitwiseCopyable>(_ value: Value) {
        withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
    }

    /// Zeros if `start` is nil.
    mutating func append(_ start: UnsafeRawPointer?, _ count: Int) {
        if let start {
            bytes.append(contentsOf: UnsafeRawBufferPointer(start: start, count: count))
        } else {
            bytes.append(contentsOf: repeatElement(0, count: count))
        }
    }

    private func load<Value: BitwiseCopyable>(_ type: Value.Type, at offset: Int) -> Value? {
        guard bytes.count >= offset + MemoryLayout<Value>.size else { return nil }
        return bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Value.self) }
    }

    private mutating func store<Value: BitwiseCopyable>(_ value: Value, at offset: Int) {
        bytes.withUnsafeMutableBytes { $0.storeBytes(of: value, toByteOffset: offset, as: Value.self) }
    }

    /// nil for what is no frame of this version.
    var envelope: Envelope? {
        guard let envelope = load(Envelope.self, at: 0), envelope.version == Envelope.version,
            Int(envelope.length) == bytes.count - Envelope.size
        else { return nil }
        return envelope
    }

    var kind: FrameKind? { load(Envelope.self, at: 0).flatMap { FrameKind(rawValue: $0.kind) } }

    mutating func address(from source: UInt32, to destination: UInt32, _ sequence: UInt64, _ incarnation: UInt64) {
        guard var envelope = load(Envelope.self, at: 0) else { return }
        envelope.source = source
        envelope.destination = destination
        envelope.length = UInt32(bytes.count - Envelope.size)
        envelope.sequence = sequence
        envelope.incarnation = incarnation
        store(envelope, at: 0)
    }

    /// The fields, if there are as many bytes.
    func fields<Fields: BitwiseCopyable>(_ type: Fields.Type) -> Fields? { load(type, at: Envelope.size) }

    mutating func set<Fields: BitwiseCopyable>(_ fields: Fields) { store(fields, at: Envelope.size) }

    /// Runs `body` with the bytes behind the fields.
    func rest<Fields: BitwiseCopyable, Result>(
        behind type: Fields.Type, _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result {
        let start = min(Envelope.size + MemoryLayout<Fields>.size, bytes.count)
        return bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[start...])) }
    }
}
