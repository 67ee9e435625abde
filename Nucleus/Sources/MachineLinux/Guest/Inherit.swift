import CChorus
import CMachine
import Glibc
import NucleusCore

/// What a cloned actor gets of its source's regions, and what it does not.
struct Inheritance: Sendable {
    /// Regions of the source that the clone is not to have.
    var dropped: [Region] = []
    /// Those that the host shares and the clone is to have as copies.
    var copied: [Region] = []
}

extension LinuxGuests {
    public func rgnDup(_ target: Actor, _ source: Actor, _ flags: UInt32) -> Int32 {
        guard let space = space(source) else { return K_EDEADACTOR }
        guard let guest = adopt(target), guest.process == nil else { return K_EBUSY }
        guard flags & K_RGNDUP_SHARE == 0 else {
            guest.duplicate = flags
            guest.space = space
            return K_OK
        }
        let all = space.all
        var inheritance = Inheritance()
        let kept: [Region]
        if flags == 0 {
            let inherits = K_INHERITSHARE | K_INHERITCOPY
            kept = all.filter { $0.options & inherits != 0 }
            inheritance.dropped = all.filter { $0.options & inherits == 0 }
            inheritance.copied = kept.filter { $0.isCopied }
        } else {
            kept = all
            inheritance.copied = all.filter { $0.wasPrivate && $0.options & K_INHERITSHARE == 0 }
        }
        let growth = kept.reduce(0) { $0 + $1.charge }
        guard site.memory.reserve(growth) else { return K_ENOMEM }
        defer { site.memory.release(growth) }
        guest.duplicate = flags
        guest.inheritance = inheritance
        guest.space = GuestSpace(kept, site.memory)
        return K_OK
    }

    /// Makes of the host's clone what `rgnDup` promised, before its first thread runs. K_ENOMEM, or K_EDEADACTOR if it is
    /// gone.
    func settleInheritance(_ made: GuestThread, _ guestActor: GuestActor) -> Int32 {
        let inheritance = guestActor.inheritance
        guestActor.inheritance = Inheritance()
        for region in inheritance.dropped where region.opaque != Region.vdso {
            let result = made.commanded(else: nil) { made.hostCall(HOST_munmap, region.start, region.size) }
            guard result == 0 else { return knError(host: result) }
        }
        for region in inheritance.copied {
            let code = copy(region, into: made, guestActor.space)
            guard code == K_OK else { return code }
        }
        return K_OK
    }

    /// Private memory in the place of a region that is shared with others, with what that holds.
    private func copy(_ region: Region, into made: GuestThread, _ space: GuestSpace) -> Int32 {
        guard let segment = region.segment else { return K_ENOMEM }
        var own = region
        (own.segment, own.offset, own.isPrivate, own.wasPrivate) = (nil, 0, true, false)
        return space.granting(region.start, region.end, own.charge) {
            let flags = UInt64(MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE)
            let result = made.commanded(else: nil) {
                made.hostCall(
                    HOST_mmap, region.start, region.size, UInt64(PROT_READ | PROT_WRITE), flags, UInt64.max, 0)
            }
            guard result == Int64(region.start) else {
                return knError(host: result) == K_OK ? K_EHOST : knError(host: result)
            }
            let pid = made.process.pid.load(ordering: .acquiring)
            let code = pieces(region.size) { at, buffer in
                let count = segment.read(region.offset + at, buffer)
                if count < 0 { return Int32(count) }
                return put(
                    UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]), pid, region.start + at)
            }
            guard code == K_OK else { return code }
            let access = protection(region.options)
            let protected = made.commanded(else: nil) {
                made.hostCall(HOST_mprotect, region.start, region.size, access)
            }
            guard protected == 0 else { return knError(host: protected) }
            space.insert(own)
            return K_OK
        }
    }

    /// Calls `body` with a buffer for each piece of `size` bytes, until it says anything but K_OK.
    func pieces(_ size: UInt64, _ body: (_ at: UInt64, UnsafeMutableRawBufferPointer) -> Int32) -> Int32 {
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
        defer { room.deallocate() }
        var at: UInt64 = 0
        while at < size {
            let count = Int(min(UInt64(room.count), size - at))
            let code = body(at, UnsafeMutableRawBufferPointer(rebasing: room[..<count]))
            guard code == K_OK else { return code }
            at += UInt64(count)
        }
        return K_OK
    }

    /// Writes to memory that holds zeros; pages of zeros take none.
    func put(_ bytes: UnsafeRawBufferPointer, _ pid: Int32, _ to: VmAddr) -> Int32 {
        var at = 0
        while at < bytes.count {
            let part = UnsafeRawBufferPointer(rebasing: bytes[at..<min(at + 4096, bytes.count)])
            if part.contains(where: { $0 != 0 }) {
                guard guest_vm_write(pid, to + UInt64(at), part.baseAddress, UInt64(part.count)) == Int64(part.count)
                else {
                    return K_EDEADACTOR
                }
            }
            at += part.count
        }
        return K_OK
    }
}
