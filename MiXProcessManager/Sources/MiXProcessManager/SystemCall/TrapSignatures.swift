import CChorus

/// What the trap stub brings along with common calls, so that their handlers need no round trip for it.
///
/// Only data whose value at the moment of the call is what counts: never a futex word.
enum TrapSignatures {
    private static func string(_ argument: Int, _ more: Int...) -> KnTrapSig {
        var signature = KnTrapSig()
        withUnsafeMutableBytes(of: &signature.kind) { kinds in
            for index in [argument] + more { kinds[index] = UInt8(K_TA_STR) }
        }
        return signature
    }
    private static func fixed(_ argument: Int, _ size: Int, string: Int? = nil) -> KnTrapSig {
        var signature = KnTrapSig()
        withUnsafeMutableBytes(of: &signature.kind) { kinds in
            kinds[argument] = UInt8(K_TA_IN_FIXED)
            if let string { kinds[string] = UInt8(K_TA_STR) }
        }
        withUnsafeMutableBytes(of: &signature.size) {
            $0.storeBytes(of: UInt16(size), toByteOffset: argument * 2, as: UInt16.self)
        }
        return signature
    }
    private static func buffer(_ kind: UInt32, _ argument: Int, length: Int) -> KnTrapSig {
        var signature = KnTrapSig()
        withUnsafeMutableBytes(of: &signature.kind) { $0[argument] = UInt8(kind) }
        withUnsafeMutableBytes(of: &signature.lenArg) { $0[argument] = UInt8(length) }
        return signature
    }

    static let table: [(Int, KnTrapSig)] =
        [
            (0, buffer(K_TA_OUT, 1, length: 2)), (1, buffer(K_TA_IN, 1, length: 2)),
            (44, buffer(K_TA_IN, 1, length: 2)), (45, buffer(K_TA_OUT, 1, length: 2)),
            (17, buffer(K_TA_OUT, 1, length: 2)), (18, buffer(K_TA_IN, 1, length: 2)),
            (13, fixed(1, 32)), (14, fixed(1, 8)), (35, fixed(0, 16)), (230, fixed(2, 16)), (38, fixed(1, 32)),
            (7, fixed(0, 8)), (131, fixed(0, 24)), (130, fixed(0, 8)),
            (88, string(0, 1)), (82, string(0, 1)), (86, string(0, 1)), (264, string(1, 3)), (265, string(1, 3)),
            (316, string(1, 3)), (266, string(0, 2)),
        ]
        // Paths in argument 0: open stat lstat access execve truncate chdir rename mkdir rmdir creat unlink readlink
        // chmod chown lchown utime mknod statfs chroot utimes.
        + [2, 4, 6, 21, 59, 76, 80, 83, 84, 85, 87, 89, 90, 92, 94, 132, 133, 137, 161, 235].map { ($0, string(0)) }
        // Paths in argument 1: openat mkdirat mknodat fchownat futimesat newfstatat unlinkat readlinkat fchmodat
        // faccessat utimensat execveat statx openat2 faccessat2.
        + [257, 258, 259, 260, 261, 262, 263, 267, 268, 269, 280, 322, 332, 437, 439].map { ($0, string(1)) }

    /// The whole table, indexed by number.
    static func all() -> [KnTrapSig] {
        var signatures = [KnTrapSig](repeating: KnTrapSig(), count: SystemCallTable.size)
        for (number, signature) in table { signatures[number] = signature }
        return signatures
    }
}
