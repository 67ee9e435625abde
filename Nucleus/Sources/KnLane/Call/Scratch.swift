import Glibc

/// Private memory of one lane's side, used as a stack: received frames and the buffers of calls being served.
///
/// Lazily populated by the host, so a lane that only ever carries small frames holds a page or two.
public struct Scratch: ~Copyable, @unchecked Sendable {
    // Sendable: handed over with its lane, used by one thread at a time.
    public static let capacity = 8 * 1024 * 1024
    private let base: UnsafeMutableRawPointer
    private(set) var used = 0

    public init?() {
        let memory = mmap(
            nil, Scratch.capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let memory, memory != MAP_FAILED else { return nil }
        base = memory
    }

    deinit { munmap(base, Scratch.capacity) }

    /// 16-byte aligned; nil when nested calls have filled it.
    mutating func take(_ size: Int) -> UnsafeMutableRawPointer? {
        let rounded = (size + 15) & ~15
        guard rounded >= size, rounded <= Scratch.capacity - used else { return nil }
        defer { used += rounded }
        return base + used
    }

    mutating func release(to mark: Int) {
        // A large body's pages are given back once nothing is stacked on them: an idle site stays small.
        if mark == 0, used > 2 * 1024 * 1024 { madvise(base, used, MADV_DONTNEED) }
        used = mark
    }
}
