/// The bytes inside a pipe: a ring that is allocated at the first write and never moves data.
///
/// Not synchronised; `Pipe` keeps it under its lock.
struct PipeRing: ~Copyable {
    private var storage: UnsafeMutableRawPointer?
    private var start = 0
    private(set) var count = 0
    private(set) var capacity: Int

    init(capacity: Int) { self.capacity = capacity }

    deinit { storage?.deallocate() }

    var room: Int { capacity - count }

    /// Changes the capacity (F_SETPIPE_SZ). False when the bytes inside would not fit.
    mutating func resize(to size: Int) -> Bool {
        if size < count { return false }
        let fresh = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
        let kept = read(into: fresh, size: count)
        storage?.deallocate()
        (storage, start, count, capacity) = (fresh, 0, kept, size)
        return true
    }

    /// Appends `size` bytes, which must fit.
    mutating func append(_ bytes: UnsafeRawPointer, size: Int) {
        precondition(size <= room)
        let base = storage ?? .allocate(byteCount: capacity, alignment: 64)
        storage = base
        var end = start + count
        if end >= capacity { end -= capacity }
        let first = min(size, capacity - end)
        (base + end).copyMemory(from: bytes, byteCount: first)
        base.copyMemory(from: bytes + first, byteCount: size - first)
        count += size
    }

    /// Copies up to `size` bytes from `offset` behind the front without taking them.
    func peek(at offset: Int = 0, into target: UnsafeMutableRawPointer, size: Int) -> Int {
        guard let base = storage, offset < count else { return 0 }
        let wanted = min(size, count - offset)
        var from = start + offset
        if from >= capacity { from -= capacity }
        let first = min(wanted, capacity - from)
        target.copyMemory(from: base + from, byteCount: first)
        (target + first).copyMemory(from: base, byteCount: wanted - first)
        return wanted
    }

    /// Drops `size` bytes from the front.
    mutating func drop(_ size: Int) {
        let gone = min(size, count)
        count -= gone
        start = count == 0 ? 0 : (start + gone) % capacity
    }

    /// Takes up to `size` bytes from the front.
    mutating func read(into target: UnsafeMutableRawPointer, size: Int) -> Int {
        let taken = peek(into: target, size: size)
        drop(taken)
        return taken
    }
}
