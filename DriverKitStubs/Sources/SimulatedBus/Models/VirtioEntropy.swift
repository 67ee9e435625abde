import Glibc

/// A source of random bytes (VIRTIO 1.2, section 5.4): fills whatever buffers it is given.
final class VirtioEntropy: VirtioTransport {
    override var id: UInt32 { 4 }

    override func notified(_ queue: Int, _ bus: DeviceBus) {
        while let chain = next(queue, bus) {
            var written = 0
            let most = bus.fails(.readError) ? 0 : chain.writableCount / (bus.fails(.shortDma) ? 2 : 1)
            for part in chain.writable {
                let part = UnsafeMutableRawBufferPointer(rebasing: part[..<min(part.count, most - written)])
                var done = 0
                while done < part.count {
                    let count = min(256, part.count - done)  // what getentropy(3) gives at once
                    guard let base = part.baseAddress, getentropy(base + done, count) == 0 else { break }
                    done += count
                }
                written += done
            }
            done(chain, queue, written: UInt32(clamping: written), bus)
        }
    }
}
