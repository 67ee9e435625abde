import CChorus
import CDriverGuard
import Glibc

/// Block devices as segments: the home is their mapper (knMapper.h). The key is the device's handle.
extension DriverServer {
    static func isMapperRequest(_ service: UInt32) -> Bool { service & 0xffff_ff00 == 0x4d70_0000 }

    /// Answers in `answer`; the bytes put into `room`.
    func map(
        _ annex: UnsafeRawPointer, _ body: UnsafeRawBufferPointer, _ answer: UnsafeMutableRawPointer,
        _ room: UnsafeMutableRawBufferPointer
    ) -> Int {
        switch annex.loadUnaligned(as: UInt32.self) {
        case KN_MPSTAT:
            let request = annex.loadUnaligned(as: KnMpStat.self)
            answer.storeBytes(of: attributes(request), as: KnMpAttributes.self)
        case KN_MPPULLIN:
            let request = annex.loadUnaligned(as: KnMpPullIn.self)
            let (access, moved) = pullIn(request, room)
            answer.storeBytes(of: access, as: KnMpAccess.self)
            return moved
        case KN_MPGETACCESS:
            let request = annex.loadUnaligned(as: KnMpGetAccess.self)
            answer.storeBytes(of: getAccess(request), as: KnMpAccess.self)
        case KN_MPPUSHOUT:
            let request = annex.loadUnaligned(as: KnMpPushOut.self)
            answer.storeBytes(of: Self.done(pushOut(request, body)), as: KnMpDone.self)
        case KN_MPRELEASE:
            let request = annex.loadUnaligned(as: KnMpRelease.self)
            disk(request.segkey)?.cache.closed(request.lccap)
            answer.storeBytes(of: Self.done(K_OK), as: KnMpDone.self)
        default:  // a device is as long as it is
            answer.storeBytes(of: Self.done(K_ENOSYS), as: KnMpDone.self)
        }
        return 0
    }

    private static func done(_ diag: Int32) -> KnMpDone {
        KnMpDone(diag: diag, size: UInt32(MemoryLayout<KnMpDone>.size))
    }

    private func disk(_ key: KnKey) -> Registration? {
        let found = registration(UInt64(key.keyHead) << 32 | UInt64(key.keyTail))
        return found?.class_ == DRV_CLASS_BLOCK ? found : nil
    }

    /// The nucleus waits ten seconds for a mapper, and ends one that takes longer (docs/nucleus.md).
    private func block(_ disk: Registration) -> BlockDevice { BlockDevice(registration: disk, patience: 4000) }

    /// What a program's read begins with, and what one that goes on is given: read-ahead.
    private static let (cluster, ahead): (VmSize, VmSize) = (64 << 10, 1 << 20)

    private func attributes(_ request: KnMpStat) -> KnMpAttributes {
        var answer = KnMpAttributes()
        answer.size = UInt32(MemoryLayout<KnMpAttributes>.size)
        guard let disk = disk(request.segkey), case .success(let geometry) = block(disk).geometry()
        else {
            answer.diag = K_EHOST
            return answer
        }
        disk.cache.opened(request.lccap)
        answer.segmentSize = geometry.sectors * 512
        (answer.inClusterSize, answer.outClusterSize) = (Self.cluster, Self.ahead)
        answer.options = K_MP_RELEASE
        return answer
    }

    private static func access(_ diag: Int32) -> KnMpAccess {
        var answer = KnMpAccess()
        (answer.diag, answer.size) = (diag, UInt32(MemoryLayout<KnMpAccess>.size))
        answer.outClusterSize = ahead
        return answer
    }

    /// Rights cost nothing: all that the device has.
    private func rights(_ required: UInt32, _ geometry: DrvBlockGeometry) -> UInt32? {
        let all = geometry.flags & DRV_BLOCK_READONLY != 0 ? K_READABLE : K_READABLE | K_WRITABLE
        return required & ~all == 0 ? all : nil
    }

    private func getAccess(_ request: KnMpGetAccess) -> KnMpAccess {
        guard let disk = disk(request.segkey), case .success(let geometry) = block(disk).geometry()
        else { return Self.access(K_EHOST) }
        guard let rights = rights(request.requiredAccess, geometry) else { return Self.access(K_EPRIV) }
        var answer = Self.access(K_OK)
        answer.grantedAccess = rights
        answer.ordinalNumber = disk.cache.pulls(0..<0).order
        (answer.returnAccessOffset, answer.returnAccessSize) = (request.accessOffset, request.accessSize)
        return answer
    }

    private func pullIn(_ request: KnMpPullIn, _ room: UnsafeMutableRawBufferPointer) -> (KnMpAccess, Int) {
        guard let disk = disk(request.segkey) else { return (Self.access(K_EHOST), 0) }
        let block = self.block(disk)
        guard case .success(let geometry) = block.geometry() else { return (Self.access(K_EHOST), 0) }
        guard let rights = rights(request.requiredAccess, geometry) else { return (Self.access(K_EPRIV), 0) }
        let size = geometry.sectors * 512
        let (order, isInOrder) = disk.cache.pulls(
            request.requiredDataOffset..<request.dataOffset &+ max(request.dataSize, request.requiredDataSize))
        var result: Int64 = 0
        // All that is wanted, or what is needed of it: a bad sector further on is not this reader's.
        for (offset, wanted) in [
            (request.dataOffset, request.dataSize), (request.requiredDataOffset, request.requiredDataSize),
        ] {
            guard offset < size, wanted <= UInt64(room.count) else { continue }
            let count = Int(min(wanted, size - offset))
            result = block.read(offset, UnsafeMutableRawBufferPointer(rebasing: room[..<count]))
            disk.count(result)
            guard result == Int64(count) else { continue }
            var answer = Self.access(K_OK)
            answer.grantedAccess = rights
            answer.ordinalNumber = order
            (answer.returnAccessOffset, answer.returnAccessSize) = (offset, wanted)
            answer.inClusterSize = isInOrder ? Self.ahead : Self.cluster
            (answer.returnDataOffset, answer.returnDataSize) = (offset, UInt64(count))
            return (answer, count)
        }
        return (Self.access(result == -Int64(ENOMEM) ? K_ENOMEM : K_EHOST), 0)
    }

    private func pushOut(_ request: KnMpPushOut, _ body: UnsafeRawBufferPointer) -> Int32 {
        guard let disk = disk(request.segkey) else { return K_EHOST }
        let result = block(disk).write(request.dataOffset, body)
        disk.count(result)
        return result == Int64(body.count) ? K_OK : K_EHOST
    }
}
