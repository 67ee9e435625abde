/// Bytes, first in, first out. Grows by doubling, so that an idle connection costs nothing and a busy one moves no memory about.
struct ByteRing {
    /// Keeps the memory; a class for its end.
    private final class Storage {
        let bytes: UnsafeMutableRawBufferPointer
        init(_ count: Int) { bytes = .allocate(byteCount: count, alignment: 64) }
        deinit { bytes.deallocate() }
    }

    private static let smallest = 4096
    private var storage: Storage?
    private var first = 0
    private(set) var count = 0

    private var capacity: Int { storage?.bytes.count ?? 0 }

    mutating func append(_ source: UnsafeRawBufferPointer) {
        if source.isEmpty { return }
        reserve(count + source.count)
        guard let bytes = storage?.bytes else { return }
        var at = (first + count) & (bytes.count - 1)
        var left = source
        while !left.isEmpty {
            let piece = min(left.count, bytes.count - at)
            UnsafeMutableRawBufferPointer(rebasing: bytes[at..<at + piece]).copyMemory(
                from: UnsafeRawBufferPointer(rebasing: left[..<piece]))
            left = UnsafeRawBufferPointer(rebasing: left[piece...])
            at = 0
        }
        count += source.count
    }

    /// Copies what begins `offset` bytes in; the caller has made sure that there is as much.
    func copy(from offset: Int, to target: UnsafeMutableRawBufferPointer) {
        guard let bytes = storage?.bytes, offset >= 0, offset + target.count <= count else { return }
        var at = (first + offset) & (bytes.count - 1)
        var left = target
        while !left.isEmpty {
            let piece = min(left.count, bytes.count - at)
            left.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[at..<at + piece]))
            left = UnsafeMutableRawBufferPointer(rebasing: left[piece...])
            at = 0
        }
    }

    mutating func drop(_ number: Int) {
        let number = min(number, count)
        count -= number
        guard capacity > 0 else { return }
        first = (first + number) & (capacity - 1)
        if count == 0 {
            first = 0
            if capacity > 1 << 16 { storage = nil }  // what a burst needed is not kept for ever
        }
    }

    mutating func removeAll() { self = ByteRing() }

    private mutating func reserve(_ wanted: Int) {
        if wanted <= capacity { return }
        var size = max(capacity, Self.smallest)
        while size < wanted { size *= 2 }
        let larger = Storage(size)
        copy(from: 0, to: UnsafeMutableRawBufferPointer(rebasing: larger.bytes[..<count]))
        storage = larger
        first = 0
    }
}
