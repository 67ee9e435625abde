import CChorus
import CMachine
import Glibc
import NucleusCore
import Synchronization

/// Regions of one actor that another is to share, or to have a copy of.
extension LinuxGuests {
    public func rgnFromActor(
        _ target: Actor, _ rgn: inout KnRgnDesc, _ source: Actor, _ from: KnRgnDesc, shared: Bool
    ) -> Int32 {
        guard let origin = space(source), let space = space(target) else { return K_EDEADACTOR }
        guard let (start, end) = range(from) else { return K_EINVAL }
        guard origin.isMapped(start, end) else { return K_EFAULT }
        rgn.size = end - start
        if rgn.options & K_INHERITSHARE != 0, !shared { return K_EINVAL }
        let placed = place(space, &rgn)
        guard placed == K_OK, let (first, last) = range(rgn) else { return placed }
        if origin === space, start < last, first < end { return K_EINVAL }
        rgn.options &= ~(K_ANYWHERE | K_NOREPLACE)
        return shared ? share(target, rgn, source, origin, start, end) : copy(target, rgn, source, origin, start, end)
    }

    private func share(
        _ target: Actor, _ rgn: KnRgnDesc, _ source: Actor, _ origin: GuestSpace, _ start: VmAddr, _ end: VmAddr
    ) -> Int32 {
        let writes = rgn.options & (K_WRITABLE | K_MAYWRITE) != 0
        for part in origin.parts(start, end) {
            if part.opaque == Region.vdso { return K_EINVAL }
            if !part.isPrivate, part.segment == nil { return K_ENOMEM }
            // What its actor may never write it cannot hand on to be written.
            if writes, !part.isPrivate, part.options & (K_WRITABLE | K_MAYWRITE) == 0 { return K_EPRIV }
        }
        for part in origin.parts(start, end) where part.isPrivate {
            let code = makeShareable(source, origin, part, isCopied: true)
            guard code == K_OK else { return code }
        }
        for part in origin.parts(start, end) {
            guard let segment = part.segment else { return K_EFAULT }  // changed meanwhile
            var desc = rgn
            desc.startAddr = rgn.startAddr + (part.start - start)
            desc.size = part.size
            let object = KnObjDesc(dataObject: segment.cap, startOffset: part.offset, size: part.size)
            let code = rgnMap(target, &desc, segment, object, shared: true)
            guard code == K_OK else {
                _ = rgnFree(
                    target,
                    KnRgnDesc(
                        startAddr: rgn.startAddr, size: part.start - start, options: 0, opaque: 0, endAddr: 0))
                return code
            }
        }
        return K_OK
    }

    /// Memory of the target's own, and into it what the source has.
    private func copy(
        _ target: Actor, _ rgn: KnRgnDesc, _ source: Actor, _ origin: GuestSpace, _ start: VmAddr, _ end: VmAddr
    ) -> Int32 {
        var desc = rgn
        desc.options = rgn.options & ~(K_RESERVED | K_NODEMAND) | K_READABLE | K_WRITABLE
        var code = rgnAllocate(target, &desc)
        guard code == K_OK else { return code }
        for part in origin.parts(start, end) where part.options & K_RESERVED == 0 && code == K_OK {
            code = pieces(part.size) { at, buffer in
                let moved = actorRead(source, part.start + at, buffer)
                guard moved == Int32(buffer.count) else { return moved < 0 ? moved : K_EFAULT }
                guard let pid = (target.guest as? GuestActor)?.process?.pid.load(ordering: .acquiring), pid > 0 else {
                    return K_EDEADACTOR
                }
                return put(UnsafeRawBufferPointer(buffer), pid, rgn.startAddr + (part.start - start) + at)
            }
        }
        if code == K_OK, desc.options != rgn.options { code = rgnSetProtect(target, rgn) }
        if code != K_OK { _ = rgnFree(target, rgn) }
        return code
    }

    /// Puts a segment with the same contents in the place of private memory, under the feet of its actor: whoever of its
    /// threads touches it meanwhile faults, and goes on (`waitsForChange`). `isCopied`: forks go on to copy it.
    func makeShareable(_ actor: Actor, _ space: GuestSpace, _ part: Region, isCopied: Bool) -> Int32 {
        var pinned: [(local: LocalCache, page: UInt64)] = []
        defer { for pin in pinned { pin.local.unpin(pin.page) } }
        if let local = part.segment?.local {
            // A private copy of a mapper's segment: all of it has to be here, and to stay.
            var page = part.offset / 4096
            while page < (part.offset + part.size) / 4096 {
                do throws(KnError) {
                    let here = try local.pin(page, write: false)
                    pinned.append((local, page))
                    page = here.pages.upperBound
                } catch {
                    if error == .fault { break }  // behind its end
                    return error.rawValue
                }
            }
        }
        clearRewrites(actor, part.start, part.end)
        let segment: Segment
        do throws(KnError) { segment = try site.createSharedMemory(part.size) } catch { return error.rawValue }
        defer { segment.releaseMapping() }
        space.changing.wrappingAdd(1, ordering: .sequentiallyConsistent)
        defer {
            space.changed.wrappingAdd(1, ordering: .sequentiallyConsistent)
            space.changing.wrappingSubtract(1, ordering: .sequentiallyConsistent)
        }
        let access = protection(part.options)
        let result = command(actor) { [self] agent in
            let stopped = agent.commanded(else: nil) {
                agent.hostCall(HOST_mprotect, part.start, part.size, UInt64(PROT_READ))
            }
            guard stopped == 0 else { return stopped }
            guard save(agent.process, part, segment) else { return Int64(-ENOMEM) }
            return agent.process.passing {
                agent.map(segment.cache, part.start, part.size, access, UInt64(MAP_FIXED | MAP_SHARED), 0)
            }
        }
        let error = knError(host: result)
        guard error == K_OK else { return error }
        var region = part
        (region.segment, region.offset, region.isPrivate, region.wasPrivate) = (segment, 0, false, isCopied)
        region.options |= K_MAYWRITE
        space.insert(region)
        return K_OK
    }

    /// What a process has in a region, into a segment. What cannot be read (behind the end of a file) stays zeros.
    private func save(_ process: GuestProcess, _ part: Region, _ segment: Segment) -> Bool {
        let pid = process.pid.load(ordering: .acquiring)
        return pieces(part.size) { at, buffer in
            var done = 0
            while done < buffer.count {
                let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
                let moved = guest_vm_read(pid, part.start + at + UInt64(done), rest.baseAddress, UInt64(rest.count))
                guard moved > 0 else {
                    let page = min(rest.count, 4096)
                    UnsafeMutableRawBufferPointer(rebasing: rest[..<page]).initializeMemory(
                        as: UInt8.self, repeating: 0)
                    done += page
                    continue
                }
                done += Int(moved)
            }
            var start = 0
            while start < buffer.count {
                let page = UnsafeRawBufferPointer(rebasing: buffer[start..<min(start + 4096, buffer.count)])
                if page.contains(where: { $0 != 0 }),
                    site.host.cacheWrite(segment.cache, at + UInt64(start), page) != page.count
                {
                    return K_ENOMEM
                }
                start += page.count
            }
            return K_OK
        } == K_OK
    }

    /// A fault at an address that the guest may well touch: its region was being made shareable. True if it is to try again.
    func waitsForChange(_ guest: GuestThread, _ address: VmAddr, write: Bool, execute: Bool) -> Bool {
        guard let space = space(guest.thread.actor) else { return false }
        let busy = space.changing.load(ordering: .sequentiallyConsistent) > 0
        let changed = space.changed.load(ordering: .sequentiallyConsistent)
        guard busy || changed != guest.changesSeen, let region = space.region(address) else { return false }
        let needed = write ? K_WRITABLE : execute ? K_EXECUTABLE : K_READABLE | K_WRITABLE | K_EXECUTABLE
        guard region.options & needed != 0, region.options & K_RESERVED == 0 else { return false }
        guard busy else {
            guest.changesSeen = changed
            return true
        }
        TrapPool.willBlock()
        for _ in 0..<5000 where space.changing.load(ordering: .sequentiallyConsistent) > 0 { usleep(200) }
        return true
    }
}

extension GuestThread {
    /// Maps a descriptor of ours; the stub gets it over the process's socket. Callers hold the process's `passing`.
    func map(
        _ descriptor: Int32, _ start: VmAddr, _ size: VmSize, _ protection: UInt64, _ flags: UInt64, _ offset: UInt64
    ) -> Int64? {
        commanded(else: nil) { () -> Int64? in
            guard flush() else { return nil }
            var sent = descriptor
            guard guest_send_fds(process.socket, &sent, 1) > 0 else { return nil }
            _ = queue(OP_RECVFD)
            let map = queue(OP_SYSCALL, number: HOST_mmap, fd: 4, start, size, protection, flags, 0, offset)
            _ = queue(OP_SYSCALL, number: HOST_close, fd: 0)
            guard flush(deferred: 0) else { return nil }
            return result(map)
        }
    }
}
