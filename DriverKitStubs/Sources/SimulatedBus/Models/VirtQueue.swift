/// A chain of descriptors: what the device reads, then what it writes.
struct VirtChain {
    var head: UInt16
    var readable: [UnsafeMutableRawBufferPointer] = []
    var writable: [UnsafeMutableRawBufferPointer] = []

    /// Copies out of the readable part, from `offset` on; how many bytes there were.
    func read(_ target: UnsafeMutableRawBufferPointer, at offset: Int = 0) -> Int {
        Self.walk(readable, offset, target.count) { part, done in
            UnsafeMutableRawBufferPointer(rebasing: target[done..<done + part.count])
                .copyMemory(from: UnsafeRawBufferPointer(part))
        }
    }

    /// Copies into the writable part, from `offset` on; how many bytes there was room for.
    func write(_ source: UnsafeRawBufferPointer, at offset: Int = 0) -> Int {
        Self.walk(writable, offset, source.count) { part, done in
            part.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[done..<done + part.count]))
        }
    }

    /// The pieces of `count` bytes from `offset` on, each with how many bytes came before it. How many bytes there are.
    @inline(__always)
    private static func walk(
        _ parts: [UnsafeMutableRawBufferPointer], _ offset: Int, _ count: Int,
        _ body: (UnsafeMutableRawBufferPointer, Int) -> Void
    ) -> Int {
        var (skip, done) = (offset, 0)
        for part in parts {
            if skip >= part.count {
                skip -= part.count
                continue
            }
            let size = min(part.count - skip, count - done)
            if size == 0 { break }
            body(UnsafeMutableRawBufferPointer(rebasing: part[skip..<skip + size]), done)
            done += size
            skip = 0
        }
        return done
    }

    var readableCount: Int { readable.reduce(0) { $0 + $1.count } }
    var writableCount: Int { writable.reduce(0) { $0 + $1.count } }
}

/// One split virtqueue, seen by the device. The driver's memory is read once and believed only as far as it goes.
struct VirtQueue {
    struct Nonsense: Error {}

    var size: UInt16 = 0
    var isReady = false
    var descriptors: UInt64 = 0
    var available: UInt64 = 0
    var used: UInt64 = 0
    var seen: UInt16 = 0
    private var put: UInt16 = 0
    /// The chain that was handed out last: its memory serves the next one.
    private var chain = VirtChain(head: 0)

    /// Not ready: it begins anew.
    mutating func restart() { (seen, put) = (0, 0) }

    private func word<Word: FixedWidthInteger>(_: Word.Type, _ address: UInt64, _ bus: DeviceBus) throws -> Word {
        guard let bytes = bus.memory(address, MemoryLayout<Word>.size) else { throw Nonsense() }
        return Word(littleEndian: bytes.loadUnaligned(as: Word.self))
    }

    func hasNext(_ bus: DeviceBus) -> Bool {
        guard isReady, let index = try? word(UInt16.self, available &+ 2, bus) else { return false }
        return index != seen
    }

    mutating func next(_ bus: DeviceBus) throws -> VirtChain? {
        let index = try word(UInt16.self, available &+ 2, bus)
        if index == seen { return nil }
        guard index &- seen <= size else { throw Nonsense() }
        let head = try word(UInt16.self, available &+ 4 &+ UInt64(seen % size) * 2, bus)
        seen &+= 1
        chain.head = head
        chain.readable.removeAll(keepingCapacity: true)
        chain.writable.removeAll(keepingCapacity: true)
        var at = head
        // A chain longer than the queue goes round in a circle.
        for _ in 0..<size {
            guard at < size else { throw Nonsense() }
            let place = descriptors &+ UInt64(at) * 16
            let address = try word(UInt64.self, place, bus)
            let count = try word(UInt32.self, place &+ 8, bus)
            let flags = try word(UInt16.self, place &+ 12, bus)
            guard flags & 4 == 0, let memory = bus.memory(address, Int(count), writes: flags & 2 != 0) else {
                throw Nonsense()
            }
            if flags & 2 != 0 {
                chain.writable.append(memory)
            } else {
                guard chain.writable.isEmpty else { throw Nonsense() }
                chain.readable.append(memory)
            }
            if flags & 1 == 0 { return chain }
            at = try word(UInt16.self, place &+ 14, bus)
        }
        throw Nonsense()
    }

    /// VIRTQ_AVAIL_F_NO_INTERRUPT (section 2.7.7).
    func wantsInterrupt(_ bus: DeviceBus) -> Bool {
        guard let flags = try? word(UInt16.self, available, bus) else { return true }
        return flags & 1 == 0
    }

    /// False where the driver's memory is not there.
    mutating func put(_ head: UInt16, _ written: UInt32, _ bus: DeviceBus) -> Bool {
        guard let entry = bus.memory(used &+ 4 &+ UInt64(put % size) * 8, 8, writes: true),
            let index = bus.memory(used &+ 2, 2, writes: true)
        else {
            return false
        }
        entry.storeBytes(of: UInt32(head).littleEndian, as: UInt32.self)
        entry.storeBytes(of: written.littleEndian, toByteOffset: 4, as: UInt32.self)
        put &+= 1
        index.storeBytes(of: put.littleEndian, as: UInt16.self)
        return true
    }
}
