/// Memory policies (numa(7)), of a machine with one node: where memory goes is no question, what was asked for is kept.
enum PlacementCalls {
    static let table: [(Int, String, SystemCallHandler)] = [
        (237, "mbind", bind), (238, "set_mempolicy", setPolicy), (239, "get_mempolicy", getPolicy),
        (256, "migrate_pages", migrate), (279, "move_pages", move), (450, "set_mempolicy_home_node", setHome),
    ]
    private static let preferred: UInt32 = 1, bindTo: UInt32 = 2, interleave: UInt32 = 3, local: UInt32 = 4
    private static let preferredMany: UInt32 = 5, weighted: UInt32 = 6

    /// A mask of nodes in `bits` - 1 bits; EINVAL for bits beyond the nodes there can be.
    private static func nodes(_ call: Call, _ address: UInt64, _ bits: UInt64) throws(Errno) -> UInt64 {
        if address == 0 || bits == 1 { return 0 }
        guard 2...4096 * 8 + 1 ~= bits else { throw .EINVAL }
        let bytes = try call.copyIn(address, count: Int((bits - 1 + 63) / 64 * 8))
        var mask = bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
        if bits - 1 < 64 { mask &= (1 << (bits - 1)) - 1 }
        if bytes.dropFirst(8).contains(where: { $0 != 0 }) { throw .EINVAL }
        return mask
    }

    private static let flags: UInt32 = 0xe000, staticNodes: UInt32 = 0x8000, relativeNodes: UInt32 = 0x4000
    private static let balancing: UInt32 = 0x2000

    private static func checkMode(_ mode: UInt32) throws(Errno) {
        let kind = mode & ~flags
        guard kind <= weighted, mode & (staticNodes | relativeNodes) != staticNodes | relativeNodes,
            mode & balancing == 0 || kind == bindTo || kind == preferredMany
        else { throw .EINVAL }
    }

    /// A policy with its nodes, as Linux takes it on a machine with node 0.
    private static func policy(_ mode: UInt32, _ mask: UInt64) throws(Errno) -> MemoryPolicy {
        switch mode & ~flags {
        case 0: guard mask == 0, mode == 0 else { throw .EINVAL }
        case local: guard mask == 0, mode == local else { throw .EINVAL }
        case preferred where mask == 0: guard mode == preferred else { throw .EINVAL }
        default: guard mask & 1 != 0 else { throw .EINVAL }
        }
        let isLocal = mode == preferred && mask == 0
        return MemoryPolicy(mode: isLocal ? local : mode, nodes: mask & 1)
    }

    @Sendable private static func setPolicy(_ call: Call) throws(Errno) -> Outcome {
        try checkMode(call.uint(0))
        call.task.memoryPolicy = try policy(call.uint(0), try nodes(call, call[1], call[2]))
        return .zero
    }

    @Sendable private static func getPolicy(_ call: Call) throws(Errno) -> Outcome {
        let (wantsNode, ofAddress, allowed): (UInt64, UInt64, UInt64) = (1, 2, 4)
        let flags = call[4]
        guard flags & ~7 == 0, call[1] == 0 || call[2] > 1 else { throw .EINVAL }
        var answer = call.task.memoryPolicy
        if flags & allowed != 0 {
            guard flags & (wantsNode | ofAddress) == 0 else { throw .EINVAL }
            answer = MemoryPolicy(mode: 0, nodes: 1)
        } else if flags & ofAddress != 0 {
            let space = call.process.memory
            let area = space.lock.withLock { space.map.area(at: call[3]) }
            guard let area else { throw .EFAULT }
            answer = area.traits.policy ?? answer
            if flags & wantsNode != 0 { answer.mode = 0 }
        } else {
            guard call[3] == 0 else { throw .EINVAL }
            if flags & wantsNode != 0 {
                guard answer.mode & 0x1fff == interleave || answer.mode & 0x1fff == weighted else { throw .EINVAL }
                answer.mode = 0
            }
        }
        if call[0] != 0 { try call.writeStruct(answer.mode, at: call[0]) }
        if call[1] != 0 {
            var bytes = [UInt8](repeating: 0, count: Int((min(call[2], 4096) - 1 + 63) / 64 * 8))
            bytes[0] = UInt8(answer.nodes)
            try call.copyOut(bytes, to: call[1])
        }
        return .zero
    }

    @Sendable private static func bind(_ call: Call) throws(Errno) -> Outcome {
        try checkMode(call.uint(2))
        let mask = try nodes(call, call[3], call[4])
        guard call.uint(5) & ~7 == 0 else { throw .EINVAL }
        guard call.uint(5) & 4 == 0 || call.process.credentials.has(Credentials.capSysNice) else { throw .EPERM }
        let bounds: (start: UInt64, end: UInt64)
        do { bounds = try MemoryCalls.range(call[0], call[1]) } catch { throw .EINVAL }
        let (start, end) = bounds
        if start == end { return .zero }
        let policy = try policy(call.uint(2), mask)
        let space = call.process.memory
        try space.lock.withLock { () throws(Errno) in
            guard space.map.covers(start, end) else { throw .EFAULT }
            space.map.mark(start, end) { $0.policy = policy.mode == 0 ? nil : policy }
        }
        return .zero
    }

    /// The node to begin with, of areas bound to several: there is one.
    @Sendable private static func setHome(_ call: Call) throws(Errno) -> Outcome {
        guard call[3] == 0, call[2] == 0, call[0] % AddressSpace.page == 0 else { throw .EINVAL }
        let (start, end) = try MemoryCalls.range(call[0], call[1])
        if start == end { return .zero }
        let space = call.process.memory
        let policies = space.lock.withLock { space.map.areas(in: start, end).compactMap(\.traits.policy) }
        guard !policies.isEmpty else { throw .ENOENT }
        guard policies.allSatisfy({ [bindTo, preferredMany].contains($0.mode & 0x1fff) }) else { throw .EOPNOTSUPP }
        return .zero
    }

    private static func target(_ call: Call) throws(Errno) -> Process {
        let pid = call.int(0)
        let found: Process? = pid == 0 ? call.process : call.manager.tree.withLock { call.manager.tasks[pid]?.process }
        guard let found else { throw .ESRCH }
        guard RemoteMemory.mayAccess(call.process, found) else { throw .EPERM }
        return found
    }

    /// There is nowhere to go.
    @Sendable private static func migrate(_ call: Call) throws(Errno) -> Outcome {
        _ = try nodes(call, call[2], call[1])
        let to = try nodes(call, call[3], call[1])
        _ = try target(call)
        guard to & ~1 == 0 || call.process.credentials.has(Credentials.capSysNice) else { throw .EPERM }
        guard to & 1 != 0 else { throw .EINVAL }
        return .zero
    }

    @Sendable private static func move(_ call: Call) throws(Errno) -> Outcome {
        guard call.uint(5) & ~6 == 0 else { throw .EINVAL }
        guard call.uint(5) & 4 == 0 || call.process.credentials.has(Credentials.capSysNice) else { throw .EPERM }
        let space = try target(call).memory
        guard call[1] <= 1 << 20 else { throw .E2BIG }
        let count = Int(call[1])
        if count == 0 { return .zero }
        let pages = try call.copyIn(call[2], count: count * 8)
        if call[3] != 0 {
            let nodes = try call.copyIn(call[3], count: count * 4)
            if nodes.contains(where: { $0 != 0 }) { throw .ENODEV }
        }
        let status = space.lock.withLock {
            pages.withUnsafeBytes { raw in
                (0..<count).map { index -> Int32 in
                    let address = raw.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self)
                    return space.map.area(at: address) == nil ? -Errno.EFAULT.number : 0
                }
            }
        }
        try call.copyOut(status.withUnsafeBytes { Array($0) }, to: call[4])
        return .zero
    }
}

/// A mode with its flags, and the nodes it names.
struct MemoryPolicy: Equatable {
    var mode: UInt32 = 0
    var nodes: UInt64 = 0
}
