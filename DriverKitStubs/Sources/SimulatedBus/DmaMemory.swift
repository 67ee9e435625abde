import CBusHost
import Glibc

/// Memory shared by a driver and its device.
package final class DmaMemory: @unchecked Sendable {
    // Sendable: constants; what is in it belongs to the driver and its device, who both treat it as shared.
    package let start: UnsafeMutableRawPointer
    package let size: Int
    package let bus: UInt64
    /// Of the memory, where it is shared with another process, which can neither cut nor lengthen it; -1.
    package let descriptor: Int32

    /// Bytes behind it that stay inaccessible.
    package static let hole = 4096

    init?(_ wanted: Int, bus: UInt64, shared: Bool = false) {
        let page = 4096
        guard wanted > 0, wanted <= 64 << 20 else { return nil }
        let size = (wanted + page - 1) / page * page
        let descriptor = shared ? bus_memory(UInt64(size)) : -1
        guard !shared || descriptor >= 0 else { return nil }
        let base = mmap(nil, size + Self.hole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let base, base != MAP_FAILED else {
            if shared { close(descriptor) }
            return nil
        }
        start = base
        self.size = size
        self.bus = bus
        self.descriptor = descriptor
        if shared {
            let made = mmap(base, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, descriptor, 0)
            if made == MAP_FAILED { return nil }
        } else {
            mprotect(base, size, PROT_READ | PROT_WRITE)
        }
    }

    deinit {
        munmap(start, size + Self.hole)
        if descriptor >= 0 { close(descriptor) }
    }
}
