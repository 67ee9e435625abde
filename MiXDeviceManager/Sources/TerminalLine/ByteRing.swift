/// A bounded queue of bytes; its memory is allocated once.
package struct ByteRing: ~Copyable {
    private let base: UnsafeMutablePointer<UInt8>
    private let mask: Int
    package let capacity: Int
    private var head = 0
    private var tail = 0

    /// `capacity` is rounded up to a power of two.
    package init(capacity wanted: Int) {
        var size = 16
        while size < wanted { size *= 2 }
        capacity = size
        mask = size - 1
        base = .allocate(capacity: size)
    }

    deinit { base.deallocate() }

    package var count: Int { head &- tail }
    package var room: Int { capacity &- count }
    package var isEmpty: Bool { head == tail }

    package mutating func removeAll() {
        head = 0
        tail = 0
    }

    /// What is in it, oldest first.
    package var contents: [UInt8] { (tail..<head).map { base[$0 & mask] } }

    subscript(at: Int) -> UInt8 { base[(tail &+ at) & mask] }

    /// The caller has looked at `room`; a byte without a place is dropped.
    package mutating func append(_ byte: UInt8) {
        guard room > 0 else { return }
        base[head & mask] = byte
        head &+= 1
    }

    /// Takes what fits.
    package mutating func append(_ bytes: UnsafeRawBufferPointer) -> Int {
        let taken = min(bytes.count, room)
        guard taken > 0, let source = bytes.baseAddress else { return 0 }
        let at = head & mask
        let first = min(taken, capacity &- at)
        UnsafeMutableRawPointer(base + at).copyMemory(from: source, byteCount: first)
        UnsafeMutableRawPointer(base).copyMemory(from: source + first, byteCount: taken &- first)
        head &+= taken
        return taken
    }

    /// The oldest byte; the caller has looked whether there is one.
    mutating func removeFirst() -> UInt8 {
        let byte = base[tail & mask]
        tail &+= 1
        return byte
    }

    package mutating func take(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let taken = min(buffer.count, count)
        guard taken > 0, let target = buffer.baseAddress else { return 0 }
        let at = tail & mask
        let first = min(taken, capacity &- at)
        target.copyMemory(from: base + at, byteCount: first)
        (target + first).copyMemory(from: base, byteCount: taken &- first)
        tail &+= taken
        return taken
    }
}
