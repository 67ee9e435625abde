import CDriverGuard
import Glibc

/// Bytes of a block device by requests of whole sectors.
struct BlockDevice {
    let registration: Registration
    /// Milliseconds that a request may take.
    var patience: Int32 = 30_000
    private static let sector = 512
    private static let mostAtOnce = 512

    /// In bytes; an error of the driver otherwise.
    func geometry() -> Result<DrvBlockGeometry, DriverError> {
        var geometry = DrvBlockGeometry()
        geometry.size = UInt32(MemoryLayout<DrvBlockGeometry>.size)
        let result = registration.call(DrvBlockOps.self) { own, ops, instance, fault in
            drv_call_geometry(own, ops, instance, &geometry, &fault)
        }
        guard result >= 0 else { return .failure(DriverError(result)) }
        guard geometry.sectors <= UInt64(Int64.max) / 512 else { return .failure(DriverError(DRV_EIO)) }
        return .success(geometry)
    }

    /// Bytes moved: short at the end of the device; or -errno.
    func read(_ offset: UInt64, _ target: UnsafeMutableRawBufferPointer) -> Int64 {
        let geometry: DrvBlockGeometry
        switch self.geometry() {
        case .success(let found): geometry = found
        case .failure(let error): return error.diag
        }
        return move(geometry, offset, target.count) { span, buffer, skip, count, done in
            let result = request(DRV_BLOCK_READ, span, buffer)
            if result >= 0 {
                UnsafeMutableRawBufferPointer(rebasing: target[done..<done + count])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[skip..<skip + count]))
            }
            return result
        }
    }

    func write(_ offset: UInt64, _ source: UnsafeRawBufferPointer) -> Int64 {
        guard case .success(let geometry) = geometry() else { return -Int64(EIO) }
        if geometry.flags & DRV_BLOCK_READONLY != 0 { return -Int64(EPERM) }
        if source.count > 0, offset >= geometry.sectors * 512 { return -Int64(ENOSPC) }
        return move(geometry, offset, source.count) { span, buffer, skip, count, done in
            // A part of a sector is put into what the sector holds.
            if skip != 0 || count != buffer.count {
                let result = request(DRV_BLOCK_READ, span, buffer)
                if result < 0 { return result }
            }
            UnsafeMutableRawBufferPointer(rebasing: buffer[skip..<skip + count])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[done..<done + count]))
            return request(DRV_BLOCK_WRITE, span, buffer)
        }
    }

    private typealias Step = (
        _ span: Range<UInt64>, _ buffer: UnsafeMutableRawBufferPointer, _ skip: Int, _ count: Int, _ done: Int
    ) -> Int32

    private func move(_ geometry: DrvBlockGeometry, _ offset: UInt64, _ wanted: Int, _ step: Step) -> Int64 {
        let end = geometry.sectors * UInt64(Self.sector)
        guard offset < end else { return 0 }
        let total = Int(min(UInt64(wanted), end - offset))
        let most = geometry.maxSectors == 0 ? Self.mostAtOnce : Int(min(geometry.maxSectors, UInt32(Self.mostAtOnce)))
        let needed = (Int(offset % UInt64(Self.sector)) + total + Self.sector - 1) / Self.sector
        // Page-aligned: a driver may hand it to its device as it is.
        guard total > 0, let memory = aligned_alloc(4096, (min(most, needed) * Self.sector + 4095) & ~4095) else {
            return total == 0 ? 0 : -Int64(ENOMEM)
        }
        var done = 0
        while done < total {
            let at = offset + UInt64(done)
            let first = at / UInt64(Self.sector)
            let skip = Int(at % UInt64(Self.sector))
            let sectors = min(most, (skip + total - done + Self.sector - 1) / Self.sector)
            let count = min(sectors * Self.sector - skip, total - done)
            let buffer = UnsafeMutableRawBufferPointer(start: memory, count: sectors * Self.sector)
            let result = step(first..<first + UInt64(sectors), buffer, skip, count, done)
            guard result >= 0 else {
                // A driver that did not answer may still write there.
                if result != DRV_ETIMEOUT { free(memory) }
                return done > 0 ? Int64(done) : DriverError(result).diag
            }
            done += count
        }
        free(memory)
        return Int64(total)
    }

    func flush() -> Int64 {
        let result = request(DRV_BLOCK_FLUSH, 0..<0, nil)
        return result >= 0 || result == DRV_ENOTSUP ? 0 : DriverError(result).diag
    }

    func discard(_ offset: UInt64, _ size: UInt64) -> Int64 {
        guard offset % 512 == 0, size % 512 == 0 else { return -Int64(EINVAL) }
        guard case .success(let geometry) = geometry() else { return -Int64(EIO) }
        guard offset / 512 <= geometry.sectors, size / 512 <= geometry.sectors - offset / 512 else {
            return -Int64(EINVAL)
        }
        var at = offset / 512
        let end = at + size / 512
        while at < end {
            let count = min(end - at, 1 << 20)
            let result = request(DRV_BLOCK_DISCARD, at..<at + count, nil)
            if result < 0 { return DriverError(result).diag }
            at += count
        }
        return 0
    }

    /// `buffer`: nil for what has no data.
    private func request(_ op: UInt32, _ span: Range<UInt64>, _ buffer: UnsafeMutableRawBufferPointer?) -> Int32 {
        // While the ring is full the driver says so; somebody else's request ends meanwhile.
        for _ in 0..<patience / 2 {
            var begun: (id: UInt64, request: Registration.Request)?
            let result = registration.call(DrvBlockOps.self) { own, ops, instance, fault in
                if let begun { registration.dropRequest(begun.id) }
                let made = registration.beginRequest()
                begun = made
                var asked = DrvBlockRequest(
                    op: op, count: UInt32(clamping: span.count), sector: span.lowerBound, data: buffer?.baseAddress,
                    request: made.id)
                return drv_call_submit(own, ops, instance, &asked, &fault)
            }
            guard let (id, request) = begun else { return result < 0 ? result : DRV_EIO }
            if result < 0 {
                registration.dropRequest(id)
                guard result == DRV_EAGAIN else { return result }
                registration.nucleus.threadDelay(2)
                continue
            }
            guard request.wait(milliseconds: patience) else {
                registration.dropRequest(id)
                return DRV_ETIMEOUT
            }
            // Its driver's host died with it: sectors may be read and written twice.
            if request.status != Registration.again { return request.status }
        }
        return DRV_ETIMEOUT
    }
}

/// A driver's error as users of UNIX know it.
struct DriverError: Error {
    let code: Int32
    init(_ code: Int32) { self.code = code }

    var diag: Int64 {
        switch code {
        case DRV_EINVAL: -Int64(EINVAL)
        case DRV_ENOMEM: -Int64(ENOMEM)
        case DRV_EBUSY: -Int64(EBUSY)
        case DRV_ENODEV: -Int64(ENXIO)
        case DRV_ENOTSUP: -Int64(EOPNOTSUPP)
        case DRV_ERANGE: -Int64(ENOSPC)
        case DRV_EROFS: -Int64(EROFS)
        case DRV_EAGAIN: -Int64(EAGAIN)
        default: -Int64(EIO)
        }
    }
}
