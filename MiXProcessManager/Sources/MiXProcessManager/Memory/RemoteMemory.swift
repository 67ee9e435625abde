import CChorus

/// process_vm_readv(2), process_vm_writev(2): straight from one address space to another.
enum RemoteMemory {
    static let table: [(Int, String, SystemCallHandler)] = [
        (310, "process_vm_readv", { (call) throws(Errno) in try transfer(call, writes: false) }),
        (311, "process_vm_writev", { (call) throws(Errno) in try transfer(call, writes: true) }),
    ]
    private static let piece = 65536

    /// ptrace(2), "Ptrace access mode checking", PTRACE_MODE_ATTACH_REALCREDS.
    static func mayAccess(_ from: Process, _ to: Process) -> Bool {
        if from === to { return true }
        let (a, b) = (from.credentials, to.credentials)
        if a.has(Credentials.capPtrace) { return true }
        return [b.uid, b.euid, b.suid].allSatisfy { $0 == a.uid } && [b.gid, b.egid, b.sgid].allSatisfy { $0 == a.gid }
            && to.dumpable && b.permitted & ~a.permitted == 0
    }

    private static func transfer(_ call: Call, writes: Bool) throws(Errno) -> Outcome {
        guard call[5] == 0 else { throw .EINVAL }
        let local = try call.ranges(at: call[1], count: call[2])
        // What the other side cannot have is found when it is reached.
        guard call[4] <= 1024 else { throw .EINVAL }
        let raw = call[4] == 0 ? [] : try call.copyIn(call[3], count: Int(call[4]) * 16)
        let remote = try ranges(raw)
        if local.total == 0 || remote.isEmpty { return .zero }
        let manager = call.manager
        let target = manager.tree.withLock { manager.tasks[call.int(0)]?.process }
        guard let target else { throw .ESRCH }
        guard mayAccess(call.process, target) else { throw .EPERM }
        var moved = 0
        let error = withUnsafeTemporaryAllocation(byteCount: piece, alignment: 16) { buffer -> Errno? in
            for range in remote {
                var done = 0
                while done < range.size, moved < local.total {
                    let size = min(piece, range.size - done, local.total - moved)
                    let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<size])
                    let count = pass(call, target, part, range.address &+ UInt64(done), local, moved, writes: writes)
                    moved += count
                    done += count
                    if count < size { return .EFAULT }
                }
            }
            return nil
        }
        if let error, moved == 0 { throw error }
        return .done(Int64(moved))
    }

    private static func ranges(_ raw: [UInt8]) throws(Errno) -> [UserRange] {
        let ranges = raw.withUnsafeBytes { bytes in
            stride(from: 0, to: raw.count, by: 16).map {
                (
                    bytes.loadUnaligned(fromByteOffset: $0, as: UInt64.self),
                    bytes.loadUnaligned(fromByteOffset: $0 + 8, as: Int64.self)
                )
            }
        }
        guard ranges.allSatisfy({ $0.1 >= 0 }) else { throw .EINVAL }
        return ranges.map { UserRange(address: $0.0, size: Int($0.1)) }.filter { $0.size > 0 }
    }

    /// One piece; returns how many bytes went through.
    private static func pass(
        _ call: Call, _ target: Process, _ buffer: UnsafeMutableRawBufferPointer, _ address: UInt64,
        _ local: UserRanges, _ moved: Int, writes: Bool
    ) -> Int {
        var actor = target.actor
        if writes {
            do throws(Errno) { try call.gather(local, from: moved, into: buffer) } catch { return 0 }
            return max(0, Int(call.nucleus.actorWrite(&actor, address, buffer.baseAddress, UInt32(buffer.count))))
        }
        let got = max(0, Int(call.nucleus.actorRead(&actor, address, buffer.baseAddress, UInt32(buffer.count))))
        var written = 0
        var own = call.process.actor
        local.forEach(from: moved, size: got) { range, at in
            guard written == at else { return }
            let from = buffer.baseAddress?.advanced(by: at)
            written += max(0, Int(call.nucleus.actorWrite(&own, range.address, from, UInt32(range.size))))
        }
        return written
    }
}

extension Credentials {
    static let capPtrace = 19
}
