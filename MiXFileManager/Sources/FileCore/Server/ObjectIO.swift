import CChorus
import CMiXFile

/// Requests on open objects that move data or names: read, write, readdir, sync, allocate, segment, path.
extension FileServer {
    func read(_ request: Request, _ reply: inout Reply) throws(Errno) {
        let handle = try opens.find(request.key)
        if handle.inode.isDirectory { throw .EISDIR }
        guard handle.canRead else { throw .EBADF }
        let want = Int(min(request.size, UInt64(request.room.count)))
        var count = 0
        if let lock = handle.lock {
            lock.lock()
            var text = request.offset == 0 ? nil : handle.text
            lock.unlock()
            if text == nil {
                // Made without the lock: this asks another server.
                let made = try handle.inode.generate(request.caller)
                lock.lock()
                handle.text = made
                lock.unlock()
                text = made
            }
            if let text, request.offset < UInt64(text.count) {
                let from = Int(request.offset)
                count = min(want, text.count - from)
                text.withUnsafeBytes {
                    request.room.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[from..<from + count]))
                }
            }
        } else if let segment = handle.segment {
            if want > 0 {
                count = try segment.read(
                    request.offset, UnsafeMutableRawBufferPointer(rebasing: request.room[0..<want]))
            }
        } else {
            throw .EINVAL
        }
        reply.bodySize = count
        reply.annex.diag = Int64(count)
    }

    func write(_ request: Request, _ reply: inout Reply) throws(Errno) {
        let handle = try opens.find(request.key)
        guard handle.canWrite else { throw .EBADF }
        if handle.inode.isGenerated {
            let taken = try handle.inode.accept(request.body, request.caller)
            reply.annex.diag = Int64(taken)
            reply.annex.value.0 = request.offset &+ UInt64(taken)
            return
        }
        guard let segment = handle.segment else { throw .EINVAL }
        let append = (request.flags | handle.flags) & Linux.O_APPEND != 0
        let offset = append ? try segment.stat().size : request.offset
        if offset > Linux.maxFileSize - UInt64(request.body.count) { throw .EFBIG }
        if request.body.count > 0 { try segment.write(offset, request.body) }
        reply.annex.diag = Int64(request.body.count)
        reply.annex.value.0 = offset + UInt64(request.body.count)
    }

    /// struct linux_dirent64 records: d_ino, d_off, d_reclen, d_type, d_name (getdents64(2)).
    func readDirectory(_ request: Request, _ reply: inout Reply) throws(Errno) {
        let handle = try opens.find(request.key)
        let inode = handle.inode
        guard inode.isDirectory else { throw .ENOTDIR }
        if handle.isPathOnly { throw .EBADF }
        if inode.isUnlinked { throw .ENOENT }
        let room = UnsafeMutableRawBufferPointer(
            rebasing: request.room[0..<Int(min(request.size, UInt64(request.room.count)))])
        var used = 0
        var next = request.offset
        var full = false
        func add(_ name: UnsafeRawBufferPointer, _ ino: UInt64, _ type: UInt8, _ cookie: UInt64) -> Bool {
            let length = (19 + name.count + 1 + 7) & ~7
            if used + length > room.count {
                full = true
                return false
            }
            let record = UnsafeMutableRawBufferPointer(rebasing: room[used..<used + length])
            record.storeBytes(of: ino, as: UInt64.self)
            record.storeBytes(of: cookie, toByteOffset: 8, as: UInt64.self)
            record.storeBytes(of: UInt16(length), toByteOffset: 16, as: UInt16.self)
            record[18] = type
            for i in 19 + name.count..<length { record[i] = 0 }
            UnsafeMutableRawBufferPointer(rebasing: record[19...]).copyMemory(from: name)
            used += length
            next = cookie
            return true
        }
        let dots: [UInt8] = [0x2e, 0x2e]
        let directory = Linux.direntType(Linux.S_IFDIR)
        dots.withUnsafeBytes { dots in
            if next == 0 { _ = add(UnsafeRawBufferPointer(rebasing: dots[0..<1]), inode.ino, directory, 1) }
            if next == 1, !full {
                let root = try? names.root()
                let above = root.map { names.above(handle.place, root: $0).inode.ino } ?? inode.parentDirectory.ino
                _ = add(dots, above, directory, 2)
            }
        }
        if !full, next >= 2 {
            try inode.list(after: next, request.caller) { name, ino, type, cookie in
                name.withBytes { add($0, ino, type, cookie) }
            }
        }
        if used == 0, full { throw .EINVAL }
        reply.bodySize = used
        reply.annex.diag = Int64(used)
        reply.annex.value.0 = next
    }

    func sync(_ request: Request) throws(Errno) {
        try opens.find(request.key).segment?.flush()
    }

    /// fallocate(2): memory is never reserved, so only the size and holes matter.
    func allocate(_ request: Request) throws(Errno) {
        let handle = try opens.find(request.key)
        guard handle.canWrite else { throw .EBADF }
        guard handle.inode.isRegular, let segment = handle.segment else { throw .ENODEV }
        let keepSize: UInt32 = 1
        let punch: UInt32 = 2
        let zero: UInt32 = 16
        if request.size == 0 { throw .EINVAL }
        let (end, overflow) = request.offset.addingReportingOverflow(request.size)
        if overflow || end > Linux.maxFileSize { throw .EFBIG }
        let size = try segment.stat().size
        switch request.flags {
        case 0: if end > size { try handle.inode.truncate(end) }
        case keepSize: return
        case punch | keepSize, zero | keepSize, zero:
            if request.flags == zero, end > size { try handle.inode.truncate(end) }
            let from = min(request.offset, size)
            if min(end, size) > from { try segment.punch(from, min(end, size) - from) }
        default: throw .EOPNOTSUPP
        }
    }

    func segment(_ request: Request, _ reply: inout Reply) throws(Errno) {
        let handle = try opens.find(request.key)
        guard let segment = handle.segment else { throw .ENODEV }
        reply.annex.size = try segment.stat().size
        put(segment, &reply)
    }

    /// getcwd(2) and /proc/PID/fd: the path as seen from the asking process's root.
    func path(_ request: Request, _ reply: inout Reply) throws(Errno) {
        let handle = try opens.find(request.key)
        let root = try rootPlace(request.rootKey)
        var text = names.path(of: handle.place, root: root)
        if text == nil, handle.inode.nameInParent == nil, handle.place.name == nil {
            text = Array("/#\(handle.inode.ino)".utf8)  // O_TMPFILE
        }
        var out = text ?? Array("(unreachable)/".utf8)
        if handle.inode.isUnlinked { out.append(contentsOf: Array(" (deleted)".utf8)) }
        try out.withUnsafeBytesTyped { bytes throws(Errno) in try reply.put(bytes, request) }
        reply.annex.diag = Int64(out.count)
    }
}

extension [UInt8] {
    /// withUnsafeBytes with a typed error.
    func withUnsafeBytesTyped<R>(_ body: (UnsafeRawBufferPointer) throws(Errno) -> R) throws(Errno) -> R {
        var result: Result<R, Errno> = .failure(.EIO)
        withUnsafeBytes { bytes in
            do throws(Errno) { result = .success(try body(bytes)) } catch { result = .failure(error) }
        }
        return try result.get()
    }
}
