/// Frames in the order in which they came, in memory that is taken once: a full ring takes no more. Its owner locks.
package final class FrameRing {
    private let memory: UnsafeMutableRawBufferPointer
    private var sizes: [Int]
    private let most: Int
    private var first = 0
    package private(set) var count = 0

    /// `most`: bytes of the longest frame. The host gives pages as they are touched.
    package init(frames: Int, most: Int) {
        self.most = most
        sizes = [Int](repeating: 0, count: frames)
        memory = .allocate(byteCount: frames * most, alignment: 64)
    }

    deinit { memory.deallocate() }

    private func slot(_ index: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: memory[index * most..<index * most + sizes[index]])
    }

    /// One more frame of `size` bytes, put there by `fill`. False where there is no room for it.
    package func append(_ size: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) -> Bool {
        guard count < sizes.count, size >= 0, size <= most else { return false }
        let index = (first + count) % sizes.count
        sizes[index] = size
        fill(slot(index))
        count += 1
        return true
    }

    /// The oldest frame, which goes; nil when there is none.
    package func take<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result? {
        guard count > 0 else { return nil }
        let result = body(UnsafeRawBufferPointer(slot(first)))
        first = (first + 1) % sizes.count
        count -= 1
        return result
    }

    package func removeAll() { (first, count) = (0, 0) }
}
