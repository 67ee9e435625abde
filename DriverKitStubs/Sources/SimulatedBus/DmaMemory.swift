import Glibc

/// Memory shared by a driver and its device.
package final class DmaMemory: @unchecked Sendable {
    // Sendable: constants; what is in it belongs to the driver and its device, who both treat it as shared.
    package let start: UnsafeMutableRawPointer
    package let size: Int
    package let bus: UInt64

    /// Bytes behind it that stay inaccessible.
    package static let hole = 4096

    init?(_ wanted: Int, bus: UInt64) {
        let page = 4096
        guard wanted > 0, wanted <= 64 << 20 else { return nil }
        let size = (wanted + page - 1) / page * page
        let base = mmap(nil, size + Self.hole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let base, base != MAP_FAILED else { return nil }
        mprotect(base, size, PROT_READ | PROT_WRITE)
        start = base
        self.size = size
        self.bus = bus
    }

    deinit { munmap(start, size + Self.hole) }
}
