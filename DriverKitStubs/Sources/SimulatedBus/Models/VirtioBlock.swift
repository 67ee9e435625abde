import CBusHost
import Glibc

/// A disk (VIRTIO 1.2, section 5.2) over a host file, or over memory.
final class VirtioBlock: VirtioTransport {
    private let disk: Disk
    private let sectors: UInt64
    private let isReadOnly: Bool

    private static let readOnlyBit: UInt64 = 1 << 5
    private static let flushBit: UInt64 = 1 << 9
    private static let discardBit: UInt64 = 1 << 13
    private static let segmentsBit: UInt64 = 1 << 2

    enum Disk {
        case file(Int32)
        case memory(UnsafeMutableRawBufferPointer)
    }

    init(disk: Disk, sectors: UInt64, isReadOnly: Bool) {
        self.disk = disk
        self.sectors = sectors
        self.isReadOnly = isReadOnly
    }

    deinit {
        switch disk {
        case .file(let descriptor): close(descriptor)
        case .memory(let bytes): munmap(bytes.baseAddress, bytes.count)
        }
    }

    override var id: UInt32 { 2 }
    override var offered: UInt64 {
        Self.segmentsBit | Self.flushBit | Self.discardBit | (isReadOnly ? Self.readOnlyBit : 0)
    }
    override var configuration: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 60)
        func put<Word: FixedWidthInteger>(_ value: Word, at offset: Int) {
            withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(offset..<offset + $0.count, with: $0) }
        }
        put(sectors, at: 0)
        put(UInt32(128), at: 12)  // seg_max
        put(UInt32(512), at: 20)  // blk_size
        put(UInt32(clamping: sectors), at: 36)  // max_discard_sectors
        put(UInt32(1), at: 40)  // max_discard_seg
        put(UInt32(1), at: 44)  // discard_sector_alignment
        return bytes
    }

    override func notified(_ queue: Int, _ bus: DeviceBus) {
        while let chain = next(queue, bus) {
            let (status, written) = serve(chain, bus)
            // The status is the last byte that the device may write.
            guard let last = chain.writable.last, last.count > 0 else { continue }
            last[last.count - 1] = status
            done(chain, queue, written: UInt32(clamping: written + 1), bus)
        }
    }

    private static let ok: UInt8 = 0, ioError: UInt8 = 1, unsupported: UInt8 = 2

    private func serve(_ chain: VirtChain, _ bus: DeviceBus) -> (status: UInt8, written: Int) {
        var head: (type: UInt32, reserved: UInt32, sector: UInt64) = (0, 0, 0)
        let got = withUnsafeMutableBytes(of: &head) { chain.read($0) }
        guard got == 16 else { return (Self.ioError, 0) }
        switch UInt32(littleEndian: head.type) {
        case 0: return read(chain, UInt64(littleEndian: head.sector), bus)
        case 1: return (write(chain, UInt64(littleEndian: head.sector), bus), 0)
        case 4: return (flush(), 0)
        case 8: return (name(chain), min(20, chain.writableCount - 1))
        case 11: return (discard(chain), 0)
        default: return (Self.unsupported, 0)
        }
    }

    /// Byte offset of a range of the disk; nil outside.
    private func place(_ sector: UInt64, _ bytes: Int) -> Int? {
        guard bytes % 512 == 0, sector <= sectors, UInt64(bytes / 512) <= sectors - sector else { return nil }
        return Int(sector) * 512
    }

    /// Short: half of it, which the used ring says (2.7.8).
    private func read(_ chain: VirtChain, _ sector: UInt64, _ bus: DeviceBus) -> (UInt8, Int) {
        let count = chain.writableCount - 1
        guard count >= 0, var at = place(sector, count), !bus.fails(.readError) else { return (Self.ioError, 0) }
        let moved = bus.fails(.shortDma) ? count / 2 : count
        var left = moved
        for part in chain.writable where left > 0 {
            let target = UnsafeMutableRawBufferPointer(rebasing: part[..<min(left, part.count)])
            guard transfer(target, at, write: false) else { return (Self.ioError, 0) }
            at += target.count
            left -= target.count
        }
        return (Self.ok, moved)
    }

    /// Short: half of it is on the disk, and the request has failed.
    private func write(_ chain: VirtChain, _ sector: UInt64, _ bus: DeviceBus) -> UInt8 {
        let count = chain.readableCount - 16
        guard !isReadOnly, count >= 0, var at = place(sector, count), !bus.fails(.writeError) else {
            return Self.ioError
        }
        let isShort = bus.fails(.shortDma)
        var left = isShort ? count / 2 : count
        var skip = 16
        for part in chain.readable {
            let begin = min(skip, part.count)
            skip -= begin
            let source = UnsafeMutableRawBufferPointer(rebasing: part[begin..<min(part.count, begin + left)])
            guard transfer(source, at, write: true) else { return Self.ioError }
            at += source.count
            left -= source.count
        }
        return isShort ? Self.ioError : Self.ok
    }

    private func transfer(_ memory: UnsafeMutableRawBufferPointer, _ at: Int, write: Bool) -> Bool {
        guard memory.count > 0 else { return true }
        switch disk {
        case .memory(let bytes):
            let part = UnsafeMutableRawBufferPointer(rebasing: bytes[at..<at + memory.count])
            if write {
                part.copyMemory(from: UnsafeRawBufferPointer(memory))
            } else {
                memory.copyMemory(from: UnsafeRawBufferPointer(part))
            }
            return true
        case .file(let descriptor):
            var done = 0
            while done < memory.count {
                let rest = UnsafeMutableRawBufferPointer(rebasing: memory[done...])
                let count =
                    write
                    ? pwrite(descriptor, rest.baseAddress, rest.count, off_t(at + done))
                    : pread(descriptor, rest.baseAddress, rest.count, off_t(at + done))
                if count < 0, errno == EINTR { continue }
                if count < 0 || (count == 0 && write) { return false }
                if count == 0 {  // behind the end of a file that became shorter
                    rest.initializeMemory(as: UInt8.self, repeating: 0)
                    return true
                }
                done += count
            }
            return true
        }
    }

    private func flush() -> UInt8 {
        if case .file(let descriptor) = disk, fdatasync(descriptor) != 0 { return Self.ioError }
        return Self.ok
    }

    private func name(_ chain: VirtChain) -> UInt8 {
        var text = Array("chorus-disk".utf8)
        text += [UInt8](repeating: 0, count: 20 - text.count)
        var at = 0
        for part in chain.writable {
            for index in 0..<part.count where at < 20 {
                part[index] = text[at]
                at += 1
            }
        }
        return Self.ok
    }

    private func discard(_ chain: VirtChain) -> UInt8 {
        var range: (sector: UInt64, count: UInt32, flags: UInt32) = (0, 0, 0)
        let got = withUnsafeMutableBytes(of: &range) { chain.read($0, at: 16) }
        guard got == 16, !isReadOnly, let at = place(UInt64(littleEndian: range.sector), Int(range.count) * 512) else {
            return Self.ioError
        }
        let count = Int(range.count) * 512
        switch disk {
        case .memory(let bytes):
            UnsafeMutableRawBufferPointer(rebasing: bytes[at..<at + count]).initializeMemory(
                as: UInt8.self, repeating: 0)
        case .file(let descriptor):
            // A hint: where the host's file system cannot, the sectors keep what they had.
            _ = bus_punch(descriptor, Int64(at), Int64(count))
        }
        return Self.ok
    }
}
