/// capget(2), capset(2), and what prctl(2) does with capabilities (capabilities(7)).
enum CapabilityCalls {
    static let table: [(Int, String, SystemCallHandler)] = [(125, "capget", get), (126, "capset", set)]

    private static let version1: UInt32 = 0x1998_0330, version2: UInt32 = 0x2007_1026, version3: UInt32 = 0x2008_0522

    /// The header's process, and how many words a set has. An unknown version is told which one is known.
    private static func header(_ call: Call) throws(Errno) -> (pid: Int32, words: Int)? {
        let header = try call.readStruct((UInt32, Int32).self, at: call[0])
        switch header.0 {
        case version1: return (header.1, 1)
        case version2, version3: return (header.1, 2)
        default:
            var version = version3
            try withUnsafeBytes(of: &version) { (bytes) throws(Errno) in try call.copyOutNow(bytes, to: call[0]) }
            return nil
        }
    }

    @Sendable private static func get(_ call: Call) throws(Errno) -> Outcome {
        guard let (pid, words) = try header(call) else {
            if call[1] == 0 { return .zero }
            throw .EINVAL
        }
        guard pid >= 0 else { throw .EINVAL }
        let manager = call.manager
        let process: Process? = pid == 0 ? call.process : manager.tree.withLock { manager.tasks[pid]?.process }
        guard let process else { throw .ESRCH }
        guard call[1] != 0 else { return .zero }
        let c = process.credentials
        var block: [UInt32] = []
        for word in 0..<words {
            for set in [c.effective, c.permitted, c.inheritable] {
                block.append(UInt32(truncatingIfNeeded: set >> (32 * UInt64(word))))
            }
        }
        try call.copyOut(block.withUnsafeBytes { Array($0) }, to: call[1])
        return .zero
    }

    @Sendable private static func set(_ call: Call) throws(Errno) -> Outcome {
        guard let (pid, words) = try header(call) else { throw .EINVAL }
        guard pid == 0 || pid == call.task.tid else { throw .EPERM }
        let raw = try call.copyIn(call[1], count: words * 12)
        let word = { (index: Int) -> UInt64 in
            guard index < words * 3 else { return 0 }
            return UInt64(raw.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self) })
        }
        let all = Credentials.allCapabilities
        let (effective, permitted, inheritable) = (
            (word(0) | word(3) << 32) & all, (word(1) | word(4) << 32) & all, (word(2) | word(5) << 32) & all
        )
        try call.manager.tree.withLock { () throws(Errno) in
            var c = call.process.credentials
            if !c.has(Credentials.capSetPcap), inheritable & ~(c.inheritable | c.permitted) != 0 { throw .EPERM }
            guard inheritable & ~(c.inheritable | c.bounding) == 0, permitted & ~c.permitted == 0,
                effective & ~permitted == 0
            else { throw .EPERM }
            (c.effective, c.permitted, c.inheritable) = (effective, permitted, inheritable)
            c.ambient &= permitted & inheritable
            call.process.credentials = c
        }
        return .zero
    }

    // MARK: prctl

    private static func bit(_ call: Call, _ argument: Int) throws(Errno) -> UInt64 {
        guard call[argument] <= 40 else { throw .EINVAL }
        return 1 << call[argument]
    }

    /// PR_CAPBSET_READ, PR_CAPBSET_DROP.
    static func bounding(_ call: Call, drop: Bool) throws(Errno) -> Outcome {
        let bit = try bit(call, 1)
        return try call.manager.tree.withLock { () throws(Errno) in
            guard drop else { return .done(call.process.credentials.bounding & bit != 0 ? 1 : 0) }
            guard call.process.credentials.has(Credentials.capSetPcap) else { throw .EPERM }
            call.process.credentials.bounding &= ~bit
            return .zero
        }
    }

    /// PR_CAP_AMBIENT: IS_SET 1, RAISE 2, LOWER 3, CLEAR_ALL 4.
    static func ambient(_ call: Call) throws(Errno) -> Outcome {
        guard call[3] == 0, call[4] == 0 else { throw .EINVAL }
        if call[1] == 4 {
            guard call[2] == 0 else { throw .EINVAL }
            call.manager.tree.withLock { call.process.credentials.ambient = 0 }
            return .zero
        }
        let bit = try bit(call, 2)
        return try call.manager.tree.withLock { () throws(Errno) in
            let c = call.process.credentials
            switch call[1] {
            case 1: return .done(c.ambient & bit != 0 ? 1 : 0)
            case 2:
                guard c.permitted & c.inheritable & bit != 0, c.secureBits & Credentials.noAmbientRaise == 0 else {
                    throw .EPERM
                }
                call.process.credentials.ambient |= bit
            case 3: call.process.credentials.ambient &= ~bit
            default: throw .EINVAL
            }
            return .zero
        }
    }

    /// PR_SET_SECUREBITS: a locked bit stays as it is.
    static func setSecureBits(_ call: Call) throws(Errno) -> Outcome {
        let wanted = call.uint(1)
        try call.manager.tree.withLock { () throws(Errno) in
            let old = call.process.credentials.secureBits
            let locked = (old & 0xaa) >> 1
            guard (old ^ wanted) & locked == 0, old & 0xaa & ~wanted == 0, wanted & ~0xff == 0, call[1] <= 0xff,
                call.process.credentials.has(Credentials.capSetPcap)
            else { throw .EPERM }
            call.process.credentials.secureBits = wanted
        }
        return .zero
    }

    /// PR_SET_KEEPCAPS.
    static func keep(_ call: Call) throws(Errno) -> Outcome {
        guard call[1] <= 1 else { throw .EINVAL }
        try call.manager.tree.withLock { () throws(Errno) in
            guard call.process.credentials.secureBits & (Credentials.keepCapabilities << 1) == 0 else { throw .EPERM }
            if call[1] == 1 {
                call.process.credentials.secureBits |= Credentials.keepCapabilities
            } else {
                call.process.credentials.secureBits &= ~Credentials.keepCapabilities
            }
        }
        return .zero
    }
}
