import CChorus
import CMachine
import Glibc
import NucleusCore
import Synchronization

/// Moving data to and from held threads' memory: by their stub, through the mailbox's payload.
extension LinuxGuests {
    private func payload(_ guest: GuestThread, _ offset: Int) -> UnsafeMutableRawPointer {
        UnsafeMutableRawPointer(guest.area) + Int(MB_PAYLOAD) + GuestThread.copyBase + offset
    }
    private var payloadBase: UInt64 { UInt64(GuestThread.copyBase) }

    /// What the stub brought along for address..<address+size, if it did. The offset is checked, the bytes untrusted.
    private func prefetched(_ guest: GuestThread, _ address: VmAddr, _ size: Int) -> UnsafeRawPointer? {
        let request = guest.request
        guard request.prefetched != 0, Int(request.kind) == KIND_TRAP else { return nil }
        return withUnsafeBytes(of: request.args) { args in
            withUnsafeBytes(of: request.prefetchOffset) { offsets in
                withUnsafeBytes(of: request.prefetchLength) { lengths in
                    for i in 0..<6 where request.prefetched & (1 << UInt32(i)) != 0 {
                        let start = args.load(fromByteOffset: i * 8, as: UInt64.self)
                        let length = Int(lengths.load(fromByteOffset: i * 4, as: UInt32.self))
                        let offset = Int(offsets.load(fromByteOffset: i * 4, as: UInt32.self))
                        guard address >= start, length <= GuestThread.copyBase else { continue }
                        let skip = address - start
                        guard skip <= UInt64(length), size <= length - Int(skip) else { continue }
                        guard offset >= Int(MB_PAYLOAD), offset + length <= Int(MB_PAYLOAD) + GuestThread.copyBase
                        else {
                            continue
                        }
                        return UnsafeRawPointer(guest.area) + offset + Int(skip)
                    }
                    return nil
                }
            }
        }
    }

    public func copyIn(_ thread: Thread, _ from: VmAddr, _ to: UnsafeMutableRawBufferPointer) -> Int32 {
        guard let guest = guest(thread), guest.isHeld else { return K_EINVAL }
        return paging(guest, from, to.count, write: false) { copyIn(guest, from, to) }
    }

    /// A copy that fails for what only has to be brought in is made again: it may be taken away meanwhile.
    private func paging(_ guest: GuestThread, _ address: VmAddr, _ size: Int, write: Bool, _ copy: () -> Int32) -> Int32
    {
        for _ in 0..<8 {
            let code = copy()
            guard code == K_EFAULT,
                pageIn(guest, address, size, write: write)
                    || waitsForChange(guest, address, write: write, execute: false)
            else { return code }
        }
        return K_EFAULT
    }

    private func copyIn(_ guest: GuestThread, _ from: VmAddr, _ to: UnsafeMutableRawBufferPointer) -> Int32 {
        guard let base = to.baseAddress, to.count > 0 else { return K_OK }
        return guest.commanded(else: K_EDEADACTOR) {
            if let here = prefetched(guest, from, to.count) {
                base.copyMemory(from: here, byteCount: to.count)
                return K_OK
            }
            var done = 0
            while done < to.count {
                let part = min(to.count - done, GuestThread.copyMax)
                guard guest.flush() else { return K_EDEADACTOR }
                guard let r = guest.perform(OP_COPYIN, from &+ UInt64(done), UInt64(part), payloadBase) else {
                    return K_EDEADACTOR
                }
                guard r == Int64(part) else { return K_EFAULT }
                (base + done).copyMemory(from: payload(guest, 0), byteCount: part)
                done += part
            }
            return K_OK
        }
    }

    public func copyInString(
        _ thread: Thread, _ from: VmAddr, _ to: UnsafeMutableRawBufferPointer, _ size: inout UInt32
    ) -> Int32 {
        guard let guest = guest(thread), guest.isHeld else { return K_EINVAL }
        var next = from
        while true {
            let code = copyInString(guest, from, to, &size)
            // Where it ends is not known: window after window is brought in until it is found.
            guard code == K_EFAULT, let (at, end) = firstPaged(guest, next, from &+ UInt64(to.count)),
                case .mapped(let mapped) = pageIn(guest, at, write: false), mapped > at, mapped <= end
            else { return code }
            next = mapped
        }
    }

    /// The first address in the range where a mapper's segment is mapped, and that region's end.
    private func firstPaged(_ guest: GuestThread, _ from: VmAddr, _ to: VmAddr) -> (at: VmAddr, end: VmAddr)? {
        guard let space = space(guest.thread.actor), space.isPaged, from < to else { return nil }
        guard let part = space.parts(from, to).first(where: { $0.segment?.local != nil }) else { return nil }
        return (part.start, space.region(part.start)?.end ?? part.end)
    }

    private func copyInString(
        _ guest: GuestThread, _ from: VmAddr, _ to: UnsafeMutableRawBufferPointer, _ size: inout UInt32
    ) -> Int32 {
        guard let base = to.baseAddress, to.count > 0 else { return K_EINVAL }
        return guest.commanded(else: K_EDEADACTOR) {
            if let here = prefetched(guest, from, 1) {
                // The length was the guest's word: copy once, then look for the end in the copy.
                let room = min(to.count, Int(MB_PAYLOAD) + GuestThread.copyBase - (here - UnsafeRawPointer(guest.area)))
                let length = strnlen(here.assumingMemoryBound(to: CChar.self), room)
                if length < room {
                    base.copyMemory(from: here, byteCount: length)
                    base.storeBytes(of: 0, toByteOffset: length, as: UInt8.self)
                    size = UInt32(length + 1)
                    return K_OK
                }
            }
            guard guest.flush() else { return K_EDEADACTOR }
            let room = min(to.count, GuestThread.copyMax)
            guard let r = guest.perform(OP_COPYSTR, from, UInt64(room), payloadBase) else {
                return K_EDEADACTOR
            }
            if r == Int64(-E2BIG) { return K_ETOOBIG }
            guard r > 0, r <= Int64(room) else { return K_EFAULT }
            base.copyMemory(from: payload(guest, 0), byteCount: Int(r))
            base.storeBytes(of: 0, toByteOffset: Int(r) - 1, as: UInt8.self)
            size = UInt32(r)
            return K_OK
        }
    }

    public func copyOut(_ thread: Thread, _ from: UnsafeRawBufferPointer, _ to: VmAddr, deferred: Bool) -> Int32 {
        guard let guest = guest(thread), guest.isHeld else { return K_EINVAL }
        // What a deferred copy may miss can be brought in no more.
        let deferred = deferred && !isPaged(guest, to, from.count)
        return paging(guest, to, from.count, write: true) { copyOut(guest, from, to, deferred: deferred) }
    }

    public func swapWord(_ thread: Thread, _ at: VmAddr, expected: UInt32, new: UInt32) -> Int32 {
        guard let guest = guest(thread), guest.isHeld else { return K_EINVAL }
        return paging(guest, at, 4, write: true) {
            guest.commanded(else: K_EDEADACTOR) {
                guard let result = guest.perform(OP_SWAP, at, UInt64(expected), UInt64(new)) else {
                    return K_EDEADACTOR
                }
                return result < 0 ? K_EFAULT : result == 0 ? K_OK : K_EBUSY
            }
        }
    }

    private func copyOut(
        _ guest: GuestThread, _ from: UnsafeRawBufferPointer, _ to: VmAddr, deferred: Bool
    ) -> Int32 {
        guard let base = from.baseAddress, from.count > 0 else { return K_OK }
        return guest.commanded(else: K_EDEADACTOR) {
            var done = 0
            while done < from.count {
                guard guest.isHeld else { return K_EDEADACTOR }
                let part = min(from.count - done, GuestThread.copyMax)
                guard guest.reserve(operations: 1, payload: part) else { return K_EDEADACTOR }
                let offset = guest.payloadUsed
                payload(guest, offset).copyMemory(from: base + done, byteCount: part)
                let index = guest.queue(
                    OP_COPYOUT, to &+ UInt64(done), UInt64(part), payloadBase + UInt64(offset))
                guest.payloadUsed = (offset + part + 63) & ~63
                done += part
                if deferred { continue }
                guard guest.flush(deferred: index) else { return K_EDEADACTOR }
                if guest.result(index) < 0 { return K_EFAULT }
            }
            return K_OK
        }
    }

    public func sgReadThread(_ segment: Segment, _ object: KnObjDesc, _ thread: Thread, _ to: VmAddr) -> Int32 {
        guard let guest = guest(thread), guest.isHeld else { return K_EINVAL }
        let wanted = Int(min(object.size, UInt64(Int32.max)))
        if let local = segment.local {
            let done = lentRead(local, object, guest, to, wanted)
            return done == wanted
                ? Int32(done) : rest(done, object, wanted) { pagedRead(segment, $0, thread, to &+ UInt64(done), $1) }
        }
        if isPaged(guest, to, wanted) { return pagedRead(segment, object, thread, to, wanted) }
        return guest.commanded(else: K_EDEADACTOR) {
            var done = 0
            while done < wanted {
                guard guest.isHeld else { return K_EDEADACTOR }
                let part = min(wanted - done, GuestThread.copyMax)
                guard guest.reserve(operations: 1, payload: part) else { return K_EDEADACTOR }
                if guest.deferredFault { return done > 0 ? Int32(done) : K_EFAULT }
                let offset = guest.payloadUsed
                let room = UnsafeMutableRawBufferPointer(start: payload(guest, offset), count: part)
                let count = segment.read(object.startOffset &+ UInt64(done), room)
                guard count > 0 else { return done > 0 ? Int32(done) : Int32(count) }
                _ = guest.queue(
                    OP_COPYOUT, to &+ UInt64(done), UInt64(count), payloadBase + UInt64(offset))
                guest.payloadUsed = (offset + count + 63) & ~63
                done += count
                if count < part { break }
            }
            return Int32(done)
        }
    }

    /// What is left of a transfer, of which `done` bytes are moved, by another way.
    private func rest(_ done: Int, _ object: KnObjDesc, _ wanted: Int, _ move: (KnObjDesc, Int) -> Int32) -> Int32 {
        var object = object
        object.startOffset += UInt64(done)
        let more = move(object, wanted - done)
        return more < 0 ? (done > 0 ? Int32(done) : more) : Int32(done) + more
    }

    public func sgWriteThread(_ segment: Segment, _ object: KnObjDesc, _ thread: Thread, _ from: VmAddr) -> Int32 {
        guard let guest = guest(thread), guest.isHeld else { return K_EINVAL }
        let wanted = Int(min(object.size, UInt64(Int32.max)))
        if let local = segment.local {
            let done = lentWrite(local, object, guest, from, wanted)
            return done == wanted
                ? Int32(done) : rest(done, object, wanted) { pagedWrite(segment, $0, thread, from &+ UInt64(done), $1) }
        }
        if isPaged(guest, from, wanted) { return pagedWrite(segment, object, thread, from, wanted) }
        return guest.commanded(else: K_EDEADACTOR) {
            if let here = prefetched(guest, from, wanted) {
                return Int32(segment.write(object.startOffset, UnsafeRawBufferPointer(start: here, count: wanted)))
            }
            var done = 0
            while done < wanted {
                guard guest.isHeld else { return K_EDEADACTOR }
                let part = min(wanted - done, GuestThread.copyMax)
                guard guest.flush() else { return K_EDEADACTOR }
                guard let r = guest.perform(OP_COPYIN, from &+ UInt64(done), UInt64(part), payloadBase) else {
                    return K_EDEADACTOR
                }
                guard r > 0, r <= Int64(part) else { return done > 0 ? Int32(done) : K_EFAULT }
                let readable = UnsafeRawBufferPointer(start: payload(guest, 0), count: Int(r))
                let count = segment.write(object.startOffset &+ UInt64(done), readable)
                guard count > 0 else { return done > 0 ? Int32(done) : Int32(count) }
                done += count
                if count < part { break }
            }
            return Int32(done)
        }
    }
}
